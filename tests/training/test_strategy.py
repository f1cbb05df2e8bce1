"""Several devices: a batch shared by two trains as one device does with the whole batch."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from utkface_mt.training.strategy import get_strategy
from utkface_mt.util.errors import UserError

TOLERANCE = 1e-3  # relative, for losses: sums are taken in another order; measured 1e-6 to 1e-5


def _train_on_one_and_on_two(folder: Path) -> None:
    """Trains networks on one and on two logical processors, and heads on two with and without a stop."""
    from utkface_mt.model.age import AgeHead
    from utkface_mt.model.network import build_heads, build_network
    from utkface_mt.training.fit import TrainingData, fit
    from utkface_mt.training.optimizer import build_optimizer
    from utkface_mt.util.backend import keras, tf

    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            raise KeyboardInterrupt

    rng = np.random.default_rng(0)
    ages, genders = rng.integers(1, 90, 52), rng.integers(0, 2, 52)
    pictures = rng.integers(0, 255, (52, 32, 32, 3), dtype=np.uint8)
    features = rng.normal(size=(52, 16)).astype(np.float32)
    head = AgeHead.fit(ages[:36])
    batch_size, rate = 16, 4e-4  # the same whole batch, whatever the number of devices

    def losses(name: str, network: bool, strategy: tf.distribute.Strategy, stop: bool = False) -> list:
        source = pictures if network else features
        data = TrainingData(source, np.arange(36), np.arange(36, 52), ages, genders, [str(row) for row in range(52)])

        def train(*callbacks: keras.callbacks.Callback) -> list:
            model = build_heads(16, head)
            if network:  # without dropout, of which each device would drop other features
                model = build_network(head, width=0.35, image_size=32, weights="bundled", fine_tune=0.1)
            options = {"epochs": 4, "batch_size": batch_size, "augment": "standard" if network else "none"}
            return fit(model, data, head, build_optimizer("adam", rate), folder / name, callbacks=callbacks, **options)

        with strategy.scope():
            if stop:
                with contextlib.suppress(KeyboardInterrupt):
                    train(Stop())
            return [(row["loss"], row["val_loss"]) for row in train()]

    one, two = tf.distribute.OneDeviceStrategy("CPU:0"), get_strategy("mirrored")
    answer = {
        "replicas": (one.num_replicas_in_sync, two.num_replicas_in_sync),
        "network": (losses("one", True, one), losses("two", True, two)),
        "heads": (losses("whole", False, two), losses("stopped", False, two, stop=True)),
    }
    print(json.dumps(answer))


@pytest.mark.slow
def test_two_devices_agree_with_one_after_the_same_global_steps_and_go_on_after_a_stop(tmp_path: Path):
    """In a process of its own: TensorFlow can be told of logical devices only before it starts."""
    command = [sys.executable, __file__, str(tmp_path)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    answer = json.loads(printed.splitlines()[-1])
    assert answer["replicas"] == [1, 2]
    alone, shared = answer["network"]
    assert np.allclose(alone, shared, rtol=TOLERANCE)
    assert alone[-1][0] < alone[0][0]
    whole, stopped = answer["heads"]
    assert np.allclose(whole, stopped, rtol=1e-6)


def test_an_unknown_strategy_is_refused():
    with pytest.raises(UserError, match="strategy='two'"):
        get_strategy("two")


if __name__ == "__main__":
    _train_on_one_and_on_two(Path(sys.argv[1]))
