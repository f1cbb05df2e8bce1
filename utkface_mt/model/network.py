"""The network: pictures in, a backbone, and two heads named `age` and `gender` out."""

from pathlib import Path

from ..util.backend import keras, tf
from .age import AgeHead
from .backbones import BACKBONES, build_backbone
from .folding import freeze_statistics


class Dropout(keras.layers.Dropout):
    """Keras' layer, except that several workers that share a batch drop from each face what one process would.

    The faces of a worker are those that `utkface_mt.data.batches.share_of` gives it. The name is that of Keras' class,
    since weights files name layers so.
    """

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Drops some of `inputs` `[n, features]` while training."""
        here = tf.distribute.get_replica_context()
        shared = isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)
        if not (training and here and shared):
            return super().call(inputs, training=training)
        workers = here.num_replicas_in_sync
        whole = tf.ones((tf.shape(inputs)[0] * workers, inputs.shape[1]))
        return inputs * super().call(whole, training=True)[here.replica_id_in_sync_group :: workers]


def build_network(
    age_head: AgeHead,
    *,
    backbone: str = "mobilenet_v2",
    width: float = 1.0,
    image_size: int | None = 224,
    weights: str = "none",
    weights_path: Path | None = None,
    fine_tune: float = 1.0,
    normalisation: str = "frozen",
    dropout: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """Builds a network.

    Args:
        age_head: makes the layer that predicts ages.
        backbone: name in `utkface_mt.model.backbones.BACKBONES`.
        width: width multiplier, where the backbone has one.
        image_size: side of the pictures in pixels; None for any.
        weights: where the backbone starts: `imagenet`, `bundled`, `none`, or the identity of a file.
        weights_path: the file behind that identity, if it is one of a file.
        fine_tune: share of the backbone's layers that learn, counted from the output.
        normalisation: `frozen` keeps the batch statistics the backbone came with, `trainable` renews them.
        dropout: share of the pooled features dropped before the heads.
        seed: of the heads' initial weights and of dropout.

    Returns:
        A functional model from float32 `[n, size, size, 3]` in 0 to 255 to a dictionary: `gender` `[n, 1]`, the
        probability of code 1; `age` `[n, 1]` in standard units, or `[n, 117]`, a distribution over years.

    Raises:
        UserError: if the weights cannot be had.
    """
    keras.utils.set_random_seed(seed)
    base = build_backbone(backbone, width, image_size, weights, weights_path)
    if normalisation == "frozen":
        base = freeze_statistics(base)
    for layer in base.layers[: round(len(base.layers) * (1 - fine_tune))]:  # those nearest to the picture
        layer.trainable = False
    inputs = keras.Input((image_size, image_size, 3), name="picture")
    rescale = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")
    features = base(rescale(inputs) if BACKBONES[backbone].rescale else inputs)
    features = keras.layers.GlobalAveragePooling2D(name="features")(features)
    return keras.Model(inputs, _heads(features, age_head, dropout, seed), name="age_and_gender")


def build_heads(feature_count: int, age_head: AgeHead, *, dropout: float = 0.0, seed: int = 0) -> keras.Model:
    """The heads alone, from pooled features `[n, feature_count]`: what a frozen backbone's training needs."""
    keras.utils.set_random_seed(seed)
    features = keras.Input((feature_count,), name="features")
    return keras.Model(features, _heads(features, age_head, dropout, seed), name="heads")


def copy_heads(source: keras.Model, target: keras.Model) -> None:
    """Copies the weights of both heads from one model to another."""
    for name in ("age", "gender"):
        target.get_layer(name).set_weights(source.get_layer(name).get_weights())


def heads_of(network: keras.Model) -> keras.Model:
    """Both heads of a network as a model of its own, from pooled features; it shares the network's variables."""
    features = keras.Input(network.get_layer("features").output.shape[1:], name="features")
    return keras.Model(features, {name: network.get_layer(name)(features) for name in ("age", "gender")}, name="heads")


def feature_model(network: keras.Model) -> keras.Model:
    """The part of a network that turns pictures into pooled features."""
    return keras.Model(network.inputs, network.get_layer("features").output, name="picture_to_features")


def _heads(features: keras.KerasTensor, age_head: AgeHead, dropout: float, seed: int) -> dict[str, keras.KerasTensor]:
    dropped = Dropout(dropout, seed=seed, name="dropout")(features)
    gender = keras.layers.Dense(1, activation="sigmoid", name="gender")(dropped)
    return {"age": age_head.layer()(dropped), "gender": gender}
