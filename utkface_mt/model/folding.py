"""Frozen batch normalisation, folded into the convolutions before it: the same numbers, sooner.

While the statistics stay as they are, a normalisation is only a scale and an offset for each channel:
`scale * conv(x, kernel) + offset = conv(x, scale * kernel) + offset`. In the convolution they cost next to nothing,
since the scale touches the few numbers of a kernel instead of every pixel, and so does its gradient; both go on
learning. This is the folding known from inference (Jacob et al., CVPR 2018, section 3.2), done afresh in each step.

The layers have the names and variables of Keras' own classes, since `.weights.h5` files name layers by their class:
weights of either model fit the other. The layers themselves are exchanged because calling a nested model with
`training=False` does not freeze it: Keras 3 hands the outer model's `training=True` down to every layer.
"""

import weakref

from ..util.backend import keras, tf

_register = keras.saving.register_keras_serializable("utkface_mt")


@_register
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, except that it always normalises with its moving statistics and never renews them."""

    folded = False  # whether the layer before does its work; it then hands its input on

    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """Normalises `inputs`, unless that was done before; `training` is accepted and ignored."""
        return inputs if self.folded else super().call(inputs, training=False, mask=mask)

    def scale_and_offset(self) -> tuple[tf.Tensor, tf.Tensor]:
        """What normalising comes to, float32 `[channels]` each: `scale * x + offset`."""
        scale = tf.math.rsqrt(self.moving_variance + self.epsilon)
        if self.scale:
            scale *= self.gamma
        offset = -self.moving_mean * scale
        return scale, offset + self.beta if self.center else offset


class _Folding:
    """A convolution that can take over the normalisation behind it and the padding before it."""

    successor: weakref.ref | None = None  # the normalisation; weak, or Keras would take it for a part of this layer
    pads = False  # whether it also does the work of the padding before it

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Convolves and, with a successor, normalises."""
        if self.successor is None:
            return super().call(inputs)
        scale, offset = self.successor().scale_and_offset()
        if self.use_bias:
            offset += scale * self.bias
        return self._convolve(inputs, scale, offset, "same" if self.pads else self.padding)


@_register
class Conv2D(_Folding, keras.layers.Conv2D):
    """Keras' layer with folding; 1 x 1 convolutions are matrix products, whose gradients are faster on processors."""

    def _convolve(self, inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, padding: str) -> tf.Tensor:
        kernel = self.kernel * scale
        if self.kernel_size != (1, 1) or self.strides != (1, 1) or self.groups != 1:
            outputs = keras.ops.conv(inputs, kernel, self.strides, padding, self.data_format, self.dilation_rate)
            return tf.nn.bias_add(outputs, offset)
        shape, channels = tf.shape(inputs), inputs.shape[-1]
        product = tf.reshape(inputs, (-1, channels)) @ tf.reshape(kernel, (channels, self.filters))
        outputs = tf.reshape(tf.nn.bias_add(product, offset), (*tf.unstack(shape[:3]), self.filters))
        return tf.ensure_shape(outputs, (*inputs.shape[:3], self.filters))


@_register
class DepthwiseConv2D(_Folding, keras.layers.DepthwiseConv2D):
    """Keras' layer with folding."""

    def _convolve(self, inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, padding: str) -> tf.Tensor:
        kernel = self.kernel * tf.reshape(scale, self.kernel.shape[2:])
        outputs = keras.ops.depthwise_conv(inputs, kernel, self.strides, padding, self.data_format, self.dilation_rate)
        return tf.nn.bias_add(outputs, offset)


@_register
class ZeroPadding2D(keras.layers.ZeroPadding2D):
    """Keras' layer, except that it does nothing where the convolution behind it pads by itself."""

    folded = False  # whether it does

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Pads `inputs`, unless the next layer does."""
        return inputs if self.folded else super().call(inputs)


_EXCHANGED = {kind.__bases__[-1]: kind for kind in (BatchNormalization, Conv2D, DepthwiseConv2D, ZeroPadding2D)}


def freeze_statistics(model: keras.Model) -> keras.Model:
    """Copies a functional model with frozen statistics, folded into the convolutions where they can be.

    Layers keep names and weights, so that weight files fit both models. `model` itself is not changed.
    """

    def copy(layer: keras.Layer) -> keras.Layer:
        return _EXCHANGED.get(type(layer), type(layer)).from_config(layer.get_config())

    frozen = keras.models.clone_model(model, clone_function=copy)
    frozen.set_weights(model.get_weights())
    neighbours = _only_neighbours(frozen)
    for before, after in neighbours:
        if isinstance(before, _Folding) and isinstance(after, BatchNormalization):
            linear = before.activation is keras.activations.linear
            if linear and before.data_format == "channels_last" and after.axis in (-1, 3):
                before.successor, after.folded = weakref.ref(after), True
    for before, after in neighbours:
        if isinstance(before, ZeroPadding2D) and isinstance(after, _Folding) and after.successor is not None:
            sides = zip(before.input.shape[1:3], after.kernel_size, after.strides, before.padding, strict=True)
            if after.padding == "valid" and all(_is_same_padding(*side) for side in sides):
                after.pads = before.folded = True
    return frozen


def _only_neighbours(model: keras.Model) -> list[tuple[keras.Layer, keras.Layer]]:
    """All pairs of layers in which the second alone uses what the first gives, and uses nothing else."""
    users: dict[int, list[keras.Layer | None]] = {id(tensor): [None] for tensor in keras.tree.flatten(model.output)}
    for layer in model.layers:
        for tensor in keras.tree.flatten(layer.input):
            users.setdefault(id(tensor), []).append(layer)
    pairs = [(layer, users.get(id(layer.output), [])) for layer in model.layers]
    return [
        (layer, after[0]) for layer, after in pairs if len(after) == 1 and after[0] and after[0].input is layer.output
    ]


def _is_same_padding(size: int | None, kernel: int, stride: int, added: tuple[int, int]) -> bool:
    """Whether `added` is what `same` adds before and after `size` pixels.

    A size that is not fixed is a multiple of the stride: networks for pictures of several sizes take only such sizes.
    """
    size = size or stride * kernel
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return added == (total // 2, total - total // 2)
