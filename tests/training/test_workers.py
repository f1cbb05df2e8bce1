"""Several workers: real processes over loopback that end where one process does, lose one another, and say so."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utkface_mt.data.batches import share_of
from utkface_mt.training.workers import Cluster, name_workers, read_cluster
from utkface_mt.util.errors import UserError

TOLERANCE = 1e-4  # relative, for losses and weights after four epochs: sums are taken in another order
LONGEST = 60  # seconds until the others have noticed that a worker is gone
FACES, TRAIN = 51, 35  # batches of 16, 16 and 3: the last is filled


def _train(folder: Path, kind: str, kill: str) -> None:
    """Trains in a process of its own, alone or with others, which may kill itself after a batch."""
    from utkface_mt.model.age import AgeHead
    from utkface_mt.model.network import build_heads, build_network
    from utkface_mt.training.fit import TrainingData, fit
    from utkface_mt.training.optimizer import build_optimizer
    from utkface_mt.training.strategy import get_strategy
    from utkface_mt.util.backend import keras

    strategy = get_strategy("multiworker" if "TF_CONFIG" in os.environ else "auto")

    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, number: int, logs: dict | None = None) -> None:
            self.number = number

        def on_train_batch_end(self, number: int, logs: dict | None = None) -> None:
            if kill == f"{self.number}/{number}":
                os.kill(os.getpid(), signal.SIGKILL)

    rng = np.random.default_rng(0)
    ages, genders = rng.integers(1, 90, FACES), (rng.random(FACES) < 0.3).astype(int)
    source = rng.integers(0, 255, (FACES, 48, 48, 3), dtype=np.uint8)
    if kind == "heads":
        source = rng.normal(size=(FACES, 16)).astype(np.float32)
    train, validation, files = np.arange(TRAIN), np.arange(TRAIN, FACES), [str(face) for face in range(FACES)]
    data, head = TrainingData(source, train, validation, ages, genders, files), AgeHead.fit(ages[:TRAIN])
    with strategy.scope():
        model = build_heads(16, head, dropout=0.3)
        if kind == "network":
            model = build_network(head, width=0.35, image_size=48, weights="none", fine_tune=0.1, dropout=0.3)
        history = fit(
            model,
            data,
            head,
            build_optimizer("adamw", 1e-3, 0.01),
            folder,
            epochs=4,
            batch_size=16,
            plateau=True,
            weights="balanced",
            augment="strong" if kind == "network" else "none",
            callbacks=[Kill()],
        )
    weights = [value for layer in model.get_weights() for value in np.ravel(layer)[:50]]
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in history]
    print(json.dumps({"history": rows, "weights": [float(value) for value in weights]}))


def _free_ports(count: int) -> list[int]:
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in listening]
    for one in listening:
        one.close()
    return ports


def _start(folder: Path, kind: str, config: dict | None = None, kill: str = "") -> subprocess.Popen:
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    environment |= {"TF_CONFIG": json.dumps(config)} if config else {}
    folder.mkdir(exist_ok=True)
    command = [sys.executable, __file__, str(folder), kind, kill]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def _start_two(folder: Path, kind: str, kills: tuple[str, str] = ("", "")) -> list[subprocess.Popen]:
    cluster = {"worker": [f"127.0.0.1:{port}" for port in _free_ports(2)]}
    configs = [{"cluster": cluster, "task": {"type": "worker", "index": rank}} for rank in (0, 1)]
    return [_start(folder, kind, config, kill) for config, kill in zip(configs, kills, strict=True)]


def _answer(process: subprocess.Popen) -> dict:
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return json.loads(printed.splitlines()[-1])


def _assert_equal(first: dict, second: dict) -> None:
    assert len(first["history"]) == len(second["history"])
    for one, other in zip(first["history"], second["history"], strict=True):
        assert one == pytest.approx(other, rel=TOLERANCE)
    assert np.allclose(first["weights"], second["weights"], rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["heads", "network"])
def test_two_workers_end_where_one_process_does(tmp_path: Path, kind: str):
    alone = _answer(_start(tmp_path / "alone", kind))
    first, second = map(_answer, _start_two(tmp_path / "shared", kind))
    _assert_equal(first, alone)
    assert second["history"] == first["history"]


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_when_a_worker_is_killed_the_other_names_it_and_both_go_on_to_the_equal_end(tmp_path: Path, lost: int):
    whole, _ = map(_answer, _start_two(tmp_path / "whole", "network"))
    kills = ("", "2/1") if lost else ("2/1", "")
    processes = _start_two(tmp_path / "killed", "network", kills)
    processes[lost].wait(timeout=300)
    started = time.monotonic()
    _, errors = processes[1 - lost].communicate(timeout=LONGEST)
    print(f"{time.monotonic() - started:.1f} s from the kill to the end")
    assert processes[lost].returncode == -signal.SIGKILL
    assert processes[1 - lost].returncode == 1
    assert f"UserError: Worker {lost} (127.0.0.1:" in errors
    assert len(json.loads((tmp_path / "killed" / "history.json").read_text())) == 2
    again = _answer(_start_two(tmp_path / "killed", "network")[0])
    _assert_equal(again, whole)


WITHOUT = """
import sys
from utkface_mt.training.workers import WorkerModel
from utkface_mt.util.backend import keras, tf
import numpy as np

