"""The proportions of a drawn face, and its head, ears, neck and clothing."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops

from .canvas import OVERSAMPLE, SIZE, Canvas, mirrored, oval, smooth
from .colours import Palette, mix
from .traits import Traits


@dataclass(frozen=True)
class Geometry:
    """Where the parts of a face are, in face coordinates.

    Attributes:
        width: Half width of the head at the cheekbones.
        top: Distance of the crown above the origin.
        chin: Distance of the chin below the origin.
        jaw: Half width of the head at the corners of the jaw.
        eye_x: Distance of the eyes from the middle.
        eye_y: Height of the eyes.
        eye_width: Half width of an eye.
        eye_height: Half height of an eye.
        nose_y: Height of the tip of the nose.
        mouth_y: Height of the mouth.
        neck: Half width of the neck.
        yaw: Turn of the head, -1 to 1.
        outline: [n, 2] points of the outline of the head.
    """

    width: float
    top: float
    chin: float
    jaw: float
    eye_x: float
    eye_y: float
    eye_width: float
    eye_height: float
    nose_y: float
    mouth_y: float
    neck: float
    yaw: float
    outline: np.ndarray

    def turned(self, x: float, depth: float) -> float:
        """Return where a point at x appears when it lies depth units before the axis of the turning head."""
        return x * (1 - 0.10 * self.yaw * np.sign(x)) + self.yaw * depth


def geometry(traits: Traits) -> Geometry:
    """Return the proportions of a face: from a round baby with low eyes to a long adult face."""

    def grown(baby: float, adult: float) -> float:
        return baby + (adult - baby) * traits.growth

    width = grown(50, 44) * traits.face_width
    chin = grown(42, 56.5) * traits.face_height
    jaw = width * (grown(0.92, 0.80) + 0.075 * traits.jaw + 0.06 * traits.sag)
    eye_y = grown(9, -3)
    mouth_y = chin - grown(13, 19.5)
    top = grown(59, 60)
    right = [
        (0, -top),
        (0.56 * width, -0.90 * top),
        (0.91 * width, -0.55 * top),
        (width, -0.10 * top),
        (0.975 * width, 0.24 * chin),
        (jaw, 0.64 * chin + 4 * traits.sag),
        (grown(0.54, 0.46) * width * (1 + 0.16 * traits.jaw), chin * (0.925 + 0.015 * traits.jaw)),
        (0, chin),
    ]
    outline = smooth(mirrored(right))
    outline[:, 0] += traits.yaw * 2.2 * (outline[:, 1] > -20)
    return Geometry(
        width=width,
        top=top,
        chin=chin,
        jaw=jaw,
        eye_x=width * grown(0.47, 0.44),
        eye_y=eye_y,
        eye_width=grown(10.4, 9.6) * traits.eye_size,
        eye_height=grown(8.0, 5.7) * traits.eye_size,
        nose_y=eye_y + (mouth_y - eye_y) * grown(0.52, 0.62),
        mouth_y=mouth_y,
        neck=width * (grown(0.40, 0.52) + 0.05 * traits.jaw),
        yaw=traits.yaw,
        outline=outline,
    )


def light_ramp(traits: Traits, size: int) -> Image.Image:
    """Return a square grey picture that rises from 0 in the light to 255 in the shade."""
    position = np.linspace(-1, 1, size, dtype=np.float32)
    ramp = 0.5 - 0.5 * (position[None, :] * np.cos(traits.light_angle) - position[:, None] * np.sin(traits.light_angle))
    return Image.fromarray((ramp.clip(0, 1) * 255).astype(np.uint8))


def draw_body(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw neck, shoulders and clothing."""
    chin, neck, growth = face.chin, face.neck, traits.growth
    throat = [
        (-neck, 0.4 * chin),
        (neck, 0.4 * chin),
        (neck * 1.04, chin + 18),
        (0, chin + 40),
        (-neck * 1.04, chin + 18),
    ]
    canvas.fill(throat, colours.skin)
    clip = canvas.mask(throat)
    canvas.fill(face.outline * (0.96, 1) + (face.yaw * 2, 9), colours.skin_shade, 0.9, clip)
    reach = 58 + 16 * growth + 6 * traits.jaw * growth
    slope = chin + 15
    shoulders = [
        (0, slope + 2),
        (neck * 1.05, slope - 5),
        (neck + 12, slope + 3),
        (reach - 4, slope + 15),
        (reach + 10, slope + 36),
        (reach + 14, 140),
        (0, 150),
    ]
    body = smooth(mirrored(shoulders))
    canvas.fill(body, colours.clothing)
    clip = canvas.mask(body)
    if traits.striped:
        for step in range(5):
            y = slope + 12 + 13 * step
            bow = [(-90, y + 9), (0, y + 3), (90, y + 9), (90, y + 14), (0, y + 8), (-90, y + 14)]
            canvas.fill(bow, colours.clothing_light, 0.85, clip)
    canvas.glow(-70 * np.cos(traits.light_angle), slope + 40, (70, 50), colours.clothing_shade, 0.7, clip)
    _draw_collar(canvas, traits, face, colours)


