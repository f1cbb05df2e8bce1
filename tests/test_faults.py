"""Faults inflicted on purpose: killed at every write, killed for real, a full disk, a folder that is read-only.

A process that is killed leaves what was on the disk at that moment. `Moments` copies a folder just before each change
that Python makes to it, so that each copy is what a kill at that moment would have left.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from utkface_mt.config import Experiment
from utkface_mt.data.batches import AgeScale
from utkface_mt.util.errors import UserError
from utkface_mt.experiments.run import run
from utkface_mt.util.files import replacing, write_json
from utkface_mt.experiments.ladder import baseline_experiment
from utkface_mt.model.network import build_heads
from utkface_mt.experiments.results import Result, ResultStore
from utkface_mt.training.fit import TrainingData, fit
from utkface_mt.experiments.workspace import Workspace

WRITING = os.O_WRONLY | os.O_RDWR
CHANGES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")


class Moments:
    """Copies of a folder, one before each change to it: opening for writing, renaming, removing, making a folder."""

    def __init__(self, folder: Path, copies: Path) -> None:
        self.folder, self.copies = folder, copies
        self.count = 0
        self._active = False
        sys.addaudithook(self._look)

    def __enter__(self) -> "Moments":
        self._active = True
        return self

    def __exit__(self, *error: object) -> None:
        self._active = False

    def _look(self, event: str, arguments: tuple) -> None:
        if not self._active or event not in CHANGES or not isinstance(arguments[0], str | Path):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITING):
            return
        if Path(arguments[0]).is_relative_to(self.folder):
            self._active = False
            copy = self.copies / f"{self.count:03d}"
            if self.folder.exists():
                shutil.copytree(self.folder, copy)
            else:
                copy.mkdir(parents=True)
            self.count += 1
            self._active = True

    def __iter__(self) -> Iterator[Path]:
        return iter(sorted(self.copies.iterdir()))


def _comparable(result: Result) -> dict:
    """A result without what differs from run to run: the time it took."""
    history = [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in result.history]
    return {**result.to_dict(), "history": history, "seconds": 0, "experiment": result.experiment.to_dict()}


def _weights(store: ResultStore, result: Result) -> dict[str, np.ndarray]:
    """Every number of a network's file; the file itself holds times too."""
    found = {}
    with h5py.File(store.place(result.key) / "network.weights.h5") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def _fit(folder: Path) -> tuple[list, list[np.ndarray]]:
    """A short training of two heads; everything it writes goes to `folder`."""
    rng = np.random.default_rng(0)
    ages, genders = rng.integers(1, 90, 48), rng.integers(0, 2, 48)
    source, files = rng.normal(size=(48, 4)).astype(np.float32), [f"face-{number}.jpg" for number in range(48)]
    data = TrainingData(source, np.arange(32), np.arange(32, 48), ages, genders, AgeScale.fit(ages), files)
    experiment = Experiment(epochs=4, batch_size=8, scheduler="plateau", patience=4, learning_rate=0.01)
    model = build_heads(4, experiment)
    history = fit(model, data, experiment, folder)
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history], model.get_weights()


@pytest.mark.slow
def test_training_killed_at_any_write_ends_as_if_it_had_not_been(tmp_path: Path):
    history, weights = _fit(tmp_path / "whole")
    with Moments(tmp_path / "run", tmp_path / "moments") as moments:
        _fit(tmp_path / "run")
    assert moments.count > 20
    for moment in moments:
        again, resumed = _fit(moment)
        assert again == history
        assert all(np.array_equal(one, two) for one, two in zip(weights, resumed, strict=True))


@pytest.mark.slow
def test_a_row_killed_at_any_write_after_training_is_completed_without_training_again(
    workspace: Workspace, tmp_path: Path
):
    experiment = replace(baseline_experiment(workspace), epochs=1)
    alone = replace(workspace, folder=tmp_path / "whole")
    whole = run(alone, experiment, row="03_baseline")
    expected = _weights(alone.store, whole)
    with Moments(tmp_path / "run", tmp_path / "moments") as moments:
        run(replace(workspace, folder=tmp_path / "run"), experiment, row="03_baseline")
    trained = [moment for moment in moments if list(moment.rglob("network.weights.h5"))]
    assert len(trained) > 10
    for moment in trained:
        for file in moment.rglob("*.json"):
            if not file.name.startswith("."):
                json.loads(file.read_text())
        going_on = replace(workspace, folder=moment)
        again = run(going_on, experiment, row="03_baseline")
        assert [epoch["seconds"] for epoch in again.history] == _seconds(moment)
        assert _comparable(again) == _comparable(whole)
        weights = _weights(going_on.store, again)
        assert weights.keys() == expected.keys()
        assert all(np.array_equal(weights[name], expected[name]) for name in expected)
        assert going_on.store.predictions(again, "test").equals(alone.store.predictions(whole, "test"))
        assert json.loads((moment / "results.json").read_text())[0]["age_mae"] == whole.test["age_mae"]


def _seconds(folder: Path) -> list[float]:
    """How long the epochs took when they were trained: another training would take another time."""
    return [epoch["seconds"] for epoch in json.loads(next(folder.rglob("training/history.json")).read_text())]


