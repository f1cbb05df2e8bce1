"""What a network answers: to many faces or a few, averaged over the ways in which each is shown."""

import functools
from collections.abc import Callable

import numpy as np

from ..data.batches import prediction_batches
from ..util.backend import keras, tf

HEADS = ("age", "gender")


def mean_answers(
    network: keras.Model, source: np.ndarray, rows: np.ndarray, flip: bool = False
) -> dict[str, np.ndarray]:
    """Both heads' outputs for many faces, in the order of `rows`.

    The faces are `rows` of the pictures `source`, uint8 `[n, size, size, 3]`; with `flip` the answer to the mirror
    image is averaged in. It gives `age` `[len(rows), 1 or 117]` and `gender` `[len(rows), 1]`.
    """
    mirrored = (False, True) if flip else (False,)
    views = [network.predict(prediction_batches(source, rows, flip=mirror), verbose=0) for mirror in mirrored]
    return {name: np.mean([view[name] for view in views], axis=0) for name in HEADS}


@functools.lru_cache(maxsize=1)  # compiling takes as long as many calls, and the same network is asked again and again
def compiled(network: keras.Model) -> Callable[[np.ndarray], dict[str, tf.Tensor]]:
    """The network as one compiled call, from float32 `[n, size, size, 3]` in 0 to 255 to its outputs.

    A few pictures at a time are predicted with it: `network.predict` builds a pipeline, callbacks and progress for
    every call, which for one picture costs many times the network itself.
    """

    @tf.function(input_signature=[tf.TensorSpec(network.input_shape, tf.float32)], autograph=False)
    def call(pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        return network(pictures, training=False)

    return call


def compute_features(extractor: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Puts every picture, uint8 `[n, size, size, 3]`, once through what `feature_model` gives: float32 `[n, channels]`.

    Ten epochs of a frozen backbone's heads then cost less than one with it.
    """
    return extractor.predict(prediction_batches(pixels, np.arange(len(pixels))), verbose=0)
