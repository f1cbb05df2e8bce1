"""A frozen backbone's features, computed once: ten epochs of its heads then cost less than one through the backbone."""

from pathlib import Path

import numpy as np

from ..backend import keras
from ..data.batches import prediction_batches
from ..files import replacing
from ..model.network import feature_model


def backbone_features(network: keras.Model, pixels: np.ndarray, path: Path) -> np.ndarray:
    """The pooled features of every picture, kept at `path`.

    Args:
        network: as `build_network` gives it.
        pixels: uint8 `[n, size, size, 3]`.
        path: a `.npy` file, named by everything the features depend on.

    Returns:
        float32 `[n, channels]`.
    """
    if not path.exists():
        features = compute_features(feature_model(network), pixels)
        with replacing(path) as temporary:
            np.save(temporary, features)
    return np.load(path)


def compute_features(extractor: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Puts every picture through the backbone once.

    Args:
        extractor: as `feature_model` gives it.
        pixels: uint8 `[n, size, size, 3]`.

    Returns:
        float32 `[n, channels]`.
    """
    return extractor.predict(prediction_batches(pixels, np.arange(len(pixels))), verbose=0)
