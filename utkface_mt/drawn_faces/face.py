"""Cartoon faces with the labels of UTKFace: age, gender and race code.

`sample_traits` draws the traits of a face given its labels, and `draw_face` turns traits into a picture. The race code
only shifts the distributions of skin tone and hair colour, with broad overlaps between the codes, never a facial
feature. `nuisance_targets` lists the traits that have nothing to do with age and gender.
"""

import numpy as np
from PIL import Image

from .canvas import Canvas
from .colours import palette
from .features import draw_age_lines, draw_beard, draw_brows, draw_eyes, draw_glasses, draw_mouth, draw_nose
from .hair import draw_back_hair, draw_front_hair, draw_hat
from .head import draw_body, draw_ears, draw_head, geometry
from .scene import draw_background, finished
from .traits import PATTERNS, Traits


def draw_face(traits: Traits) -> Image.Image:
    """Draw a face.

    Args:
        traits: What the face looks like, from `sample_traits`.

    Returns:
        An RGB picture of 200 x 200 pixels. The same traits give the same picture.
    """
    colours, face = palette(traits), geometry(traits)
    image = draw_background(traits, colours)
    canvas = Canvas(image, traits.roll, traits.scale, (traits.shift_x, traits.shift_y))
    upright = Canvas(image, traits.roll * 0.3, traits.scale, (traits.shift_x, traits.shift_y))
    draw_back_hair(canvas, traits, face, colours)
    draw_body(upright, traits, face, colours)
    draw_ears(canvas, traits, face, colours)
    head = draw_head(canvas, traits, face, colours)
    draw_age_lines(canvas, traits, face, colours)
    draw_beard(canvas, traits, face, colours, head)
    draw_nose(canvas, traits, face, colours, head)
    draw_mouth(canvas, traits, face, colours)
    draw_eyes(canvas, traits, face, colours)
    draw_front_hair(canvas, traits, face, colours, head)
    draw_brows(canvas, traits, face, colours)
    draw_glasses(canvas, traits, face, colours)
    draw_hat(canvas, traits, face, colours)
    return finished(image, traits)


def nuisance_targets(traits: Traits) -> np.ndarray:
    """Return the traits that carry neither age nor gender, scaled for a regression.

    Args:
        traits: What the face looks like.

    Returns:
        A float32 vector `[29]`, each value from -1 to 1; truths are -1 or 1.
    """
    truths = (traits.striped, traits.glasses != "none", traits.hat != "none")
    strength = traits.light_strength
    values = [
        traits.roll / 12,
        traits.yaw,
        traits.shift_x / 9,
        traits.shift_y / 6,
        (traits.scale - 1.1) / 0.11,
        (traits.smile - 0.35) / 0.65,
        2 * traits.mouth_open - 1,
        traits.gaze_x,
        traits.gaze_y,
        np.sin(traits.light_angle) * strength,
        np.cos(traits.light_angle) * strength,
        np.sin(traits.background_hue),
        np.cos(traits.background_hue),
        2 * traits.background_light - 1,
        np.sin(traits.clothing_hue),
        np.cos(traits.clothing_hue),
        2 * traits.clothing_light - 1,
        *(1 if truth else -1 for truth in truths),
        2 * traits.curl - 1,
        traits.parting,
        1 if traits.fringe else -1,
        *(1 if traits.pattern == name else -1 for name in PATTERNS),
    ]
    return np.array(values, dtype=np.float32)


def appearance_targets(traits: Traits) -> np.ndarray:
    """Return colours and shapes of a face, scaled for a regression; some go along with age or gender.

    Args:
        traits: What the face looks like.

    Returns:
        A float32 vector `[6]`, each value from about -1 to 1.
    """
    ranges = {"skin_tone": (0, 1), "undertone": (-1, 1), "hair_tone": (0, 1), "iris_tone": (0, 1)}
    ranges |= {"eye_size": (0.85, 1.2), "brow_thickness": (0, 1)}
    values = [2 * (getattr(traits, name) - low) / (high - low) - 1 for name, (low, high) in ranges.items()]
    return np.array(values, dtype=np.float32)
