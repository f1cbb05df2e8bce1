"""What a network answers to faces, averaged over the ways in which each is shown."""

import numpy as np

from ..backend import keras
from ..data.batches import prediction_batches


def mean_answers(
    network: keras.Model, source: np.ndarray, rows: np.ndarray, flip: bool = False
) -> dict[str, np.ndarray]:
    """Both heads' outputs in the order of `rows`.

    Args:
        network: as `build_network` gives it.
        source: pictures uint8 `[n, size, size, 3]`.
        rows: positions in `source`.
        flip: whether the answer to the mirror image is averaged in.

    Returns:
        `age` `[len(rows), 1 or 117]` and `gender` `[len(rows), 1]`.
    """
    views = [
        network.predict(prediction_batches(source, rows, flip=mirrored), verbose=0)
        for mirrored in ((False, True) if flip else (False,))
    ]
    return {name: np.mean([view[name] for view in views], axis=0) for name in ("age", "gender")}
