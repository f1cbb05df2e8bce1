"""How an age is predicted: its scale, the targets and the loss of the head, where it starts, how it is decoded."""

from dataclasses import dataclass

import numpy as np

from ..data.labels import OLDEST, YOUNGEST
from ..util.backend import keras

ops = keras.ops

YEARS = np.arange(OLDEST + 1)  # the classes of an age distribution: 0 to 116
LABEL_DEVIATION = 2.0  # years: width of the Gaussian that stands for one age label
EXPECTATION_SHARE = 1.0  # weight of a year of error in the expected age against a nat of divergence
DISTRIBUTION_SCALE = 0.1  # brings the distribution's loss to the size of the squared error it stands in for


@keras.saving.register_keras_serializable("utkface_mt")
class AgeDistributionLoss(keras.losses.Loss):
    """Divergence from a Gaussian around the true age, plus the absolute error of the expected age.

    After Gao et al., "Age Estimation Using Expectation of Label Distribution Learning", IJCAI 2018.
    """

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """The loss of each face, `[n]`, of targets `[n, 118]` and distributions over `YEARS` `[n, 117]`."""
        years = ops.convert_to_tensor(YEARS, y_pred.dtype)
        age, labels = y_true[:, 0], y_true[:, 1:]
        divergence = ops.sum(labels * (ops.log(labels + 1e-7) - ops.log(y_pred + 1e-7)), axis=-1)
        expected = ops.sum(years * y_pred, axis=-1)
        return DISTRIBUTION_SCALE * (divergence + EXPECTATION_SHARE * ops.abs(expected - age))


@dataclass(frozen=True)
class AgeHead:
    """An age head: all that training, evaluation, prediction and export need to know of how ages are predicted.

    Attributes:
        kind: `regression` predicts standardised years, `distribution` a softmax over `YEARS`.
        decoding: which value of a distribution is the answer, its `mean` (lowest squared error) or its `median`
            (lowest absolute error).
        mean: of the training ages, in years.
        deviation: standard deviation of the training ages, in years.
    """

    kind: str = "regression"
    decoding: str = "mean"
    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def fit(cls, ages: np.ndarray, kind: str = "regression", decoding: str = "mean") -> "AgeHead":
        """Measures mean and deviation of the training ages in years; the deviation is at least 1e-6."""
        return cls(kind, decoding, float(np.mean(ages)), max(float(np.std(ages)), 1e-6))

    def layer(self) -> keras.layers.Layer:
        """The output layer, named `age`: one number, or a share for each of `YEARS`."""
        if self.kind == "distribution":
            return keras.layers.Dense(len(YEARS), activation="softmax", name="age")
        return keras.layers.Dense(1, name="age")

    def targets(self, ages: np.ndarray) -> np.ndarray:
        """What the head is trained towards, float32, for ages in years, `[n]`.

        It is `[n, 1]` in standard units; for a distribution `[n, 118]`, the age in years and a Gaussian around it.
        """
        if self.kind == "regression":
            return ((np.asarray(ages) - self.mean) / self.deviation).astype(np.float32)[:, None]
        scores = np.exp(-0.5 * ((YEARS - np.asarray(ages)[:, None]) / LABEL_DEVIATION) ** 2)
        return np.column_stack([ages, scores / scores.sum(axis=1, keepdims=True)]).astype(np.float32)

    def loss(self) -> keras.losses.Loss:
        """The loss between `targets` and the layer's output."""
        return AgeDistributionLoss() if self.kind == "distribution" else keras.losses.MeanSquaredError()

    def start(self, model: keras.Model, ages: np.ndarray) -> None:
        """Lets an untrained distribution, in a network or its heads, answer with the training ages' own distribution.

        A regression head starts at the mean by itself, since ages are standardised; without this, a distribution
        would spend its first epochs on learning that nobody is 110.
        """
        if self.kind == "distribution":
            kernel, _ = model.get_layer("age").get_weights()
            model.get_layer("age").set_weights([kernel, np.log(prior(ages))])

    def expected(self, outputs: keras.KerasTensor) -> keras.KerasTensor:
        """The expected age in years, `[n]`, of the layer's outputs; smooth, so that it has a gradient."""
        if self.kind == "regression":
            return outputs[:, 0] * self.deviation + self.mean
        return ops.sum(outputs * ops.convert_to_tensor(YEARS, outputs.dtype), axis=1)

    def decode(self, outputs: keras.KerasTensor) -> keras.KerasTensor:
        """The answer in years, `[n]`, within 1 and 116, in operations that every exported runtime has."""
        by_median = self.kind == "distribution" and self.decoding == "median"
        years = quantile(outputs, 0.5) if by_median else self.expected(outputs)
        return ops.clip(years, float(YOUNGEST), float(OLDEST))

    def years(self, outputs: np.ndarray) -> np.ndarray:
        """`decode` for arrays, in double precision: float64 `[n]`."""
        return ops.convert_to_numpy(self.decode(ops.convert_to_tensor(np.asarray(outputs, np.float64))))


def prior(ages: np.ndarray) -> np.ndarray:
    """The share of each of `YEARS` among ages in years, smoothed, none of them zero: float64 `[117]`."""
    from scipy.ndimage import gaussian_filter1d

    shares = np.bincount(ages, minlength=len(YEARS)) + 0.5
    return gaussian_filter1d(shares / shares.sum(), sigma=2.0)


def quantile(shares: keras.KerasTensor, level: float) -> keras.KerasTensor:
    """The years below which a `level` of each distribution over `YEARS` lies: `[n]` of `[n, 117]`; 0.5: the medians.

    A year's share is spread evenly over the year around it, so that a quantile lies anywhere between two years.
    """
    cumulative = ops.cumsum(shares, axis=1)
    wanted = cumulative[:, -1:] * level
    before = ops.cast(cumulative < wanted, shares.dtype)  # 1 for the years before the quantile's
    year = ops.sum(before, axis=1)
    below = ops.max(cumulative * before, axis=1)
    share = ops.sum(ops.one_hot(ops.cast(year, "int32"), len(YEARS), dtype=shares.dtype) * shares, axis=1)
    return year - 0.5 + (wanted[:, 0] - below) / share
