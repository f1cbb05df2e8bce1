"""The colours of a drawn face, all derived from its traits."""

from dataclasses import dataclass

import numpy as np

from .canvas import Colour
from .traits import Traits

_SKIN = ((255, 226, 205), (250, 209, 179), (234, 182, 143), (204, 145, 104), (159, 104, 74), (108, 69, 53))
_HAIR = ((232, 196, 122), (198, 140, 74), (150, 84, 46), (104, 62, 42), (66, 43, 37), (40, 32, 36))
_IRIS = ((62, 36, 26), (98, 58, 34), (138, 92, 50), (104, 128, 84), (78, 136, 168))
_GREY = (217, 217, 222)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour that lies share (0 to 1) of the way from the first to the second."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))


def scaled(colour: Colour, red: float, green: float, blue: float) -> Colour:
    """Return a colour with its three channels multiplied, limited to 0..255."""
    return tuple(min(255, max(0, round(c * f))) for c, f in zip(colour, (red, green, blue), strict=True))


def along(palette: tuple[Colour, ...], position: float) -> Colour:
    """Return the colour at a position from 0 to 1 along a palette."""
    place = min(max(position, 0.0), 1.0) * (len(palette) - 1)
    step = min(int(place), len(palette) - 2)
    return mix(palette[step], palette[step + 1], place - step)


def perceptual(lightness: float, chroma: float, hue: float) -> Colour:
    """Return the colour of an Oklch triple, so that all hues look equally light and vivid.

    Args:
        lightness: 0 to 1.
        chroma: 0 (grey) to about 0.3.
        hue: Radians.
    """
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    return tuple(round(255 * min(max(channel, 0.0), 1.0) ** (1 / 2.2)) for channel in linear)


@dataclass(frozen=True)
class Palette:
    """The colours one face is drawn with, each red, green and blue from 0 to 255."""

    skin: Colour
    skin_shade: Colour
    skin_light: Colour
    line: Colour
    cheek: Colour
    lip: Colour
    hair: Colour
    hair_shade: Colour
    hair_light: Colour
    brow: Colour
    iris: Colour
    clothing: Colour
    clothing_shade: Colour
    clothing_light: Colour
    background: Colour
    background_shade: Colour
    accent: Colour


def palette(traits: Traits) -> Palette:
    """Return the colours of a face."""
    tone = traits.skin_tone
    skin = along(_SKIN, tone)
    skin = scaled(skin, 1.0, 1 + 0.018 * traits.undertone, 1 - 0.045 * traits.undertone)
    natural = along(_HAIR, traits.hair_tone)
    hair = mix(natural, _GREY, traits.grey)
    cheek = mix(skin, (232, 92, 84), 0.5 - 0.12 * tone)
    lip = mix(mix(skin, (196, 88, 80), 0.42), (196, 44, 72), max(0.0, traits.lip_colour - 0.15) * 0.95)
    light = 0.79 + 0.13 * traits.background_light
    cloth = 0.42 + 0.42 * traits.clothing_light
    clothing = perceptual(cloth, 0.115, traits.clothing_hue)
    return Palette(
        skin=skin,
        skin_shade=scaled(skin, 0.87, 0.77, 0.75),
        skin_light=mix(skin, (255, 240, 214), 0.42),
        line=scaled(skin, 0.66, 0.50, 0.46),
        cheek=cheek,
        lip=scaled(lip, 1 - 0.16 * tone, 1 - 0.3 * tone, 1 - 0.25 * tone),
        hair=hair,
        hair_shade=scaled(hair, 0.74, 0.71, 0.74),
        hair_light=mix(hair, (255, 226, 190), 0.26 - 0.08 * traits.hair_tone),
        brow=scaled(mix(natural, _GREY, max(0.0, traits.grey - 0.25)), 0.78, 0.76, 0.76),
        iris=along(_IRIS, traits.iris_tone),
        clothing=clothing,
        clothing_shade=scaled(clothing, 0.8, 0.77, 0.82),
        clothing_light=mix(clothing, (255, 250, 240), 0.6),
        background=perceptual(light, 0.075, traits.background_hue),
        background_shade=perceptual(light - 0.07, 0.085, traits.background_hue + 0.35),
        accent=perceptual(0.66, 0.13, traits.clothing_hue + 2.4),
    )
