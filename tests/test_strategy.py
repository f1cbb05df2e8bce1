"""Several devices: a batch shared by two trains as one device does with the whole batch."""

import contextlib
import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from utkface_mt.config import Experiment
from utkface_mt.util.errors import UserError
from utkface_mt.training.strategy import for_replicas, get_strategy

EXPERIMENT = Experiment(
    width=0.35,
    image_size=32,
    weights="bundled",
    fine_tune=0.3,
    augment="standard",
    dropout=0.0,  # each device would drop other features
    batch_size=8,
    learning_rate=2e-4,
    epochs=2,
    patience=2,
)
TOLERANCE = 1e-3  # relative, for losses: sums are taken in another order; measured 1e-6 to 1e-5


def _train_on_one_and_on_two(folder: Path, answers: multiprocessing.Queue) -> None:
    """Trains networks on one and on two logical processors, and heads on two with and without a stop."""
    from utkface_mt.util.backend import keras, tf

    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    from utkface_mt.data.batches import AgeScale
    from utkface_mt.model.network import build_heads, build_network
    from utkface_mt.training.fit import TrainingData, fit

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            raise KeyboardInterrupt

    rng = np.random.default_rng(0)
    ages, genders = rng.integers(1, 90, 52), rng.integers(0, 2, 52)
    pictures = rng.integers(0, 255, (52, 32, 32, 3), dtype=np.uint8)
    features = rng.normal(size=(52, 16)).astype(np.float32)
    experiment = for_replicas(EXPERIMENT, 2)  # the same whole batch, whatever the number of devices

    def losses(name: str, network: bool, strategy: tf.distribute.Strategy, stop: bool = False) -> list:
        source = pictures if network else features
        chosen = experiment if network else replace(experiment, augment="none")
        files, scale = [str(row) for row in range(52)], AgeScale.fit(ages[:36])
        data = TrainingData(source, np.arange(36), np.arange(36, 52), ages, genders, scale, files)
        with strategy.scope():
            if stop:
                with contextlib.suppress(KeyboardInterrupt):
                    fit(build_heads(16, chosen), data, chosen, folder / name, [Stop()])
            model = build_network(chosen) if network else build_heads(16, chosen)
            history = fit(model, data, chosen, folder / name)
        return [(row["loss"], row["val_loss"]) for row in history]

    one, two = tf.distribute.OneDeviceStrategy("CPU:0"), get_strategy("mirrored")
    answers.put(
        {
            "replicas": (one.num_replicas_in_sync, two.num_replicas_in_sync),
            "network": (losses("one", True, one), losses("two", True, two)),
            "heads": (losses("whole", False, two), losses("stopped", False, two, stop=True)),
        }
    )


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """From a process of its own: TensorFlow can be told of logical devices only before it starts."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=_train_on_one_and_on_two, args=(tmp_path_factory.mktemp("fits"), answers))
    process.start()
    answer = answers.get(timeout=300)
    process.join()
    return answer


@pytest.mark.slow
def test_two_devices_agree_with_one_after_the_same_global_steps(answer: dict):
    assert answer["replicas"] == (1, 2)
    alone, shared = answer["network"]
    assert np.allclose(alone, shared, rtol=TOLERANCE)
    assert alone[-1][0] < alone[0][0]


@pytest.mark.slow
def test_a_stopped_run_on_two_devices_ends_where_an_unbroken_one_does(answer: dict):
    whole, stopped = answer["heads"]
    assert np.allclose(whole, stopped, rtol=1e-6)


def test_batch_and_rate_grow_with_the_devices():
    scaled = for_replicas(EXPERIMENT, 4)
    assert (scaled.batch_size, scaled.learning_rate) == (32, pytest.approx(8e-4))
    assert for_replicas(EXPERIMENT, 1) == EXPERIMENT


def test_an_unknown_strategy_is_refused():
    with pytest.raises(UserError, match="strategy='two'"):
        get_strategy("two")
