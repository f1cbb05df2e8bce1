"""The hair of a drawn face, in a layer behind and a layer before the head, and its hats."""

import numpy as np
from PIL import Image

from .canvas import Canvas, mirrored, moved, oval, smooth
from .colours import Palette, mix, scaled
from .head import Geometry
from .traits import Traits

_POSITIONS = np.linspace(-1, 1, 17)


def _volume(traits: Traits) -> float:
    """Return the thickness of the hair above the head in face units."""
    full = 3.5 + 5.0 * traits.hair_volume + 3.5 * traits.curl + 2.5 * traits.hair_length
    return full * traits.hair_amount * (1 - 0.75 * traits.baldness) * (0.6 if traits.hair_length < 0.16 else 1)


def _outer(traits: Traits, face: Geometry) -> np.ndarray:
    """Return the [17, 2] points of the outer contour of the hair from the left ear over the crown to the right ear."""
    volume = _volume(traits)
    side = volume * (0.8 if traits.has_long_hair else 0.3 + 0.4 * traits.curl)
    angle = np.pi / 2 * _POSITIONS
    bulge = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.92
    low = face.eye_y + (-4 if traits.has_long_hair else 3)
    tuck = np.where(np.abs(_POSITIONS) > 0.98, 1.0, 0.0) * (side + 2.5 + 0.04 * face.width)
    x = bulge * (face.width + side + 0.5 - tuck)
    y = low - (face.top + volume + low) * np.abs(np.cos(angle)) ** 0.72
    lift = volume * 0.25 * np.exp(-((_POSITIONS + 0.5 * np.sign(traits.parting)) ** 2) / 0.12)
    return np.stack([x, y - lift * (1 - traits.curl)], axis=1)


def _hairline(traits: Traits, face: Geometry) -> np.ndarray:
    """Return the [17, 2] points where the front hair ends on the face, from the left ear to the right ear."""
    u, part = _POSITIONS, 0.55 * traits.parting
    recession = traits.baldness
    crown = -face.top * (0.60 + 0.06 * (1 - traits.growth) + 0.36 * min(1.0, recession / 0.62))
    side = face.eye_y + 3
    distance = np.where(u > part, (u - part) / (1 - part), (part - u) / (1 + part))
    power = 1.9 + 2.2 * (1 - traits.hair_length) + 1.5 * min(1, recession * 2)
    y = crown + (side - crown) * distance**power
    if traits.fringe and recession < 0.35:
        flat = face.eye_y - face.eye_height - 11.5 + 3.5 * u * np.sign(traits.parting) + 1.6 * np.cos(u * 11)
        y = np.maximum(y, np.where(np.abs(u) < 0.86, flat, y))
    y = y - 26 * recession * np.exp(-(((np.abs(u) - 0.55) / 0.2) ** 2)) * (recession < 0.62)
    x = u * face.width * (0.985 - 0.05 * (np.abs(u) > 0.8)) + 2.5 * face.yaw * (np.abs(u) < 0.9)
    return np.stack([x, y], axis=1)


def _curls(canvas: Canvas, points: np.ndarray, radius: float, colours: Palette) -> None:
    """Draw round curls along points, with a light arc on every other one."""
    for x, y in points:
        canvas.fill(oval(x, y, radius, radius), colours.hair)
    for x, y in points[1::2]:
        arc = [
            (x - 0.6 * radius, y + 0.1 * radius),
            (x - 0.2 * radius, y - 0.5 * radius),
            (x + 0.5 * radius, y - 0.4 * radius),
        ]
        canvas.stroke(arc, 1.6, colours.hair_light, 0.45, 0.9)


