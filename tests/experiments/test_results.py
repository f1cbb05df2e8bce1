"""The store: whole at every moment, scores follow predictions, and one of another version is left as it is."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from utkface_mt.cli import main
from utkface_mt.config import Experiment, Settings
from utkface_mt.evaluation.metrics import intervals, score
from utkface_mt.experiments.results import Result, ResultStore, results_table
from utkface_mt.experiments.workspace import open_workspace
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import file_digest


def test_a_result_is_the_old_one_or_the_new_one_at_every_moment(finished_run: Callable, moments, tmp_path: Path):
    folder = finished_run(tmp_path / "run", {"03_baseline": 2.0})
    store = ResultStore(folder)
    old = store.row("03_baseline")
    with moments.of(folder):
        store.save(replace(old, title="new", seconds=2.0))
    assert moments.count >= 8
    for moment in moments:
        row = ResultStore(moment).row("03_baseline")
        assert (row.title, row.seconds) in ((old.title, 1.0), (old.title, 2.0), ("new", 2.0))
        assert row.test == old.test
        assert len(json.loads((moment / "results.json").read_text())) == 1


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path):
    experiment = Experiment(learning_rate=3e-4, augment="strong")
    history = [{"loss": 0.5, "val_loss": 0.25, "seconds": 3.0}]
    result = Result("key", experiment, "sample", history, 3.0, "make run", "a machine", {"keras": "3"}, 2, 1)
    store = ResultStore(tmp_path)
    store.save(result)
    assert store.load("key") == result
    assert store.load("another") is None
    assert store.runs() == [result]
    (tmp_path / "rows").mkdir(exist_ok=True)
    (tmp_path / "rows" / ".0123abcd-03_baseline.json").write_text("{")  # what a kill while writing has left
    assert store.rows() == []


def test_scores_and_intervals_follow_the_predictions_that_are_kept(
    finished_run: Callable, predictions: Callable, tmp_path: Path
):
    store = ResultStore(finished_run(tmp_path, {"03_baseline": 2.0}))
    row = store.row("03_baseline")
    assert row.test == pytest.approx(score(predictions(2.0)))
    assert row.ci["age_mae"] == pytest.approx(intervals(predictions(2.0))["age_mae"])
    store.save_predictions(row.key, "test", predictions(7.0).head(50))
    store.save_predictions(row.key, "validation", predictions(9.0))
    again = store.row("03_baseline")
    assert (again.n_test, again.test["age_mae"]) == (50, pytest.approx(7))
    assert again.validation["age_mae"] == pytest.approx(9)
    assert again.history == row.history
    assert results_table(store.rows())["age MAE"].tolist() == ["7.00 [7.00, 7.00]"]
    store.write_table()
    assert json.loads((tmp_path / "results.json").read_text())[0]["age_mae"] == pytest.approx(7)


def test_predictions_that_were_not_written_are_named(finished_run: Callable, tmp_path: Path):
    store = ResultStore(finished_run(tmp_path, {"03_baseline": 2.0}))
    with pytest.raises(UserError, match=r"no calibration predictions at .* Run 03_baseline again"):
        store.predictions(store.row("03_baseline"), "calibration")


def test_the_same_table_gives_the_same_bytes(predictions: Callable, tmp_path: Path):
    store = ResultStore(tmp_path)
    digests = set()
    for key in ("one", "two"):
        store.save_predictions(key, "test", predictions(1.0))
        digests.add(file_digest(store.place(key) / "predictions-test.csv.gz"))
    assert len(digests) == 1


@pytest.mark.parametrize("mark", ["", '{"format": 1}'], ids=["without a mark", "with an older mark"])
def test_a_store_of_another_version_is_met_with_one_sentence_and_left_as_it_is(
    mark: str, faces_folder: Path, runs: Path, capsys: pytest.CaptureFixture
):
    folder = runs / "sample"
    (folder / "experiments" / "key").mkdir(parents=True)
    (folder / "experiments" / "key" / "result.json").write_text('{"test": {"age_mae": 5.0}}')
    if mark:
        (folder / "store.json").write_text(mark)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    said = r"results in .*sample were written by another version of utkface_mt.*left as they are.*--fresh"
    with pytest.raises(UserError, match=said):
        ResultStore(folder)
    with pytest.raises(UserError, match=said):
        open_workspace(Settings(data=str(faces_folder), runs=str(runs)))
    for command in (["run", "--data", str(faces_folder)], ["results", "sample"]):
        assert main(command) == 1
        assert "another version of utkface_mt" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