def _draw_collar(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw the neckline of the clothing."""
    y, neck = face.chin + 10, face.neck
    if traits.collar == "crew":
        opening = smooth([(-neck - 5, y - 2), (0, y + 13), (neck + 5, y - 2), (0, y + 3)])
        canvas.fill(opening, colours.skin_shade)
        canvas.stroke([(-neck - 6, y - 2), (-neck * 0.6, y + 8), (0, y + 12), (neck * 0.6, y + 8), (neck + 6, y - 2)],
                      4.5, colours.clothing_shade, taper=0.2)  # fmt: skip
    elif traits.collar == "v_neck":
        canvas.fill([(-neck - 4, y - 4), (0, y + 34), (neck + 4, y - 4), (0, y)], colours.skin)
        canvas.fill([(-neck - 2, y - 4), (0, y + 14), (neck + 2, y - 4)], colours.skin_shade, 0.7)
        for side in (-1, 1):
            canvas.stroke([(side * (neck + 5), y - 4), (0, y + 35)], 4, colours.clothing_shade, taper=0.1, sharp=True)
    elif traits.collar == "shirt":
        canvas.fill([(-neck, y - 3), (0, y + 26), (neck, y - 3)], colours.skin_shade)
        for side in (-1, 1):
            wing = [(side * (neck + 5), y - 9), (side * (neck + 11), y + 9), (side * 10, y + 27), (0, y + 15)]
            canvas.fill(wing, colours.clothing_light)
            canvas.stroke([wing[1], wing[2], wing[3]], 1.4, colours.clothing_shade, 0.8, 0.2, sharp=True)
    elif traits.collar == "turtleneck":
        roll = [(-neck - 3, y - 10), (0, y - 5), (neck + 3, y - 10), (neck + 6, y + 8), (0, y + 16), (-neck - 6, y + 8)]
        canvas.fill(smooth(roll), colours.clothing)
        canvas.stroke([roll[5], (0, y + 15), roll[3]], 2.2, colours.clothing_shade, 0.9, 0.6)
        canvas.stroke([roll[0], (0, y - 4), roll[2]], 1.6, colours.clothing_light, 0.8, 0.6)
    else:
        for side in (-1, 1):
            hood = [
                (side * (neck - 3), y - 10),
                (side * (neck + 17), y - 6),
                (side * (neck + 14), y + 14),
                (side * 3, y + 24),
            ]
            canvas.fill(smooth(hood), mix(colours.clothing, colours.clothing_shade, 0.75))
            canvas.stroke([(side * 7, y + 20), (side * 8, y + 30), (side * 7, y + 40)], 2.2, colours.clothing_light)


def draw_ears(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw both ears unless hair hides them; the one on the far side of a turned head is narrower."""
    if traits.covers_ears:
        return
    middle = (face.eye_y + face.nose_y) / 2 + 1
    height = (10.5 + 1.5 * traits.growth) * traits.ear_size
    for side in (-1, 1):
        x = side * (face.width + 0.5) - 2.5 * face.yaw
        width = 7.2 * traits.ear_size * (1 - 0.35 * side * face.yaw)
        canvas.fill(oval(x, middle, width, height), colours.skin)
        canvas.fill(oval(x + side * 1.0, middle, width * 0.55, height * 0.62), colours.skin_shade, 0.8)
        if traits.earrings:
            canvas.fill(oval(x + side * 2, middle + height + 1.5, 2.7, 2.7), (246, 205, 92))
            canvas.fill(oval(x + side * 2 - 0.7, middle + height + 0.7, 0.9, 0.9), (255, 246, 214))


def draw_head(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> Image.Image:
    """Draw the bare head with soft shading and rosy cheeks.

    Returns:
        The mask of the head.
    """
    canvas.fill(face.outline, colours.skin)
    mask = canvas.mask(face.outline)
    ramp = light_ramp(traits, SIZE * OVERSAMPLE // 4).resize(mask.size, Image.Resampling.BILINEAR)
    strength = traits.light_strength
    shade = ramp.point([min(255, round(max(0, value - 118) * 2.2 * strength)) for value in range(256)])
    light = ramp.point([round(max(0, 128 - value) * 1.5 * strength) for value in range(256)])
    canvas.image.paste(colours.skin_shade, (0, 0), ImageChops.multiply(shade, mask))
    canvas.image.paste(colours.skin_light, (0, 0), ImageChops.multiply(light, mask))
    cheek_y = face.nose_y + 6 - 2 * traits.growth
    for side in (-1, 1):
        x = face.turned(side * face.width * 0.62, 5)
        canvas.glow(x, cheek_y, (17, 13), colours.cheek, 0.9 - 0.3 * traits.growth, mask)
    return mask