def draw_back_hair(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw the hair behind head and shoulders, and a bun or a tail."""
    if not traits.has_long_hair:
        return
    volume = _volume(traits)
    width, colour = face.width + volume, colours.hair_shade
    if traits.gather == "bun":
        x, y = 16 * traits.parting, -face.top - volume - 6
        canvas.fill(oval(x, y, 17, 15), colour)
        canvas.stroke([(x - 9, y - 4), (x, y - 10), (x + 9, y - 4)], 2, colours.hair_light, 0.5, 0.9)
    elif traits.gather == "tail":
        side = 1 if traits.parting > 0 else -1
        tail = [(0.6, -0.5), (1.12, -0.45), (1.42, 0.2), (1.36, 0.9), (1.2, 1.25), (1.12, 0.9), (1.08, 0.3)]
        canvas.fill(smooth(np.array(tail) * (side * face.width, face.chin)), colour)
    else:
        end = face.chin * (0.78 + 1.35 * (traits.hair_length - 0.45) / 0.55)
        wide = width + 3 + 5 * traits.curl + 3 * traits.hair_volume
        right = [(0, -face.top - volume * 0.8), (0.66 * width, -0.85 * face.top), (width, -0.3 * face.top),
                 (wide, 0.35 * face.chin), (wide - 1, 0.8 * end), (0.8 * wide, end + 2), (0, end)]  # fmt: skip
        canvas.fill(smooth(mirrored(right)), colour)
        if traits.curl > 0.62:
            heights = np.linspace(-0.3 * face.top, end - 4, max(4, round((end + 20) / 13)))
            for side in (-1, 1):
                for y in heights:
                    canvas.fill(oval(side * (wide - 3), y, 9, 9), colour)


def draw_front_hair(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette, head: Image.Image) -> None:
    """Draw the hair on crown, forehead and temples, and its shadow on the face."""
    if traits.baldness > 0.62 and not traits.has_long_hair:
        _draw_ring(canvas, traits, face, colours)
        return
    if traits.hair_amount < 0.5:
        _draw_down(canvas, traits, face, colours, head)
        return
    outer, inner = _outer(traits, face), _hairline(traits, face)
    inner[:, 1] = np.maximum(inner[:, 1], outer[:, 1] + 1.5)
    top, line = smooth(outer, False), smooth(inner, False)
    cap = np.concatenate([top, line[::-1]])
    if traits.baldness < 0.45:
        canvas.fill(moved(cap, 0, 3.2), scaled(colours.skin_shade, 0.9, 0.86, 0.88), 0.55, head)
    if traits.covers_ears:
        _draw_locks(canvas, traits, face, colours)
    cropped = traits.hair_length < 0.16 and traits.curl < 0.8
    canvas.fill(cap, mix(colours.hair, colours.skin_shade, 0.22) if cropped else colours.hair)
    if traits.curl > 0.62 and not cropped:
        _curls(canvas, moved(outer[1:-1], 0, 2), 5.5 + 3 * traits.hair_volume, colours)
        if traits.fringe:
            _curls(canvas, moved(inner[4:-4], 0, -4), 6, colours)
    elif not cropped:
        _draw_strands(canvas, traits, top, line, colours)


def _draw_strands(canvas: Canvas, traits: Traits, top: np.ndarray, line: np.ndarray, colours: Palette) -> None:
    """Draw shine and strands that follow the flow of the hair, and grey strands while it turns grey."""
    length = len(top)
    left = np.cos(traits.light_angle) < 0
    start, end = (0.14, 0.42) if left else (0.58, 0.86)
    part = slice(int(start * length), int(end * length))
    shine = [top[part] * (1 - share) + line[part] * share for share in (0.28, 0.44)]
    canvas.fill(np.concatenate([shine[0], shine[1][::-1]]), colours.hair_light, 0.5)
    for share in (0.3, 0.55, 0.8):
        strand = (top * (1 - share) + line * share)[int(0.12 * length) : int(0.9 * length) : 9]
        canvas.stroke(strand, 1.5, colours.hair_shade, 0.6, 1)
    streaks = 4 * traits.grey * (1 - traits.grey)
    if streaks > 0.1:
        for share in (0.2, 0.42, 0.68):
            strand = (top * (1 - share) + line * share)[int(0.05 * length) : int(0.95 * length) : 9]
            canvas.stroke(strand, 1.9, (222, 222, 226), 0.55 * streaks, 1)


def _draw_locks(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw the long locks that fall on both sides of the face."""
    volume = _volume(traits)
    end = face.chin * (0.72 + 1.3 * (traits.hair_length - 0.45) / 0.55)
    wave = 3.5 * traits.curl
    levels = np.linspace(0, 1, 6)
    for side in (-1, 1):
        y = -0.42 * face.top + (end + 0.42 * face.top) * levels
        outer = face.width + 0.8 * volume + 1 + 3.5 * np.sin(levels * np.pi) + wave * np.sin(levels * 9 + side)
        thick = 9 + 3 * traits.hair_volume + 5 * np.sin(levels * 2.4)
        thick[-1] = 4
        inner = outer - thick - 0.35 * volume
        outline = np.concatenate([np.stack([outer, y], 1), np.stack([inner, y], 1)[::-1]]) * (side, 1)
        canvas.fill(smooth(moved(outline, -1.2 * side, 2)), scaled(colours.skin_shade, 0.85, 0.8, 0.82), 0.4)
        canvas.fill(smooth(outline), colours.hair)
        if traits.curl > 0.62:
            _draw_ringlets(canvas, traits, outer - 0.35 * thick, y, side, colours)
            continue
        middle = np.stack([(outer * 0.6 + inner * 0.4) * side, y], 1)
        canvas.stroke(middle[1:], 1.5, colours.hair_shade, 0.6, 1)
        lit = side * np.cos(traits.light_angle) > 0
        if lit or traits.grey > 0.2:
            canvas.stroke(moved(middle[1:4], 2.5 * side, 0), 2.4, colours.hair_light, 0.5, 1)


def _draw_ringlets(canvas: Canvas, traits: Traits, x, y, side: int, colours: Palette) -> None:
    """Draw the curls of one long lock along its middle, given in face coordinates of the right side."""
    radius = 8 + 2.5 * traits.hair_volume
    count = max(3, round((y[-1] - y[0]) / (1.15 * radius)))
    heights = np.linspace(y[0], y[-1], count)
    places = np.interp(heights, y, x) + 2.2 * np.cos(np.arange(count) * np.pi)
    _curls(canvas, np.stack([side * places, heights], 1), radius, colours)


def _draw_ring(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw the ring of hair of a bald head, and the shine on its crown."""
    thick = 3.5 + 3.5 * traits.hair_volume + 3 * traits.curl
    for side in (-1, 1):
        tuft = [(0.90, -0.62), (1.0, -0.40), (1.02, -0.12), (0.99, 0.06), (0.93, -0.02), (0.91, -0.3)]
        outline = np.array(tuft) * (side * face.width, face.top)
        outline[1:4, 0] += side * thick
        canvas.fill(smooth(outline), colours.hair)
    canvas.glow(-12 + 24 * (np.cos(traits.light_angle) > 0), -0.78 * face.top, (15, 9), (255, 250, 240), 0.5)


def _draw_down(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette, head: Image.Image) -> None:
    """Draw the thin hair of a baby, with a small curl on the crown."""
    amount = traits.hair_amount
    cap = [(-0.97, 0.0), (-0.92, -0.55), (-0.55, -1.0), (0, -1.1), (0.55, -1.0), (0.92, -0.55), (0.97, 0.0)]
    line = [(0.88, -0.3), (0.55, -0.72), (0, -0.80), (-0.55, -0.72), (-0.88, -0.3)]
    outline = smooth(np.array(cap + line) * (face.width, face.top))
    canvas.fill(outline, colours.hair, 0.25 + 0.9 * amount, head)
    x, y, lean = 6 * traits.parting, -face.top + 3, 1 if traits.parting > 0 else -1
    curl = np.array([(0, 2), (-5, -6), (1, -12), (7, -8), (4, -4)]) * (lean, 1) + (x, y)
    canvas.stroke(curl, 3.6, colours.hair, 1, 0.8)
    canvas.stroke([(x + lean * 3, y + 3), (x + lean * 6, y - 3), (x + lean * 11, y - 4)], 2.6, colours.hair, 1, 0.9)


def draw_hat(canvas: Canvas, traits: Traits, face: Geometry, colours: Palette) -> None:
    """Draw a beanie with a bobble, a headband or a cap."""
    if traits.hat == "none":
        return
    width, top, low = face.width + 5 + 0.3 * _volume(traits), face.top, -0.52 * face.top
    colour, shade = colours.accent, scaled(colours.accent, 0.8, 0.78, 0.82)
    light = mix(colour, (255, 250, 240), 0.6)
    if traits.hat == "headband":
        arc = moved(_outer(traits, face)[2:-2] * (0.985, 0.9), 0, 1)
        canvas.stroke(arc, 9, colour, 1, 0.2)
        canvas.stroke(moved(arc, 0, -2), 1.6, light, 0.6, 0.6)
        return
    lift = 12 + 0.5 * _volume(traits)
    dome = [(-width, low), (-0.92 * width, -0.9 * top), (-0.45 * width, -top - lift), (0, -top - lift - 3)]
    dome = dome + [(-x, y) for x, y in dome[-2::-1]] + [(0, low - 7)]
    if traits.hat == "beanie":
        canvas.fill(oval(0, -top - lift - 6, 11, 11), light)
    canvas.fill(smooth(dome), colour)
    clip = canvas.mask(smooth(dome))
    canvas.glow(-26 * np.cos(traits.light_angle), -top, (40, 44), shade, 0.8, clip)
    if traits.hat == "beanie":
        rim = [(-width - 2, low + 7), (-width - 1, low - 9), (0, low - 17), (width + 1, low - 9), (width + 2, low + 7)]
        canvas.fill(smooth([*rim, (0, low - 1)]), light)
        for x in np.linspace(-0.8, 0.8, 7):
            bend = 8 * x * x
            canvas.stroke(
                [(x * width, low - 12 + bend), (x * width, low - 3 + bend)], 1.5, colour, 0.6, 0.3, sharp=True
            )
    else:
        x = 12 * face.yaw
        brim = [
            (-0.93 * width + x, low + 1),
            (x, low - 14),
            (0.93 * width + x, low + 1),
            (0.6 * width + x, low + 7),
            (x, low + 2),
            (-0.6 * width + x, low + 7),
        ]
        canvas.fill(smooth(brim), shade)
        canvas.fill(oval(x * 0.5, -top - 2, 8, 8), light, 0.9)
