"""Runs made of given predictions: results as they are kept, with nothing trained."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from utkface_mt.config import Experiment
from utkface_mt.evaluation.metrics import COLUMNS
from utkface_mt.experiments.results import Result, ResultStore


def predictions_of(error: float, first_file: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(4)
    ages = generator.integers(1, 90, 80)
    guess = np.clip(generator.normal(0.5, 0.3, 80), 0, 1)
    files = [f"{first_file + number}.jpg" for number in range(80)]
    columns = (files, range(80), 0, ages, ages + error, guess > 0.4, guess)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True))).astype({"gender_true": int})


@pytest.fixture(scope="session")
def predictions() -> Callable[..., pd.DataFrame]:
    """Makes predictions on 80 faces: `predictions(error in years, first_file=0)`."""
    return predictions_of


@pytest.fixture(scope="session")
def finished_run() -> Callable[..., Path]:
    """Writes a run: `finished_run(folder, {row: error in years}, first_file=0)` gives its folder."""

    def write(folder: Path, errors: dict[str, float], first_file: int = 0) -> Path:
        store = ResultStore(folder)
        for row, error in errors.items():
            for part in ("validation", "test"):
                store.save_predictions(row, part, predictions_of(error, first_file))
            named = {"row": row, "notebook": row, "title": row, "final": True}
            store.save(Result(row, Experiment(), "sample", [{"val_loss": error}], 1.0, **named))
        return folder

    return write
