"""Changes to training pictures, made from given uniform draws: the same draws give the same picture.

The draws come from `utkface_mt.data.batches.epoch_draws`, a function of (seed, epoch, index); nothing here is random.
All of a picture's shifts and turns are one projective transform, so it is resampled once.
"""

import math
from dataclasses import dataclass, replace

from ..util.backend import tf
from .batches import Augment


@dataclass(frozen=True)
class Strength:
    """How far each change may go."""

    turn: float  # degrees either way
    shift: float  # share of the side either way
    zoom: float  # share by which the face grows or shrinks
    brightness: float  # grey levels either way
    contrast: float  # factor between `1 - contrast` and `1 + contrast`
    saturation: float  # the same for colour against grey
    erase: float  # probability that a rectangle is painted over
    grey: float = 0.0  # probability that a picture loses its colour
    few: float = 0.0  # probability that each colour keeps 4 to 32 steps only, as with a palette
    small: float = 0.0  # probability that it loses detail, as if it had been two to four times as small


STRENGTHS = {
    "standard": Strength(turn=10, shift=0.05, zoom=0.1, brightness=25, contrast=0.2, saturation=0.2, erase=0.0),
    "strong": Strength(turn=15, shift=0.08, zoom=0.15, brightness=40, contrast=0.35, saturation=0.5, erase=0.5),
}
STRENGTHS["worn"] = replace(STRENGTHS["strong"], grey=0.15, few=0.2, small=0.3)


def get_augment(name: str) -> Augment | None:
    """The function for an experiment's `augment`, or None for `none`."""
    return None if name == "none" else lambda pictures, draws: augment_pictures(pictures, draws, STRENGTHS[name])


def augment_pictures(pictures: tf.Tensor, draws: tf.Tensor, strength: Strength) -> tf.Tensor:
    """Flips, turns, shifts, zooms, recolours, wears and erases pictures, float32 `[n, size, size, 3]` in 0 to 255.

    The draws are uniform in 0 to 1, float32 `[n, AUGMENT_DRAWS]`.
    """
    pictures = _recolour(_move(pictures, draws, strength), draws, strength)
    pictures = _wear(pictures, draws, strength) if strength.grey or strength.few or strength.small else pictures
    return _erase(pictures, draws, strength) if strength.erase else pictures


def _move(pictures: tf.Tensor, draws: tf.Tensor, strength: Strength) -> tf.Tensor:
    """Mirror, turn, zoom and shift as one transform about the centre; what comes into view is black."""
    size, signed = pictures.shape[1], 2 * draws - 1
    angle = signed[:, 0] * strength.turn * math.pi / 180
    scale = 1 / (1 + signed[:, 1] * strength.zoom)
    mirror = tf.where(draws[:, 2] < 0.5, -1.0, 1.0)
    shift_x, shift_y = (signed[:, column] * strength.shift * size for column in (3, 4))
    cosine, sine, centre = scale * tf.cos(angle), scale * tf.sin(angle), (size - 1) / 2
    a, b, d, e = mirror * cosine, -mirror * sine, sine, cosine
    c = centre - a * (centre + shift_x) - b * (centre + shift_y)
    f = centre - d * (centre + shift_x) - e * (centre + shift_y)
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=tf.stack([a, b, c, d, e, f, zero, zero], axis=1),
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _recolour(pictures: tf.Tensor, draws: tf.Tensor, strength: Strength) -> tf.Tensor:
    """Saturation, contrast and brightness as one affine map of the colours of each picture."""
    signed = (2 * draws - 1)[:, :, None, None, None]
    grey = tf.reduce_mean(pictures, axis=3, keepdims=True)
    pictures = grey + (pictures - grey) * (1 + signed[:, 5] * strength.saturation)
    middle = tf.reduce_mean(grey, axis=[1, 2], keepdims=True)
    pictures = middle + (pictures - middle) * (1 + signed[:, 6] * strength.contrast)
    pictures += signed[:, 7] * strength.brightness
    return tf.clip_by_value(pictures, 0.0, 255.0)


def _wear(pictures: tf.Tensor, draws: tf.Tensor, strength: Strength) -> tf.Tensor:
    """Takes colour, colours and detail from some pictures, as files do that are saved in grey, with a palette, small.

    Colours are dithered, more or less, with interleaved gradient noise (Jimenez, SIGGRAPH 2014).
    """
    size, parts = pictures.shape[1], [draws[:, column, None, None, None] for column in range(14, 20)]
    grey, few, levels, dither, phase, small = parts
    colourless = tf.repeat(tf.image.rgb_to_grayscale(pictures), 3, axis=3)
    pictures = tf.where(grey < strength.grey, colourless, pictures)
    step, along = 255 / 4 ** (1 + 1.5 * levels), tf.range(size, dtype=tf.float32)
    place = 0.06711056 * along[:, None, None] + 0.00583715 * along[:, None] + tf.range(3, dtype=tf.float32) / 3 + phase
    noise = 52.9829189 * (place - tf.floor(place))
    limited = step * tf.round(pictures / step + dither * (noise - tf.floor(noise) - 0.5))
    pictures = tf.where(few < strength.few, tf.clip_by_value(limited, 0.0, 255.0), pictures)
    for times in (2, 3, 4):  # a third of the small ones each
        chosen = (small >= (times - 2) / 3 * strength.small) & (small < (times - 1) / 3 * strength.small)
        shrunk = tf.image.resize(pictures, (size // times, size // times), tf.image.ResizeMethod.AREA)
        pictures = tf.where(chosen, tf.image.resize(shrunk, (size, size)), pictures)
    return pictures


def _erase(pictures: tf.Tensor, draws: tf.Tensor, strength: Strength) -> tf.Tensor:
    """Paints a grey rectangle of 15 to 45 % of each side over some pictures (Zhong et al., AAAI 2020)."""
    size = pictures.shape[1]
    height, width = (size * (0.15 + 0.3 * draws[:, column]) for column in (8, 9))
    top, left = draws[:, 10] * (size - height), draws[:, 11] * (size - width)
    along = tf.range(size, dtype=tf.float32)[None, :]
    rows = (along >= top[:, None]) & (along < (top + height)[:, None])
    columns = (along >= left[:, None]) & (along < (left + width)[:, None])
    chosen = (draws[:, 12] < strength.erase)[:, None, None]
    covered = rows[:, :, None] & columns[:, None, :] & chosen
    return tf.where(covered[..., None], (255 * draws[:, 13])[:, None, None, None], pictures)
