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

from utkface_mt.data.batches import share_of
from utkface_mt.training.workers import read_cluster
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


if __name__ == "__main__":
    _train(Path(sys.argv[1]), *sys.argv[2:])
