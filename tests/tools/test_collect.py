"""What a run measured, in the form that is committed."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pandas as pd
import pytest

from tools.collect import collect
from utkface_mt.config import Experiment
from utkface_mt.evaluation.metrics import score
from utkface_mt.experiments.reference import PUBLIC_COLUMNS, measured_entries, measured_predictions
from utkface_mt.experiments.results import Result, ResultStore
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import read_json, write_table

from .conftest import HISTORY, save_run

Run = Callable[..., Path]


@pytest.fixture
def reference(fake_run: Run, tmp_path: Path) -> Path:
    """What was collected of a run with two rows, one of them repeated with another seed."""
    run, repeats = fake_run(), tmp_path / "repeats"
    save_run(run, "03_baseline", 9.0)
    save_run(repeats, "03_baseline", 9.0, Experiment(seed=1), repeat=True)
    save_run(repeats, "03_baseline", 9.0, Experiment(seed=0), repeat=True)  # the row's own seed: no repeat of it
    collect(run, repeats, tmp_path / "reference")
    return tmp_path / "reference"


def test_a_collected_row_can_be_recomputed_from_its_predictions(reference: Path, tmp_path: Path):
    entries = measured_entries(reference)
    assert [(entry["experiment"], entry["seed"], entry["repeat"], entry["final"]) for entry in entries] == [
        ("00_constant", 0, False, False),
        ("03_baseline", 0, False, True),
        ("03_baseline", 1, True, False),
    ]
    table = pd.read_csv(reference / "predictions" / "03_baseline.csv.gz")
    assert tuple(table.columns) == PUBLIC_COLUMNS
    assert score(table) == pytest.approx({name: entries[1][name] for name in score(table)}, abs=1e-6)
    joined = measured_predictions(Result.from_table_row(entries[1]), reference=reference)
    store = ResultStore(tmp_path / "cpu")
    pd.testing.assert_frame_equal(joined, store.predictions(store.row("03_baseline"), "test"))
    assert read_json(reference / "history" / "03_baseline-seed1.json") == HISTORY
    assert (reference / "predictions" / "03_baseline-calibration.csv.gz").exists()


def test_a_collected_row_says_how_it_differs_from_the_row_before(reference: Path):
    constant, baseline, repeat = measured_entries(reference)
    difference, low, high = baseline["difference"]["age_mae"]
    assert baseline["difference"]["to"] == "00_constant"
    assert difference == pytest.approx(baseline["age_mae"] - constant["age_mae"], abs=1e-5)
    assert low <= difference <= high
    assert "difference" not in {**constant, **repeat}


def test_rows_that_the_run_lacks_stay_as_they_are_and_a_row_trained_anew_takes_its_place(
    fake_run: Run, reference: Path, tmp_path: Path
):
    before = measured_entries(reference)
    collect(fake_run("later"), tmp_path / "none", reference)
    assert measured_entries(reference) == before
    again = fake_run("again")
    save_run(again, "03_baseline", 5.0, Experiment(seed=3))
    collect(again, tmp_path / "none", reference)
    entries = measured_entries(reference)
    assert [(entry["experiment"], entry["seed"]) for entry in entries if entry["final"]] == [("03_baseline", 3)]


def test_repeats_are_collected_where_the_run_itself_is_gone(reference: Path, tmp_path: Path):
    before, split = measured_entries(reference), (reference / "split.csv.gz").read_bytes()
    for seed in (0, 2):  # the row's own seed is no repeat of it
        save_run(tmp_path / "elsewhere", "03_baseline", 8.0, Experiment(seed=seed), repeat=True)
    collect(tmp_path / "none", tmp_path / "elsewhere", reference)
    entries = measured_entries(reference)
    assert entries[:-1] == before
    assert (entries[-1]["experiment"], entries[-1]["seed"], entries[-1]["repeat"]) == ("03_baseline", 2, True)
    assert (reference / "predictions" / "03_baseline-seed2.csv.gz").exists()
    assert (reference / "split.csv.gz").read_bytes() == split


def test_profiles_lie_beside_each_other(fake_run: Run, reference: Path, tmp_path: Path):
    cpu = [entry for entry in measured_entries(reference) if entry["profile"] == "cpu"]
    full = fake_run("full", "full")
    save_run(full, "09_loss_weights", 5.0, Experiment(gender_share=0.45), profile="full")
    save_run(full, "", 5.0, Experiment(gender_share=0.2), profile="full")
    (full / "studies").mkdir()
    study = optuna.create_study(storage=f"sqlite:///{full / 'studies' / 'studies.db'}")
    study.optimize(lambda trial: trial.suggest_float("dropout", 0, 0.5), n_trials=2)
    collect(full, tmp_path / "none", reference)
    entries = measured_entries(reference)
    assert [entry for entry in entries if entry["profile"] == "cpu"] == cpu
    assert [entry["experiment"] for entry in entries[len(cpu) :]] == ["00_constant", "09_loss_weights"]
    assert (reference / "predictions" / "full" / "09_loss_weights.csv.gz").exists()
    assert (reference / "history" / "full" / "09_loss_weights.json").exists()
    sweep = read_json(reference / "comparisons-full.json")["gender_share"]
    assert [run["gender_share"] for run in sweep] == [0.2, 0.45]
    assert {"age_mae", "gender_accuracy"} <= set(sweep[0]["validation"])
    assert [trial["state"] for trial in read_json(reference / "study-full.json")] == ["COMPLETE"] * 2
    assert read_json(reference / "comparisons.json") == {}
    assert not (reference / "study.json").exists()


def test_nothing_is_collected_of_an_empty_run_or_of_one_on_other_faces(fake_run: Run, reference: Path, tmp_path: Path):
    before = measured_entries(reference)
    with pytest.raises(UserError, match="There is no row in"):
        collect(tmp_path / "empty", tmp_path / "none", reference)
    limited = fake_run("limited")
    write_table(limited / "split.csv.gz", pd.read_csv(limited / "split.csv.gz").iloc[::2])
    with pytest.raises(UserError, match="divided the faces otherwise"):
        collect(limited, tmp_path / "none", reference)
    assert measured_entries(reference) == before
