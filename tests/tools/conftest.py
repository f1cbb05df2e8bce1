"""A small run that no network was trained for: made-up answers to made-up faces, kept as a run keeps them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from utkface_mt.config import Experiment
from utkface_mt.evaluation.metrics import predictions_table
from utkface_mt.experiments.results import Result, ResultStore
from utkface_mt.experiments.rows import get_row
from utkface_mt.util.files import write_table

FACES = 60
HISTORY = [{"loss": 1.0, "val_loss": 0.9, "seconds": 2.0}]


def made_up_faces() -> pd.DataFrame:
    """Faces with labels and a split: 20 of each of three parts."""
    rng = np.random.default_rng(0)
    ages, genders, races = rng.integers(1, 90, FACES), rng.integers(0, 2, FACES), rng.integers(0, 5, FACES)
    labels = zip(ages, genders, races, strict=True)
    files = [f"{age}_{gender}_{race}_{10**16 + n}.jpg.chip.jpg" for n, (age, gender, race) in enumerate(labels)]
    columns = {"file": files, "sha256": [f"{n:064x}" for n in range(FACES)], "cluster": np.arange(FACES)}
    parts = np.repeat(["validation", "calibration", "test"], FACES // 3)
    return pd.DataFrame({**columns, "part": parts, "age": ages, "gender": genders, "race": races})


def save_run(
    folder: Path,
    row: str,
    error: float,
    experiment: Experiment | None = None,
    repeat: bool = False,
    profile: str = "cpu",
) -> Result:
    """Keeps a result whose ages are about `error` years wrong; without a row it is one of a sweep."""
    experiment = experiment or Experiment()
    store, faces = ResultStore(folder), made_up_faces()
    key = f"{row}-{experiment.seed}-{experiment.gender_share}"
    rng = np.random.default_rng(experiment.seed)
    for part, members in faces.groupby("part"):
        ages = members["age"] + error * rng.normal(size=len(members))
        table = predictions_table(members, ages.to_numpy(), rng.random(len(members)))
        if row or part == "validation":
            store.save_predictions(key, part, table)
    history = [] if row == "00_constant" else HISTORY
    result = Result(key, experiment, profile, history, 2.0, machine="a machine", training_version=1)
    if row:
        entry = get_row(row)
        final = entry.final and not repeat
        result = replace(result, row=row, notebook=entry.notebook, title=entry.title, final=final, repeat=repeat)
    return store.save(result)


@pytest.fixture
def fake_run(tmp_path: Path) -> Callable[..., Path]:
    """Makes a run's folder with its split and the constant row; takes the folder's name and, if given, the profile."""

    def make(name: str = "cpu", profile: str = "cpu") -> Path:
        folder = tmp_path / name
        save_run(folder, "00_constant", 20.0, profile=profile)
        write_table(folder / "split.csv.gz", made_up_faces()[["file", "sha256", "cluster", "part"]])
        return folder

    return make
