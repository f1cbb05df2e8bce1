"""A task that heads alone learn in seconds, and a callback that stops training as a kill would."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from utkface_mt.model.age import AgeHead
from utkface_mt.model.network import build_heads
from utkface_mt.training.fit import TrainingData, fit
from utkface_mt.training.optimizer import build_optimizer
from utkface_mt.util.backend import keras


def small_task() -> TrainingData:
    rng = np.random.default_rng(0)
    ages, genders = rng.integers(1, 90, 60), rng.integers(0, 2, 60)
    features = np.stack([ages / 50, genders, rng.normal(size=60)], axis=1).astype(np.float32)
    files = [f"face-{number}.jpg" for number in range(60)]
    return TrainingData(features, np.arange(40), np.arange(40, 60), ages, genders, files)


@pytest.fixture
def data() -> TrainingData:
    """Forty training and twenty validation faces of three features, of which ages and genders follow."""
    return small_task()


class Stop(keras.callbacks.Callback):
    """Raises after an epoch, as if the process had been stopped there."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.fixture(scope="session")
def train() -> Callable[..., tuple[list[dict[str, float]], list[np.ndarray]]]:
    """Trains two heads in a folder and gives history (without times) and weights.

    Call `train(folder, stop=EPOCH, scheduler=..., learning_rate=..., **options of fit)`.
    """

    def run(folder: Path, stop: int = -1, scheduler: str = "plateau", learning_rate: float = 0.01, **options) -> tuple:
        options = {"epochs": 6, "patience": 6, "batch_size": 8, "seed": 0, **options}
        data = small_task()
        head = AgeHead.fit(data.ages[data.train])
        model = build_heads(3, head, dropout=0.3, seed=options["seed"])
        steps = options["epochs"] * -(-len(data.train) // options["batch_size"])
        optimizer = build_optimizer("adam", learning_rate, scheduler=scheduler, steps=steps)
        plateau = scheduler == "plateau"
        history = fit(model, data, head, optimizer, folder, plateau=plateau, callbacks=[Stop(stop)], **options)
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in history]
        return rows, model.get_weights()

    return run
