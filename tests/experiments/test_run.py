"""Experiments on tiny pictures: kept by content, repeatable, gone on with wherever they were killed."""

import json
import resource
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from utkface_mt.evaluation.metrics import score
from utkface_mt.experiments import run as running
from utkface_mt.experiments.results import Result, ResultStore
from utkface_mt.experiments.run import load_network, predict_part, result_key, run, run_constant
from utkface_mt.experiments.workspace import Workspace, open_workspace
from utkface_mt.util.files import file_digest


def _comparable(result: Result) -> Result:
    """A result without what differs from run to run: the time it took."""
    return replace(result, seconds=0, command="", history=[{**epoch, "seconds": 0} for epoch in result.history])


def _weights(store: ResultStore, result: Result) -> dict[str, np.ndarray]:
    """Every number of a network's file; the file itself holds times too."""
    found = {}
    with h5py.File(store.place(result.key) / "network.weights.h5") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def _assert_same(one: tuple[ResultStore, Result], two: tuple[ResultStore, Result]) -> None:
    """Two rows have the same history and scores, and the same weights and predictions in every bit."""
    assert _comparable(one[1]) == _comparable(two[1])
    weights, others = (_weights(*pair) for pair in (one, two))
    assert weights.keys() == others.keys()
    assert all(np.array_equal(weights[name], others[name]) for name in weights)
    for part in ("validation", "calibration", "test"):
        assert one[0].predictions(one[1], part).equals(two[0].predictions(two[1], part))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("common", "changed"),
    [({"weights": "none"}, {"seed": 1}), ({}, {"crop": 0.05}), ({}, {"image_size": 64})],
    ids=["seed of a random backbone", "crop", "size"],
)
def test_what_features_depend_on_they_are_kept_by(common: dict, changed: dict, workspace: Workspace):
    frozen = replace(workspace.start, fine_tune=0.0, **common)
    one, other = (running._source(workspace, experiment) for experiment in (frozen, replace(frozen, **changed)))
    assert one.shape == other.shape
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("common", "changed"),
    [
        ({}, {"optimizer": "adamw", "weight_decay": 0.5}),
        ({}, {"scheduler": "cosine"}),
        ({"learning_rate": 1.0, "epochs": 8, "patience": 4}, {"scheduler": "plateau"}),
        ({}, {"sample_weights": "balanced"}),
        ({}, {"gender_share": 0.2}),
        ({}, {"dropout": 0.9}),
        ({}, {"batch_size": 16}),
        ({}, {"age_head": "distribution"}),
        pytest.param({"epochs": 1}, {"augment": "standard"}, marks=pytest.mark.slow),
        pytest.param(
            {"epochs": 2, "augment": "standard", "image_size": 64}, {"first_size": 32}, marks=pytest.mark.slow
        ),
    ],
    ids=lambda changed: " ".join(changed),
)
def test_every_technique_reaches_the_training(
    common: dict, changed: dict, workspace: Workspace, baseline: Result, tmp_path: Path
):
    losses = []
    for number, fields in enumerate((common, common | changed)):
        experiment = replace(baseline.experiment, **fields)
        source = running._source(workspace, experiment)
        _, history = running._fit(workspace, experiment, source, tmp_path / str(number), ())
        losses.append([epoch["val_age_loss"] + epoch["val_gender_loss"] for epoch in history])
    assert losses[0] != losses[1]


def test_a_trial_is_kept_without_test_predictions_and_differs_with_its_seed(workspace: Workspace, baseline: Result):
    experiment = replace(baseline.experiment, seed=5, epochs=1)
    result = run(workspace, experiment)
    assert result.test == {}
    assert result.validation["age_mae"] > 0
    assert result.history[0]["val_loss"] != baseline.history[0]["val_loss"]
    kept = {path.name for path in workspace.store.place(result.key).glob("predictions-*")}
    assert kept == {"predictions-validation.csv.gz"}
    network = workspace.store.place(result.key) / "network.weights.h5"
    written = network.stat().st_mtime_ns
    assert run(workspace, experiment) == result
    assert network.stat().st_mtime_ns == written


def test_a_row_can_be_recomputed_from_its_predictions_and_its_weights(workspace: Workspace, baseline: Result):
    table = workspace.store.predictions(baseline, "test")
    assert baseline.n_test == len(table) == len(workspace.positions("test"))
    assert set(table["file"]) == set(workspace.part("test")["file"])
    assert baseline.test == pytest.approx(score(table), abs=1e-6)
    assert all(low <= baseline.test[name] <= high for name, (low, high) in baseline.ci.items())
    network = load_network(workspace, baseline)
    again = predict_part(workspace, network, baseline.experiment, "test")
    assert np.allclose(again["age"], table["age"], atol=1e-2)
    flipped = predict_part(workspace, network, replace(baseline.experiment, flip_average=True), "test")
    assert 1e-3 < np.abs(flipped["age"] - again["age"]).mean() < 15


