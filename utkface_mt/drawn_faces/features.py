"""The features of a drawn face: eyes, brows, nose, mouth, beard, the lines of age, and glasses."""

import numpy as np
from PIL import Image

from .canvas import Canvas, mirrored, moved, oval, smooth
from .colours import Palette, mix, scaled
from .head import Geometry
from .traits import Traits

_DARK = (44, 30, 34)


def draw_eyes(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw both eyes with iris, pupil, highlight, lids and lashes."""
    for side in (-1, 1):
        x = face.turned(side * face.eye_x, 5)
        width = face.eye_width * (1 - 0.10 * side * face.yaw)
        height = face.eye_height * (1 - 0.30 * traits.sag - 0.12 * max(0.0, traits.smile - 0.4))
        outer = -0.22 * traits.eye_tilt * height + 0.5 * traits.sag * height
        place = np.array([x, face.eye_y])
        shape = np.array([side * width, height])
        almond = [
            (-1, 0.22),
            (-0.5, -0.8),
            (0.05, -1),
            (0.62, -0.66),
            (1, 0),
            (0.55, 0.74),
            (-0.05, 0.92),
            (-0.62, 0.7),
        ]
        almond = np.array(almond) * shape + place
        almond[3:6, 1] += np.array([0.5, 1, 0.5]) * outer
        _draw_eye(canvas, traits, face, colours, smooth(almond), place)
        _draw_lids(canvas, traits, colours, almond, side, height)


def _draw_eye(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette, outline, place) -> None:
    """Draw eyeball, iris, pupil and highlight inside the outline of an eye."""
    canvas.fill(outline, (253, 251, 248))
    clip = canvas.mask(outline)
    size = face.eye_height * (0.93 + 0.04 * (1 - traits.growth))
    x = place[0] + traits.gaze_x * face.eye_width * 0.34
    y = place[1] - 0.2 + traits.gaze_y * face.eye_height * 0.22
    canvas.fill(moved(outline, 0, -face.eye_height * 1.62), scaled(colours.skin_shade, 0.8, 0.8, 0.85), 0.35, clip)
    canvas.fill(oval(x, y, size, size), scaled(colours.iris, 0.62, 0.62, 0.62), 1, clip)
    canvas.fill(oval(x, y + 0.2, size * 0.84, size * 0.84), colours.iris, 1, clip)
    canvas.fill(oval(x, y + size * 0.42, size * 0.52, size * 0.36), mix(colours.iris, (255, 236, 190), 0.4), 0.7, clip)
    canvas.fill(oval(x, y, size * 0.5, size * 0.5), (26, 18, 22), 1, clip)
    tilt = 0.36 * np.cos(traits.light_angle)
    canvas.fill(oval(x + size * tilt, y - size * 0.38, size * 0.27, size * 0.27), (255, 255, 255), 0.95, clip)
    canvas.fill(oval(x - size * tilt, y + size * 0.42, size * 0.13, size * 0.13), (255, 255, 255), 0.7, clip)


def _draw_lids(canvas: Canvas, traits: Traits, colours: Palette, almond, side: int, height: float) -> None:
    """Draw the upper lash line, lashes, the crease of the lid and a faint lower lid."""
    upper, lashes = almond[:5], traits.lashes
    dark = mix(_DARK, colours.line, 0.45 * (1 - lashes))
    canvas.stroke(upper, 1.5 + 1.3 * lashes, dark, 0.95, 0.55)
    if lashes > 0.5:
        reach = 5.0 * (lashes - 0.2)
        for point, (dx, dy) in zip(almond[[4, 3]], ((1, -0.75), (0.62, -1)), strict=True):
            canvas.stroke(
                [moved(point, -side, 0), moved(point, side * dx * reach, dy * reach)], 1.7, dark, 0.95, 0.7, sharp=True
            )
    crease = upper * (1, 1) + [(side, -2.2), (0, -3), (0, -3.2), (0, -3), (side * -0.5, -2.4)]
    canvas.stroke(crease, 1.0 + 0.8 * traits.sag, colours.line, 0.35 + 0.3 * traits.sag, 0.7)
    canvas.stroke(almond[[4, 5, 6, 7]], 0.9, colours.line, 0.5, 0.7)


def draw_brows(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw both brows, arched for fine brows and straighter for bushy ones."""
    thickness = (1.7 + 3.9 * traits.brow_thickness) * (0.62 + 0.38 * traits.growth)
    lift = 8.2 + 1.4 * traits.growth + 1.2 * (traits.smile - 0.3) - 1.5 * traits.sag
    arch = 3.2 - 1.8 * traits.brow_thickness
    reach = face.eye_width * 1.22
    for side in (-1, 1):
        x = face.turned(side * face.eye_x, 6)
        y = face.eye_y - face.eye_height - lift + 4
        outer = 1.6 - 1.6 * traits.eye_tilt * 0.5
        curve = [(-0.95, 0.4), (-0.3, -0.75 * arch), (0.35, -arch), (1.08, outer)]
        points = [(x + side * dx * reach, y + dy) for dx, dy in curve]
        canvas.stroke(points, thickness, colours.brow, 0.55 + 0.4 * traits.growth, 0.72)


def draw_nose(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette, head: Image.Image) -> None:
    """Draw the nose: a soft shade on one side, a light tip and a curve below."""
    size = (3.6 + 2.6 * traits.growth) * traits.nose_size
    x, y = face.turned(0, 9), face.nose_y
    away = -1 if np.cos(traits.light_angle) > 0 else 1
    root = face.turned(0, 5)
    bridge = [
        (root + away * 2.4, face.eye_y + 1),
        (x + away * size * 0.75, y - 2),
        (x + away * size, y + 1),
        (x, y + 2),
    ]
    canvas.fill(smooth(bridge), colours.skin_shade, 0.25 + 0.5 * traits.growth, head)
    canvas.glow(x - away * 0.5, y - size * 0.3, (size * 0.9, size * 0.9), colours.skin_light, 0.9, head)
    curve = [
        (x - size, y - 0.4),
        (x - 0.62 * size, y + 1.9),
        (x, y + 2.7),
        (x + 0.62 * size, y + 1.9),
        (x + size, y - 0.4),
    ]
    canvas.stroke(curve, 1.3 + 0.9 * traits.growth, colours.line, 0.85, 0.8)


def draw_mouth(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw the mouth, closed or open, with both lips."""
    half = (9.6 + 3.4 * traits.growth) * (1 + 0.20 * traits.smile)
    x, y, gape = face.turned(0, 6.5), face.mouth_y, 6.5 * traits.mouth_open
    lift = 6.2 * traits.smile
    place, full = np.array([x, y]), (0.75 + 0.25 * traits.growth) * traits.lip_fullness
    left, right = (-half, -lift), (half, -lift)
    seam = np.array([left, (-0.5 * half, -0.12 * lift), (0, 0.3 * lift), (0.5 * half, -0.12 * lift), right])
    above = 1.0 + 4.2 * full
    below = 1.4 + 6.0 * full
    bottom = seam + np.array([(0, 0), (0, 0.7), (0, 1), (0, 0.7), (0, 0)]) * (0, gape)
    upper = [left, (-0.42 * half, -0.3 * lift - above), (0, -above * 0.62), (0.42 * half, -0.3 * lift - above), right]
    lower = bottom + np.array([(0, 0), (0, 0.72), (0, 1), (0, 0.72), (0, 0)]) * (0, below)
    tint = 0.5 + 0.5 * min(1.0, traits.lip_colour * 1.6)
    outline = np.concatenate([smooth(upper, False), smooth(lower, False)[::-1]]) + place
    canvas.fill(outline, colours.lip, tint)
    canvas.stroke(
        lower[1:4] * (0.5, 1) + (x, y - below * 0.45), 1.3, mix(colours.lip, (255, 235, 225), 0.5), 0.5 * tint, 1
    )
    if gape > 0.8:
        opening = np.concatenate([smooth(seam, False), smooth(bottom, False)[::-1]]) + place
        canvas.fill(opening, (112, 36, 44))
        clip = canvas.mask(opening)
        canvas.fill(oval(x, y + gape + 0.3 * lift + 0.5, half * 0.5, gape * 0.5), (222, 106, 104), 1, clip)
        teeth = smooth(seam * (1, 1) + (0, -4 + min(3.4, 0.55 * gape)), False)
        canvas.fill(np.concatenate([teeth, [(half, -12), (-half, -12)]]) + place, (255, 252, 246), 1, clip)
    else:
        canvas.stroke(seam + place, 1.7, scaled(colours.line, 0.85, 0.72, 0.74), 0.95, 0.75)
    for corner, side in ((left, -1), (right, 1)):
        dimple = np.array([(-0.7 * side, 0.8), (1.6 * side, -1.0)]) + corner + place
        canvas.stroke(dimple, 1.4, colours.line, 0.7, 0.6, sharp=True)


def draw_beard(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette, head: Image.Image) -> None:
    """Draw stubble, moustache, goatee or full beard."""
    kind, x, mouth = traits.beard, face.turned(0, 6.5), face.mouth_y
    colour, alpha = mix(colours.hair, colours.hair_shade, 0.45), 0.96
    if kind in ("stubble", "full"):
        alpha = 0.22 if kind == "stubble" else 0.96
        drop = 0 if kind == "stubble" else 7
        side = [(face.width + 2, face.nose_y - 14), (face.width + 1, 0.4 * face.chin), (face.jaw + 2, 0.66 * face.chin)]
        side += [(0.56 * face.width, face.chin + drop * 0.3), (0, face.chin + drop)]
        inner = [(0, mouth - 9), (13, mouth - 7.5), (19, mouth - 1), (0.66 * face.width, mouth - 6)]
        inner += [(0.90 * face.width, face.nose_y - 10)]
        half = smooth(inner + side[0:], False)
        outline = moved(np.concatenate([half, half[::-1] * (-1, 1)]), face.yaw * 2.5, 0)
        canvas.fill(outline, colour, alpha, head if kind == "stubble" else None)
        if kind == "full":
            for step in (-14, -5, 5, 14):
                top = (x + step, mouth + 13 - abs(step) * 0.3)
                canvas.stroke(
                    [top, (x * 0.6 + step * 1.02, face.chin + 2 - abs(step) * 0.2)],
                    1.2,
                    colours.hair_light,
                    0.35,
                    1,
                    True,
                )
    if kind == "goatee":
        y, low = mouth + 9, face.chin
        chin = [(-8, y), (0, y - 1.5), (8, y), (11, low - 3), (6, low + 3), (0, low + 5), (-6, low + 3), (-11, low - 3)]
        canvas.fill(smooth(moved(chin, x * 0.7, 0)), colour, alpha)
    if kind in ("moustache", "goatee", "full"):
        wing = [
            (0, mouth - 8.5),
            (8, mouth - 8.2),
            (15, mouth - 3.2),
            (18, mouth + 0.5 - 3 * traits.smile),
            (8, mouth - 3),
            (0, mouth - 4),
        ]
        canvas.fill(moved(smooth(mirrored(wing)), x, 0), colours.hair, alpha)


def draw_age_lines(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw the lines of age, each as deep as its trait says."""
    line = colours.line
    shift = face.yaw * 4
    for step in range(3):
        depth = traits.forehead_lines * 1.5 - 0.25 * step
        if depth > 0.05:
            y, reach = face.eye_y - 25 - 6.0 * step, 20 - 3 * step
            curve = [
                (shift - reach, y + 1.2),
                (shift - 0.4 * reach, y - 0.8),
                (shift + 0.4 * reach, y - 0.8),
                (shift + reach, y + 1.2),
            ]
            canvas.stroke(curve, 1.5, line, min(0.6, 0.5 * depth), 1)
    for side in (-1, 1):
        _draw_eye_lines(canvas, traits, face, colours, side)
        _draw_mouth_lines(canvas, traits, face, colours, side)


def _draw_eye_lines(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette, side: int) -> None:
    """Draw the lines beside one eye and the bag under it."""
    eye = face.turned(side * face.eye_x, 5)
    corner = eye + side * (face.eye_width + 2.2)
    for tilt in (-3.6, 0.2, 4.0):
        tip = (corner + side * (2.5 + 4.5 * traits.crows_feet), face.eye_y + 1.6 * tilt)
        canvas.stroke([(corner, face.eye_y + 0.4 * tilt), tip], 1.3, colours.line, 0.65 * traits.crows_feet, 0.8, True)
    y = face.eye_y + face.eye_height + 3.2
    bag = [
        (eye - side * 7.5, y - 1.6),
        (eye - side * 2, y + 2.2),
        (eye + side * 4, y + 1.8),
        (eye + side * 8, y - 1.8),
    ]
    canvas.stroke(bag, 1.3 + 1.4 * traits.eye_bags, colours.line, 0.55 * traits.eye_bags, 0.9)


def _draw_mouth_lines(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette, side: int) -> None:
    """Draw the fold between nose and mouth, and the line of a sagging jaw, on one side."""
    x = face.turned(0, 7)
    reach = traits.folds * (face.mouth_y + 3 - face.nose_y)
    fold = [
        (x + side * 8.5, face.nose_y - 1),
        (x + side * 13.5, face.nose_y + 0.45 * reach),
        (x + side * 16.5, face.nose_y + 2 + reach),
    ]
    canvas.stroke(fold, 1.2 + 0.8 * traits.folds, colours.line, 0.68 * traits.folds, 0.8)
    jowl = [
        (x + side * 15, face.mouth_y + 5),
        (x + side * 17, face.mouth_y + 10),
        (x + side * 14, face.mouth_y + 15),
    ]
    canvas.stroke(jowl, 1.6, colours.line, 0.4 * traits.sag, 0.9)


def draw_glasses(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw round or square glasses in a dark or coloured frame."""
    if traits.glasses == "none":
        return
    frame = mix((48, 42, 54), colours.accent, 0.55 if traits.clothing_light > 0.5 else 0.0)
    width, height, y = face.eye_width + 5.0, face.eye_width + 3.2, face.eye_y + 1.5
    inner = []
    for side in (-1, 1):
        x = face.turned(side * face.eye_x, 6)
        wide = width * (1 - 0.08 * side * face.yaw)
        lens = oval(x, y, wide, height)
        if traits.glasses == "square":
            corners = [
                (-1, -0.75),
                (-0.85, -0.9),
                (0.85, -0.9),
                (1, -0.75),
                (0.9, 0.7),
                (0.7, 0.88),
                (-0.7, 0.88),
                (-0.9, 0.7),
            ]
            lens = np.array(corners) * (wide, height * 0.92) + (x, y)
        canvas.fill(lens, (255, 255, 255), 0.14)
        glint = [
            (x - 0.5 * wide, y - 0.1 * height),
            (x + 0.05 * wide, y - 0.65 * height),
            (x + 0.25 * wide, y - 0.65 * height),
        ]
        canvas.fill([*glint, (x - 0.42 * wide, y + 0.15 * height)], (255, 255, 255), 0.28)
        ring = np.concatenate([lens, lens[:2]])
        canvas.stroke(ring, 2.0, frame, 1, 0, sharp=True)
        inner.append(x - side * wide)
        arm = (side * face.width * (0.84 if traits.covers_ears else 1.02) - 2.0 * face.yaw, y - 3)
        canvas.stroke([(x + side * wide, y - 2), arm], 2.0, frame, 1, 0, sharp=True)
    canvas.stroke([(inner[0], y - 1), ((inner[0] + inner[1]) / 2, y - 3.6), (inner[1], y - 1)], 2.0, frame, 1, 0)
