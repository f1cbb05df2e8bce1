"""What the network is trained to lower: one loss for each task, and their weights."""

import numpy as np

from ..backend import keras
from ..config import Experiment
from ..data.batches import AgeScale
from .network import YEARS

ops = keras.ops

LABEL_DEVIATION = 2.0  # years: width of the Gaussian that stands for one age label
EXPECTATION_SHARE = 0.1  # weight of a year of error in the expected age against a nat of divergence
DISTRIBUTION_SCALE = 0.2  # brings the distribution's loss to the size of the squared error it stands in for
LARGEST_WEIGHT = 3.0  # a rare class counts at most this many times


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
            y_true: true ages in years, `[n, 1]`.
            y_pred: distributions over `YEARS`, `[n, 117]`.

        Returns:
            `[n]`.
        """
        years = ops.convert_to_tensor(YEARS, y_pred.dtype)
        scores = -0.5 * ops.square((years - y_true) / LABEL_DEVIATION)
        labels = ops.softmax(scores)
        divergence = ops.sum(labels * (ops.log_softmax(scores) - ops.log(y_pred + 1e-7)), axis=-1)
        expected = ops.sum(years * y_pred, axis=-1)
        return DISTRIBUTION_SCALE * (divergence + EXPECTATION_SHARE * ops.abs(expected - y_true[:, 0]))


def task_losses(experiment: Experiment) -> dict[str, keras.losses.Loss]:
    """The loss of each head."""
    age = AgeDistributionLoss() if experiment.age_head == "distribution" else keras.losses.MeanSquaredError()
    return {"age": age, "gender": keras.losses.BinaryCrossentropy(label_smoothing=experiment.label_smoothing)}


def loss_weights(experiment: Experiment) -> dict[str, float]:
    """The weight of each head's loss; they sum to one."""
    return {"age": 1 - experiment.gender_share, "gender": experiment.gender_share}


def targets(ages: np.ndarray, genders: np.ndarray, experiment: Experiment, scale: AgeScale) -> dict[str, np.ndarray]:
    """The targets of each head, float32 `[n, 1]`: gender codes; ages in standard units, or in years for a distribution.

    Args:
        ages: in years, `[n]`.
        genders: codes 0 and 1, `[n]`.
        experiment: says which age head there is.
        scale: the training set's.
    """
    years = experiment.age_head == "distribution"
    age = np.asarray(ages, np.float32) if years else scale.scaled(ages)
    return {"age": age[:, None], "gender": np.asarray(genders, np.float32)[:, None]}


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
