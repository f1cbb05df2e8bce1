"""The network: pictures in, a backbone, and two heads named `age` and `gender` out."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..backend import keras, tf
from ..config import Experiment
from ..data.batches import AgeScale
from ..labels import OLDEST
from .backbones import build_backbone, get_backbone
from .normalisation import freeze_statistics

YEARS = np.arange(OLDEST + 1)  # the age head's classes when it is a distribution: 0 to 116


def build_network(experiment: Experiment, weights_path: Path | None = None) -> keras.Model:
    """Builds the network of an experiment.

    Args:
        experiment: says backbone, heads, and how much of the backbone learns.
        weights_path: the file behind `experiment.weights`, if it names one.

    Returns:
        A functional model from float32 `[n, size, size, 3]` in 0 to 255 (of any size, if the experiment's pictures
        grow) to a dictionary: `gender` `[n, 1]`, the probability of code 1; `age` `[n, 1]` in standard units, or
        `[n, 117]`, a distribution over `YEARS`.

    Raises:
        UserError: if the weights cannot be had.
    """
    keras.utils.set_random_seed(experiment.seed)
    size = None if experiment.first_size else experiment.image_size
    backbone = build_backbone(experiment.backbone, experiment.width, size, experiment.weights, weights_path)
    if experiment.normalisation == "frozen":
        backbone = freeze_statistics(backbone)
    _set_trainable(backbone, experiment)
    inputs = keras.Input((size, size, 3), name="picture")
    pixels = inputs
    if get_backbone(experiment.backbone).rescale:
        pixels = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(inputs)
    feature_map = backbone(pixels)
    features = keras.layers.GlobalAveragePooling2D(name="features")(feature_map)
    return keras.Model(inputs, _heads(features, experiment), name="age_and_gender")


def build_heads(feature_count: int, experiment: Experiment) -> keras.Model:
    """The heads alone, from pooled features `[n, feature_count]`: what a frozen backbone's training needs."""
    keras.utils.set_random_seed(experiment.seed)
    features = keras.Input((feature_count,), name="features")
    return keras.Model(features, _heads(features, experiment), name="heads")


def copy_heads(source: keras.Model, target: keras.Model) -> None:
    """Copies the weights of both heads from one model to another."""
    for name in ("age", "gender"):
        target.get_layer(name).set_weights(source.get_layer(name).get_weights())


def feature_model(network: keras.Model) -> keras.Model:
    """The part of a network that turns pictures into pooled features."""
    return keras.Model(network.inputs, network.get_layer("features").output, name="picture_to_features")


@functools.lru_cache(maxsize=1)  # compiling takes as long as many calls, and the same network is asked again and again
def compiled(network: keras.Model) -> Callable[[np.ndarray], dict[str, tf.Tensor]]:
    """The network as one compiled call: what a few pictures at a time are predicted with.

    `network.predict` builds a pipeline, callbacks and progress for every call, which for one picture costs many times
    the network itself.

    Args:
        network: as `build_network` gives it.

    Returns:
        A function from float32 `[n, size, size, 3]` in 0 to 255 to the network's outputs.
    """

    @tf.function(input_signature=[tf.TensorSpec(network.input_shape, tf.float32)], autograph=False)
    def call(pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        return network(pictures, training=False)

    return call


def start_from_prior(model: keras.Model, experiment: Experiment, ages: np.ndarray) -> None:
    """Lets an untrained age distribution answer with the training ages' own distribution.

    A regression head starts at the mean by itself, since ages are standardised; without this, a distribution would
    spend its first epochs on learning that nobody is 110.

    Args:
        model: a network or its heads.
        experiment: says which age head it has; regression heads are left alone.
        ages: the training ages in years.
    """
    if experiment.age_head == "distribution":
        shares = np.bincount(ages, minlength=len(YEARS)) + 0.5
        smooth = gaussian_filter1d(shares / shares.sum(), sigma=2.0)
        kernel, _ = model.get_layer("age").get_weights()
        model.get_layer("age").set_weights([kernel, np.log(smooth)])


def _heads(features: keras.KerasTensor, experiment: Experiment) -> dict[str, keras.KerasTensor]:
    dropped = keras.layers.Dropout(experiment.dropout, seed=experiment.seed, name="dropout")(features)
    gender = keras.layers.Dense(1, activation="sigmoid", name="gender")(dropped)
    if experiment.age_head == "distribution":
        age = keras.layers.Dense(len(YEARS), activation="softmax", name="age")(dropped)
    else:
        age = keras.layers.Dense(1, name="age")(dropped)
    return {"age": age, "gender": gender}


def _set_trainable(backbone: keras.Model, experiment: Experiment) -> None:
    """Freezes the layers nearest to the picture, and leaves the share `fine_tune` nearest to the output learning."""
    frozen = round(len(backbone.layers) * (1 - experiment.fine_tune))
    for layer in backbone.layers[:frozen]:
        layer.trainable = False
    if frozen == len(backbone.layers):
        backbone.trainable = False


def distribution_median(shares: np.ndarray) -> np.ndarray:
    """The medians of distributions over `YEARS`: float64 `[n]`, from shares `[n, 117]` that sum to one.

    A year's share is spread evenly over the year around it, so that a median lies anywhere between two years.
    """
    cumulative = np.cumsum(np.asarray(shares, np.float64), axis=1)
    half = cumulative[:, -1:] / 2
    year = (cumulative < half).sum(axis=1)
    below = np.where(year > 0, np.take_along_axis(cumulative, np.maximum(year - 1, 0)[:, None], axis=1)[:, 0], 0.0)
    share = np.take_along_axis(cumulative, year[:, None], axis=1)[:, 0] - below
    return year - 0.5 + (half[:, 0] - below) / share


def ages_in_years(output: np.ndarray, experiment: Experiment, scale: AgeScale) -> np.ndarray:
    """Turns the age head's output into years.

    A distribution is decoded by its mean, which keeps the squared error lowest, or by its median, which keeps the
    absolute error lowest.

    Args:
        output: `[n, 1]` or `[n, 117]`.
        experiment: says which of the two it is.
        scale: the training set's.

    Returns:
        float64 `[n]`, within 1 and 116 years.
    """
    if experiment.age_head == "regression":
        years = scale.years(output[:, 0])
    else:
        years = output @ YEARS if experiment.age_decoding == "mean" else distribution_median(output)
    return np.clip(np.asarray(years, np.float64), 1, OLDEST)
