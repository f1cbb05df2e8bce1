"""What the network is trained to lower: the loss of each head, its weight, and the weight of each face in it."""

import numpy as np

from ..util.backend import keras
from .age import AgeHead

LARGEST_WEIGHT = 3.0  # of a rare class, before weights are scaled to a mean of one


def task_losses(age_head: AgeHead) -> dict[str, keras.losses.Loss]:
    """The loss of each head."""
    return {"age": age_head.loss(), "gender": keras.losses.BinaryCrossentropy()}


def loss_weights(gender_share: float) -> dict[str, float]:
    """The weight of each head's loss; they sum to one."""
    return {"age": 1 - gender_share, "gender": gender_share}


def targets(ages: np.ndarray, genders: np.ndarray, age_head: AgeHead) -> dict[str, np.ndarray]:
    """The targets of each head, float32: `age` as `AgeHead.targets` gives it, `gender` codes `[n, 1]`."""
    return {"age": age_head.targets(ages), "gender": np.asarray(genders, np.float32)[:, None]}


def track_losses(model: keras.Model, wanted: dict[str, np.ndarray]) -> None:
    """Makes the running mean of each loss of a compiled model; `wanted` are the targets of some faces.

    Else Keras (3.15) makes them in the first step, which TensorFlow then traces twice.
    """
    shapes = {name: (len(wanted[name]), *output.shape[1:]) for name, output in model.output.items()}
    model.compute_loss(y=wanted, y_pred={name: np.full(shape, 0.5, np.float32) for name, shape in shapes.items()})


def balanced_weights(codes: np.ndarray) -> np.ndarray:
    """Weights, float32 `[n]`, that give every class of `codes` `[n]` the same total.

    They are clipped at `LARGEST_WEIGHT` and then scaled to a mean of one.
    """
    classes, members, counts = np.unique(codes, return_inverse=True, return_counts=True)
    weights = np.minimum(len(codes) / (len(classes) * counts), LARGEST_WEIGHT)[members]
    return (weights / weights.mean()).astype(np.float32)


def sample_weights(genders: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    """Each face's weight in each head's loss, float32 `[n]`; if `kind` is `balanced`, only gender's is, else none."""
    even = np.ones(len(genders), np.float32)
    return {"age": even, "gender": balanced_weights(genders) if kind == "balanced" else even}
