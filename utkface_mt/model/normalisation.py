"""Batch normalisation whose statistics stay as they are while its scale and offset learn.

Calling a nested model with `training=False` is not enough: Keras 3 hands the outer model's `training=True` down to
every layer of a functional model, whatever was said when it was built. So the layers themselves are exchanged.
"""

from ..backend import keras


@keras.saving.register_keras_serializable("utkface_mt")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, except that it always normalises with its moving statistics and never renews them.

    It has the name of Keras' own class because `.weights.h5` files name layers by their class: so the weights of
    either fit the other.
    """

    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """Normalises `inputs`; `training` is accepted and ignored."""
        return super().call(inputs, training=False, mask=mask)


def freeze_statistics(model: keras.Model) -> keras.Model:
    """Copies a functional model with frozen normalisation statistics.

    Layers keep names and weights, so that weight files fit both models.

    Args:
        model: a functional model; it is not changed.

    Returns:
        The copy.
    """

    def copy(layer: keras.Layer) -> keras.Layer:
        kind = BatchNormalization if type(layer) is keras.layers.BatchNormalization else type(layer)
        return kind.from_config(layer.get_config())

    frozen = keras.models.clone_model(model, clone_function=copy)
    frozen.set_weights(model.get_weights())
    return frozen