def test_a_result_is_the_old_one_or_the_new_one_at_every_moment(tmp_path: Path):
    folder = tmp_path / "run"
    store = ResultStore(folder)
    ci = {"age_mae": [1.0, 2.0], "gender_accuracy": [0.5, 0.6]}
    scores = {"age_mae": 1.5, "age_rmse": 2.0, "age_within_5": 0.5, "gender_accuracy": 0.55, "gender_f1_weighted": 0.5}
    first = Result("key", Experiment(), "sample", [], {}, 1.0, "03_baseline", "03_baseline", "old", test=scores, ci=ci)
    store.save(first)
    with Moments(folder, tmp_path / "moments") as moments:
        store.save(replace(first, title="new", seconds=2.0))
    assert moments.count >= 8
    for moment in moments:
        row = ResultStore(moment).row("03_baseline")
        assert (row.title, row.seconds) in (("old", 1.0), ("old", 2.0), ("new", 2.0))
        assert len(json.loads((moment / "results.json").read_text())) == 1


CHILD = """
import json, os, resource, signal, sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from utkface_mt.backend import keras, tf
from utkface_mt.config import Experiment
from utkface_mt.data.batches import AgeScale
from utkface_mt.data.batches import AgeScale
from utkface_mt.model.network import build_network
from utkface_mt.training.fit import TrainingData, fit

folder, epoch, batch = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
tf.config.experimental.enable_op_determinism()
rng = np.random.default_rng(0)
ages, genders = rng.integers(1, 90, 96), rng.integers(0, 2, 96)
pictures = rng.integers(0, 255, (96, 48, 48, 3), np.uint8)
files = [f"face-{number}.jpg" for number in range(96)]
data = TrainingData(pictures, np.arange(64), np.arange(64, 96), ages, genders, AgeScale.fit(ages), files)
experiment = Experiment(
    width=0.35, weights="none", image_size=48, fine_tune=1.0, augment="strong", scheduler="plateau", optimizer="adamw",
    learning_rate=1e-3, weight_decay=0.01, batch_size=16, epochs=4, patience=4, age_head="distribution",
)


class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, number, logs=None):
        self.number = number

    def on_train_batch_end(self, number, logs=None):
        if (self.number, number) == (epoch, batch):
            os.kill(os.getpid(), signal.SIGKILL)


network = build_network(experiment)
history = fit(network, data, experiment, folder, [Kill()])
rows = [{name: value for name, value in row.items() if name != "seconds"} for row in history]
print(json.dumps(rows), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
np.savez(folder / "end.npz", *network.get_weights())
"""


def _child(folder: Path, epoch: int = -1, batch: int = -1) -> subprocess.CompletedProcess:
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(epoch), str(batch)], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_network_killed_in_the_middle_of_epochs_goes_on_bit_for_bit(tmp_path: Path):
    whole = _child(tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr[-2000:]
    for epoch, batch in ((1, 2), (3, 0)):
        assert _child(tmp_path / "killed", epoch, batch).returncode == -signal.SIGKILL
    going_on = _child(tmp_path / "killed")
    assert going_on.returncode == 0, going_on.stderr[-2000:]
    (history, memory), (expected, _) = (output.stdout.rsplit(" ", 1) for output in (going_on, whole))
    assert json.loads(history) == json.loads(expected)
    with np.load(tmp_path / "whole" / "end.npz") as one, np.load(tmp_path / "killed" / "end.npz") as two:
        assert all(np.array_equal(one[name], two[name]) for name in one.files)
    assert int(memory) < 4_000_000  # kilobytes: what the sample profile promises


@contextmanager
def no_room() -> Iterator[None]:
    """No file may grow beyond some kilobytes, as on a full disk; around one write, for pytest's log is a file too."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_told_and_the_old_file_stays(tmp_path: Path):
    path = tmp_path / "results.json"
    write_json(path, ["old"])
    with pytest.raises(UserError, match=r"Cannot write to .*Make room there"), no_room():
        write_json(path, ["new"] * 10_000)
    assert json.loads(path.read_text()) == ["old"]
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_a_checkpoint_that_does_not_fit_is_told_and_the_one_before_stays(tmp_path: Path):
    path = tmp_path / "epoch-0001.npz"
    path.write_bytes(b"old")
    with pytest.raises(UserError, match="Cannot write"), no_room(), replacing(path) as temporary:
        np.savez(temporary, np.zeros(100_000))
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["epoch-0001.npz"]


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that this process may not write to; root, who may write anywhere, becomes somebody else."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        yield Path(name)
        os.seteuid(user)
        os.chmod(name, 0o700)


def test_a_read_only_folder_is_told(read_only: Path):
    with pytest.raises(UserError, match=r"Cannot write to .*make it writable.*UTKFACE_MT_RUNS"):
        write_json(read_only / "results.json", [])
    assert not list(read_only.iterdir())


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path):
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(UserError, match=r"Cannot write to .*runs"):
        write_json(tmp_path / "runs" / "results.json", [])
    assert (tmp_path / "runs").read_text() == "in the way"
