"""What a backbone costs: parameters, multiply-adds, and speed measured on this machine.

`python -m tools.backbones` measures all candidates and renews the reference that notebook 04 shows beside what it
measures live.
"""

import math
import timeit
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from ..model.age import AgeHead
from ..model.backbones import BACKBONES
from ..model.losses import track_losses
from ..model.network import build_network
from ..util.backend import keras, tf
from ..util.runtime import describe_machine

CANDIDATES = {
    **{f"MobileNetV2 {width}": ("mobilenet_v2", width) for width in (0.35, 0.5, 1.0, 1.4)},
    **{backbone.title: (name, 1.0) for name, backbone in BACKBONES.items() if name != "mobilenet_v2"},
}
BATCH = 32


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of one picture through the convolutions and dense layers of a model, nested models included."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += multiply_adds(layer)
        else:  # a kernel is used once at each place of the output; biases and normalisation have one axis
            kernels = [weight.shape for weight in layer.weights if len(weight.shape) > 1]
            total += sum(map(math.prod, kernels)) * math.prod(layer.output.shape[1:-1])
    return total


def measure(title: str, image_size: int, repeats: int = 5) -> dict[str, Any]:
    """Measures one candidate with random weights, which cost what trained ones do.

    The `title` is a key of `CANDIDATES`; of `repeats` timed batches of 32 the median counts. It gives `parameters`
    (with both heads), `mega_multiply_adds`, `training_images_per_second` (all layers, normalisation statistics
    frozen), `inference_images_per_second`, `image_size` in pixels, and `machine`.
    """
    name, width = CANDIDATES[title]
    network = build_network(AgeHead(), backbone=name, width=width, image_size=image_size)
    network.compile("adam", loss={"age": "mse", "gender": "binary_crossentropy"})
    pictures = np.random.default_rng(0).uniform(0, 255, (BATCH, image_size, image_size, 3)).astype(np.float32)
    targets = {name: np.ones((BATCH, 1), np.float32) for name in ("age", "gender")}
    track_losses(network, targets)
    predict = tf.function(lambda batch: network(batch, training=False))

    def speed(step: Callable[[], Any]) -> float:
        seconds = timeit.repeat(step, number=1, repeat=repeats + 1)[1:]  # the first warms up, and compiles
        return round(BATCH / median(seconds), 1)

    return {
        "parameters": network.count_params(),
        "mega_multiply_adds": round(multiply_adds(network) / 1e6, 1),
        "training_images_per_second": speed(lambda: network.train_on_batch(pictures, targets)),
        "inference_images_per_second": speed(lambda: predict(tf.constant(pictures))["age"].numpy()),
        "image_size": image_size,
        "machine": describe_machine(),
    }