def test_the_table_holds_the_contracts_keys(workspace: Workspace, baseline: Result):
    run_constant(workspace)
    rows = json.loads((workspace.folder / "results.json").read_text())
    promised = {"experiment", "notebook", "title", "final", "n_test", "gender_accuracy", "gender_f1_weighted"}
    promised |= {"age_mae", "age_rmse", "ci", "seconds", "profile", "machine", "seed", "command"}
    assert all(promised <= set(row) for row in rows)
    assert [row["experiment"] for row in rows][:2] == ["00_constant", "03_baseline"]
    assert sum(row["final"] for row in rows if row["notebook"] == "03_baseline") == 1
    assert "they say nothing of UTKFace" in (workspace.folder / "results.md").read_text()


def test_the_constant_row_answers_the_training_median_and_the_majority_gender(workspace: Workspace):
    train, test, result = workspace.part("train"), workspace.part("test"), run_constant(workspace)
    majority = int(train["gender"].mean() >= 0.5)
    assert result.test["age_mae"] == pytest.approx((test["age"] - train["age"].median()).abs().mean())
    assert result.test["gender_accuracy"] == pytest.approx((test["gender"] == majority).mean())
    again = run_constant(workspace, repeat=True)
    assert (again.repeat, again.final) == (True, False)
    assert workspace.store.row("00_constant").test == result.test


def test_another_run_of_the_same_seed_is_the_same_in_every_bit_and_raw_data_stay(
    workspace: Workspace, baseline: Result, faces_folder: Path, tmp_path: Path
):
    before = {path.name: file_digest(path) for path in faces_folder.iterdir()}
    opened = open_workspace(replace(workspace.settings, runs=str(tmp_path)))
    other = replace(opened, profile=workspace.profile, start=workspace.start)
    _assert_same((other.store, run(other, baseline.experiment, row="03_baseline")), (workspace.store, baseline))
    assert other.faces.equals(workspace.faces)
    assert {path.name: file_digest(path) for path in faces_folder.iterdir()} == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4_000_000  # kilobytes: what the sample promises


def _visible(folder: Path) -> dict[str, bytes]:
    """What the package sees in a folder: all but half-written files, whose names begin with a dot."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".lock"
    }


@pytest.mark.slow
def test_a_row_killed_at_any_write_after_training_is_completed_without_training_again(
    workspace: Workspace, moments, tmp_path: Path
):
    experiment = replace(workspace.start, fine_tune=0.0, epochs=1)
    whole = replace(workspace, folder=tmp_path / "run")
    with moments.of(tmp_path / "run"):
        expected = run(whole, experiment, row="03_baseline")
    states: list[dict[str, bytes]] = []
    for moment in moments:
        state = _visible(moment)
        if not any(name.endswith("network.weights.h5") for name in state) or state in states:
            shutil.rmtree(moment)
            continue
        states.append(state)
        going_on = replace(workspace, folder=moment)
        _assert_same((going_on.store, run(going_on, experiment, row="03_baseline")), (whole.store, expected))
        epochs = json.loads(next(moment.rglob("training/history.json")).read_text())
        trained = json.loads(next(moment.rglob("result.json")).read_text())["history"]
        assert trained == epochs == expected.history  # the times too: another training would take another time
        assert json.loads((moment / "results.json").read_text())[0]["age_mae"] == expected.test["age_mae"]
        assert not list(moment.rglob("epoch-*.npz"))
    assert len(states) >= 6


@pytest.mark.slow
def test_logs_for_tensorboard_are_written_on_request_and_change_nothing(
    workspace: Workspace, baseline: Result, tmp_path: Path
):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from utkface_mt.util.backend import tf

    logged = replace(workspace, folder=tmp_path, settings=replace(workspace.settings, tensorboard=True))
    result = run(logged, baseline.experiment)
    assert _comparable(result).history == _comparable(baseline).history
    logs = EventAccumulator(str(tmp_path / "tensorboard" / result.key / "validation")).Reload()
    losses = [float(tf.make_ndarray(event.tensor_proto)) for event in logs.Tensors("epoch_loss")]
    assert losses == pytest.approx([epoch["val_loss"] for epoch in result.history])
    assert not (workspace.folder / "tensorboard").exists()


@pytest.mark.parametrize(
    "changed",
    [
        lambda run, start: result_key(run, replace(start, dropout=0.1)),
        lambda run, start: result_key(run, replace(start, weights="none")),
        lambda run, start: result_key(replace(run, faces=run.faces.iloc[:-1]), start),
        lambda run, start: result_key(replace(run, faces=run.faces.assign(part="train")), start),
        lambda run, start: result_key(replace(run, faces=run.faces.assign(sha256="0")), start),
    ],
    ids=["configuration", "name of the weights", "faces", "split", "pictures"],
)
def test_a_key_changes_with_whatever_decides_the_result(changed: Callable, workspace: Workspace):
    key, elsewhere = result_key(workspace, workspace.start), replace(workspace, folder=Path("elsewhere"))
    assert result_key(elsewhere, replace(workspace.start)) == key
    assert changed(workspace, workspace.start) != key == result_key(workspace, workspace.start)


def test_a_key_changes_with_the_training_version(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    key = result_key(workspace, workspace.start)
    monkeypatch.setattr(running, "TRAINING_VERSION", 10**6)
    assert result_key(workspace, workspace.start) != key
