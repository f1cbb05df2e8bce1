"""Fitting whole networks: killed for real in the middle of epochs, with every technique on, within the memory."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

MEMORY = 4_000_000  # kilobytes: what the sample profile promises


def _train(folder: Path, epoch: int, batch: int) -> None:
    """Trains a network in a process of its own, which kills itself after a batch; prints history and memory."""
    from utkface_mt.model.age import AgeHead
    from utkface_mt.model.network import build_network
    from utkface_mt.training.fit import TrainingData, fit
    from utkface_mt.training.optimizer import build_optimizer
    from utkface_mt.util.backend import keras, tf

    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, number: int, logs: dict | None = None) -> None:
            self.number = number

        def on_train_batch_end(self, number: int, logs: dict | None = None) -> None:
            if (self.number, number) == (epoch, batch):
                os.kill(os.getpid(), signal.SIGKILL)

    tf.config.experimental.enable_op_determinism()
    rng = np.random.default_rng(0)
    ages, genders = rng.integers(1, 90, 48), rng.integers(0, 2, 48)
    pictures = rng.integers(0, 255, (48, 48, 48, 3), np.uint8)
    data = TrainingData(pictures, np.arange(32), np.arange(32, 48), ages, genders, [str(face) for face in range(48)])
    head = AgeHead.fit(ages, "distribution")
    network = build_network(head, width=0.35, image_size=48, dropout=0.3)
    history = fit(
        network,
        data,
        head,
        build_optimizer("adamw", 1e-3, weight_decay=0.01),
        folder,
        epochs=4,
        batch_size=8,
        patience=4,
        plateau=True,
        weights="balanced",
        augment="strong",
        callbacks=[Kill()],
    )
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in history]
    np.savez(folder / "end.npz", *network.get_weights())
    print(json.dumps({"history": rows, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


def _process(folder: Path, epoch: int = -1, batch: int = -1) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, __file__, str(folder), str(epoch), str(batch)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _answer(process: subprocess.Popen) -> dict:
    printed, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(printed.splitlines()[-1])


@pytest.mark.slow
def test_a_network_killed_in_the_middle_of_epochs_goes_on_bit_for_bit(tmp_path: Path):
    whole = _process(tmp_path / "whole")
    for epoch, batch in ((1, 2), (3, 0)):
        killed = _process(tmp_path / "killed", epoch, batch)
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL
    going_on, expected = _answer(_process(tmp_path / "killed")), _answer(whole)
    assert going_on["history"] == expected["history"]
    assert len(expected["history"]) == 4
    with np.load(tmp_path / "whole" / "end.npz") as one, np.load(tmp_path / "killed" / "end.npz") as two:
        assert all(np.array_equal(one[name], two[name]) for name in one.files)
    assert 200_000 < expected["memory"] < MEMORY


if __name__ == "__main__":
    _train(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
