"""What the network is trained to lower: one loss for each task, and their weights."""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from ..backend import keras
from ..config import Experiment
from ..data.batches import AgeScale
from .network import YEARS

ops = keras.ops

LABEL_DEVIATION = 2.0  # years: width of the Gaussian that stands for one age label
EXPECTATION_SHARE = 1.0  # weight of a year of error in the expected age against a nat of divergence
DISTRIBUTION_SCALE = 0.1  # brings the distribution's loss to the size of the squared error it stands in for
LARGEST_WEIGHT = 3.0  # a rare class counts at most this many times


@dataclass(frozen=True)
class SoftLabels:
    """What networks that never saw these faces say of them.

    Attributes:
        age: distributions over `YEARS`, `[n, 117]`.
        gender: probability of code 1, `[n]`.
    """

    age: np.ndarray
    gender: np.ndarray

    def take(self, rows: np.ndarray) -> "SoftLabels":
        """Those of some of the faces."""
        return SoftLabels(self.age[rows], self.gender[rows])


@keras.saving.register_keras_serializable("utkface_mt")
class AgeDistributionLoss(keras.losses.Loss):
    """Divergence from a Gaussian around the true age, plus the absolute error of the expected age.

    The sum is scaled so that loss weights mean about the same as with the squared error of standardised ages.

    Label distributions for age: Gao et al., "Age Estimation Using Expectation of Label Distribution Learning",
    IJCAI 2018.
    """

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """The loss of each face.

        Args:
            y_true: as `age_labels` gives it, `[n, 118]`.
            y_pred: distributions over `YEARS`, `[n, 117]`.

        Returns:
            `[n]`.
        """
        years = ops.convert_to_tensor(YEARS, y_pred.dtype)
        age, labels = y_true[:, 0], y_true[:, 1:]
        divergence = ops.sum(labels * (ops.log(labels + 1e-7) - ops.log(y_pred + 1e-7)), axis=-1)
        expected = ops.sum(years * y_pred, axis=-1)
        return DISTRIBUTION_SCALE * (divergence + EXPECTATION_SHARE * ops.abs(expected - age))


def task_losses(experiment: Experiment) -> dict[str, keras.losses.Loss]:
    """The loss of each head."""
    age = AgeDistributionLoss() if experiment.age_head == "distribution" else keras.losses.MeanSquaredError()
    return {"age": age, "gender": keras.losses.BinaryCrossentropy(label_smoothing=experiment.label_smoothing)}


def loss_weights(experiment: Experiment) -> dict[str, float]:
    """The weight of each head's loss; they sum to one."""
    return {"age": 1 - experiment.gender_share, "gender": experiment.gender_share}


def age_labels(ages: np.ndarray) -> np.ndarray:
    """What an age distribution is trained towards, float32 `[n, 118]`: the age in years, then a Gaussian around it."""
    scores = -0.5 * ((YEARS - np.asarray(ages)[:, None]) / LABEL_DEVIATION) ** 2
    return np.column_stack([ages, softmax(scores, axis=1)]).astype(np.float32)


def targets(
    ages: np.ndarray, genders: np.ndarray, experiment: Experiment, scale: AgeScale, soft: SoftLabels | None = None
) -> dict[str, np.ndarray]:
    """The targets of each head, float32.

    Args:
        ages: in years, `[n]`.
        genders: codes 0 and 1, `[n]`.
        experiment: says which age head there is, and how much the soft labels count.
        scale: the training set's.
        soft: what teachers say of the same faces.

    Returns:
        `gender` `[n, 1]`, codes or shares between them; `age` `[n, 1]` in standard units, or `[n, 118]` as
        `age_labels` gives it for a distribution.
    """
    gender = np.asarray(genders, np.float32)[:, None]
    if experiment.age_head != "distribution":
        return {"age": scale.scaled(ages)[:, None], "gender": gender}
    age = age_labels(ages)
    if soft is not None:
        age, gender = (
            (1 - experiment.soft_share) * hard + experiment.soft_share * taught
            for hard, taught in ((age, np.column_stack([soft.age @ YEARS, soft.age])), (gender, soft.gender[:, None]))
        )
    return {"age": age.astype(np.float32), "gender": gender.astype(np.float32)}


def balanced_weights(codes: np.ndarray) -> np.ndarray:
    """Weights that give every class the same total, clipped at `LARGEST_WEIGHT` and then scaled to a mean of one.

    Args:
        codes: class codes, `[n]`.

    Returns:
        float32 `[n]`.
    """
    classes, members, counts = np.unique(codes, return_inverse=True, return_counts=True)
    weights = np.minimum(len(codes) / (len(classes) * counts), LARGEST_WEIGHT)[members]
    return (weights / weights.mean()).astype(np.float32)


def sample_weights(genders: np.ndarray, experiment: Experiment) -> dict[str, np.ndarray]:
    """The weight of each face in each head's loss, float32 `[n]`; only the gender loss is ever balanced."""
    even = np.ones(len(genders), np.float32)
    return {"age": even, "gender": balanced_weights(genders) if experiment.sample_weights == "balanced" else even}