plain = {name: getattr(keras.Model, name) for name in ("train_step", *sys.argv[1:])}
with tf.distribute.MultiWorkerMirroredStrategy().scope():
    faces = keras.Input((2,))
    model = type("Repaired", (WorkerModel,), plain)(faces, keras.layers.Dense(1)(faces))
    model.compile("sgd", "mse")
try:
    model.fit(np.ones((4, 2)), np.ones((4, 1)), batch_size=2, verbose=0)
    print("TRAINS")
except Exception as error:
    print("REFUSED", type(error).__name__, error)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("", "TRAINS"),
        ("_maybe_symbolic_build", "REFUSED ValueError Attempt to convert a value (PerReplica"),
        ("_make_function", "REFUSED ValueError Invalid reduction dimension 0"),
    ],
)
def test_keras_needs_each_of_the_two_repairs(missing: str, said: str):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in _free_ports(2)]}
    tasks = [{"type": "worker", "index": rank} for rank in (0, 1)]
    environments = [{**os.environ, "TF_CONFIG": json.dumps({"cluster": cluster, "task": task})} for task in tasks]
    command = [sys.executable, "-c", WITHOUT, *filter(None, [missing])]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    processes = [subprocess.Popen(command, env=one, **streams) for one in environments]
    printed = [process.communicate(timeout=300)[0] for process in processes]
    print(*printed)
    assert all(said in one for one in printed), (
        f"Under MultiWorkerMirroredStrategy Keras needs the repair `{missing}` no longer, or another one: take it "
        f"out of WorkerModel in utkface_mt/training/workers.py and out of docs/several_machines.md. {printed}"
    )


@pytest.mark.slow
def test_a_port_that_is_taken_is_told(tmp_path: Path):
    with socket.create_server(("", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        config = {"cluster": {"worker": [address, "127.0.0.1:1"]}, "task": {"type": "worker", "index": 0}}
        process = _start(tmp_path, "heads", config)
        _, errors = process.communicate(timeout=LONGEST)
    assert process.returncode == 1
    assert f"that of Worker 0 ({address}), is taken on this machine" in errors


INTRODUCE = """
import json, sys
from utkface_mt.training import workers

workers.JOIN_SECONDS = 4
workers.join_workers()
workers.introduce(json.loads(sys.argv[1]))
"""


def _introduce(identity: dict, rank: int, ports: list[int]) -> subprocess.Popen:
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": rank}})
    command = [sys.executable, "-c", INTRODUCE, json.dumps(identity)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "TF_CONFIG": config})


@pytest.mark.slow
@pytest.mark.parametrize("field", ["version", "data set", "experiment"])
def test_a_worker_that_would_do_something_else_is_refused_on_both_sides(field: str):
    same, ports = {"version": "1", "data set": "a", "experiment": "x"}, _free_ports(2)
    processes = [_introduce(identity, rank, ports) for rank, identity in enumerate((same, {**same, field: "other"}))]
    for process in processes:
        _, errors = process.communicate(timeout=LONGEST)
        assert process.returncode == 1
        assert f"Worker 1 (127.0.0.1:{ports[1]}) has another {field} than worker 0. Nothing was trained." in errors


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_worker_that_never_comes_is_named(rank: int):
    ports = _free_ports(2)
    process = _introduce({}, rank, ports)
    _, errors = process.communicate(timeout=LONGEST)
    assert process.returncode == 1
    assert f"Worker {1 - rank} (127.0.0.1:{ports[1 - rank]}) did not come within 4 s" in errors


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 10**6))
def test_shares_have_one_size_and_the_mean_over_them_is_that_of_the_batch(faces: int, workers: int, seed: int):
    rng = np.random.default_rng(seed)
    batch, losses = rng.permutation(faces), rng.random(faces)
    shares = [share_of(batch, rank, workers) for rank in range(workers)]
    assert {len(members) for members, _ in shares} == {-(-faces // workers)}
    means = [np.mean(losses[members] * counted) for members, counted in shares]
    assert np.mean(means) == pytest.approx(losses.mean(), rel=1e-5)
    counting = np.concatenate([members[counted > 0] for members, counted in shares])
    assert sorted(counting) == list(range(faces))


@pytest.mark.parametrize(
    ("workers", "rank", "told"),
    [
        ("", 0, "needs --workers HOST:PORT,HOST:PORT and --rank N"),
        ("a:1", 0, "two or more different addresses"),
        ("a:1,a:1", 0, "two or more different addresses"),
        ("a:1,b", 0, "does not say who takes part"),
        ("a:1,b:70000", 0, "two or more different addresses"),
        ("a:1,b:2", 2, "rank=2 is none of the 2 workers; the ranks go from 0 to 1"),
    ],
)
def test_a_cluster_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, workers: str, rank: int, told: str):
    monkeypatch.setenv("TF_CONFIG", "")
    name_workers(workers, rank)
    with pytest.raises(UserError, match=told):
        read_cluster()


def test_a_chief_comes_before_the_workers(monkeypatch: pytest.MonkeyPatch):
    jobs = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 1}}))
    assert read_cluster() == Cluster(("a:1", "b:2", "c:3"), 2)


if __name__ == "__main__":
    _train(Path(sys.argv[1]), *sys.argv[2:])
