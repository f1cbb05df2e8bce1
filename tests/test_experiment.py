"""Experiments end to end on tiny pictures: cached by content, the test set read for rows only, rows built on rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from utkface_mt.util.backend import tf
from utkface_mt.config import PROFILES
from utkface_mt.data.pixels import open_pixels
from utkface_mt.util.errors import UserError
from utkface_mt.evaluation.metrics import score
from utkface_mt.experiments.run import load_network, predict_part, run, run_constant
from utkface_mt.util.files import read_json
from utkface_mt.experiments.ladder import baseline_experiment, require_row, row_experiment
from utkface_mt.experiments.results import Result, results_table
from utkface_mt.experiments.rows import ROWS, full_recipe, get_row
from utkface_mt.experiments.workspace import open_workspace, training_code_version, write_manifest


def test_a_trial_is_cached_and_reads_no_test_face(workspace):
    experiment = replace(baseline_experiment(workspace), seed=5)
    result = run(workspace, experiment)
    assert result.test == {}
    assert not list(workspace.store.place(result.key).glob("predictions-*"))
    network = workspace.store.place(result.key) / "network.weights.h5"
    written = network.stat().st_mtime_ns
    assert run(workspace, experiment) == result
    assert network.stat().st_mtime_ns == written
    assert run(workspace, replace(experiment, seed=6)).key != result.key


def test_a_row_can_be_recomputed_from_its_predictions_and_its_weights(workspace):
    result = run(workspace, baseline_experiment(workspace), row="03_baseline")
    table = workspace.store.predictions(result, "test")
    assert result.n_test == len(table) == len(workspace.positions("test"))
    assert result.test == pytest.approx(score(table), abs=1e-6)
    assert all(low <= result.test[name] <= high for name, (low, high) in result.ci.items())
    again = predict_part(workspace, load_network(workspace, result), result.experiment, "test")
    assert np.allclose(again["age"], table["age"], atol=1e-2)
    assert set(table["file"]) == set(workspace.part("test")["file"])


def test_flipping_twice_as_many_pictures_gives_the_mean_of_both(workspace):
    result = run(workspace, baseline_experiment(workspace), row="03_baseline")
    network = load_network(workspace, result)
    plain = predict_part(workspace, network, result.experiment, "test")
    both = predict_part(workspace, network, replace(result.experiment, flip_average=True), "test")
    assert not np.allclose(plain["age"], both["age"], atol=1e-3)
    assert np.abs(plain["age"] - both["age"]).mean() < 15


def test_the_table_holds_the_contracts_keys(workspace):
    constant = run_constant(workspace)
    run(workspace, baseline_experiment(workspace), row="03_baseline")
    rows = read_json(workspace.folder / "results.json")
    promised = {"experiment", "notebook", "title", "final", "n_test", "gender_accuracy", "gender_f1_weighted"}
    promised |= {"age_mae", "age_rmse", "ci", "seconds", "profile", "machine", "seed", "command"}
    assert all(promised <= set(row) for row in rows)
    assert [row["experiment"] for row in rows][:2] == ["00_constant", "03_baseline"]
    assert sum(row["final"] for row in rows if row["notebook"] == "03_baseline") == 1
    truth = workspace.part("test")["age"]
    assert constant.test["age_mae"] == pytest.approx((truth - workspace.part("train")["age"].median()).abs().mean())
    table = results_table(rows)
    assert "[" in table["age MAE"].iloc[0]
    assert "they say nothing of UTKFace" in (workspace.folder / "results.md").read_text()


def test_a_missing_row_is_computed_on_the_way_in_the_sample_only(workspace):
    baseline = require_row(workspace, "03_baseline")
    assert baseline.row == "03_baseline"
    real = replace(workspace, profile=PROFILES["cpu"], folder=workspace.folder.with_name("cpu"))
    with pytest.raises(UserError, match=r"Run notebooks/03_baseline.ipynb first"):
        require_row(real, "03_baseline")


def test_a_row_made_from_other_data_is_not_taken_for_this_one(workspace):
    baseline = run(workspace, baseline_experiment(workspace), row="03_baseline")
    fewer = replace(workspace, faces=workspace.faces.iloc[:-1])
    assert fewer.key(baseline.experiment) != baseline.key
    real = replace(fewer, profile=PROFILES["cpu"])
    with pytest.raises(UserError, match="made from other data or code"):
        require_row(real, "03_baseline")


def test_every_row_follows_from_the_one_before_by_its_change(workspace, monkeypatch: pytest.MonkeyPatch):
    store, made = workspace.store, {}
    monkeypatch.setattr("utkface_mt.ladder.require_row", lambda _, name: made[name])
    for row in ROWS[1:]:
        if row.previous and not row.change:
            experiment = made[row.previous].experiment  # found by a search or comparison
        else:
            experiment = row_experiment(workspace, row.name)
        if row.change:
            assert set(made[row.previous].experiment.differences(experiment)) <= set(row.change)
        made[row.name] = Result("key", experiment, "sample", [], {}, 0.0)
    assert store.rows() is not None
    with pytest.raises(UserError, match="no row '99'"):
        get_row("99")


def test_results_survive_json(workspace):
    result = run(workspace, baseline_experiment(workspace), row="03_baseline")
    assert Result.from_dict(result.to_dict()) == result


def test_the_manifest_names_every_face_once(workspace):
    import pandas as pd

    table = pd.read_csv(write_manifest(workspace))
    assert table["file"].is_unique
    assert list(table.columns) == ["file", "sha256", "cluster", "part"]
    assert (table.groupby("sha256")["part"].nunique() == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "gpu"}, "There is no profile"),
        ({"profile": "cpu"}, "is for UTKFace"),
        ({"limit": "many"}, "limit='many' should be of type int"),
        ({"epochs": -1}, "should be 0 or more"),
        ({"weights": "nowhere"}, "weights='nowhere'"),
        ({"data": "/nonexistent/faces"}, "There is no dataset at"),
    ],
)
def test_wrong_parameters_are_named_before_any_work(options: dict, message: str, runs):
    with pytest.raises(UserError, match=message):
        open_workspace(**options)


def test_a_folder_that_cannot_be_written_is_named(dataset, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(UserError, match="Cannot write to"):
        open_pixels(replace(dataset, storage=blocked / "storage"), dataset.faces, 32)


def test_the_code_version_ignores_comments_and_docstrings(tmp_path):
    from utkface_mt.experiments.workspace import _code_only

    one, two, three = (tmp_path / name for name in ("one.py", "two.py", "three.py"))
    one.write_text('def f():\n    """Says."""\n    return 1  # one\n')
    two.write_text("def f():\n\n    return 1\n")
    three.write_text("def f():\n    return 2\n")
    assert _code_only(one) == _code_only(two) != _code_only(three)
    assert len(training_code_version()) == 16


def test_the_users_number_of_epochs_goes_for_every_row(faces_folder: Path, runs: Path):
    opened = open_workspace("cpu", str(faces_folder), epochs=1)
    assert opened.start.epochs == opened.profile.head_epochs == full_recipe(opened.profile)["epochs"] == 1


@pytest.mark.slow
def test_logs_for_tensorboard_are_written_on_request_and_change_nothing(workspace, monkeypatch: pytest.MonkeyPatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    experiment = replace(baseline_experiment(workspace), seed=21)
    monkeypatch.setenv("UTKFACE_MT_TENSORBOARD", "1")
    result = run(workspace, experiment)
    logs = EventAccumulator(str(workspace.folder / "tensorboard" / result.key / "validation")).Reload()
    losses = [float(tf.make_ndarray(event.tensor_proto)) for event in logs.Tensors("epoch_loss")]
    assert losses == pytest.approx([epoch["val_loss"] for epoch in result.history])
    monkeypatch.setenv("UTKFACE_MT_TENSORBOARD", "0")
    other = run(workspace, replace(experiment, seed=22))
    assert not (workspace.folder / "tensorboard" / other.key).exists()
