"""The canvas of a drawn face: smooth closed shapes, strokes and glows in face coordinates.

Face coordinates have their origin between eyes and nose, x to the right and y downwards, and their unit is one
pixel of the finished 200 x 200 picture at scale 1. The canvas itself is twice as large, and is reduced at the end.
"""

import numpy as np
from PIL import Image, ImageChops, ImageDraw

SIZE = 200
OVERSAMPLE = 2
ORIGIN = (100.0, 104.0)

Colour = tuple[int, int, int]


def _spline_basis(samples: int) -> np.ndarray:
    """Return the [samples, 4] weights of a Catmull-Rom segment at evenly spaced positions."""
    t = np.arange(samples)[:, None] / samples
    columns = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
    return np.concatenate(columns, axis=1) / 2


_BASIS = _spline_basis(6)
_CIRCLE = np.stack([np.cos(np.arange(36) * np.pi / 18), np.sin(np.arange(36) * np.pi / 18)], axis=1)


def _soft_spot() -> Image.Image:
    """Return a grey picture that falls smoothly from 255 in the middle to 0 at the edges."""
    fall = [max(0.0, 1 - value / 177) for value in range(256)]
    return Image.radial_gradient("L").point([round(255 * t * t * (3 - 2 * t)) for t in fall])


_SPOT = _soft_spot()


def smooth(points, closed: bool = True) -> np.ndarray:
    """Return a smooth curve through points.

    Args:
        points: [n, 2] control points in any unit.
        closed: Whether the curve returns to its first point.

    Returns:
        [m, 2] points of the curve in the same unit, six for each stretch between two control points.
    """
    points = np.asarray(points, dtype=float)
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    windows = np.stack([padded[:-3], padded[1:-2], padded[2:-1], padded[3:]], axis=1)
    curve = (_BASIS @ windows).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def oval(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Return the 36 outline points of an ellipse with the given centre and half axes."""
    return moved(_CIRCLE * (width, height), x, y)


def moved(points, right: float, down: float) -> np.ndarray:
    """Return points shifted to the right and downwards."""
    return np.asarray(points, dtype=float) + np.array([right, down])


def mirrored(right) -> np.ndarray:
    """Return a symmetric closed outline from its right half, which starts and ends on the axis x = 0."""
    right = np.asarray(right, dtype=float)
    return np.concatenate([right, right[-2:0:-1] * (-1, 1)])


class Canvas:
    """A picture under construction, addressed in face coordinates.

    Attributes:
        image: The RGB picture, 400 x 400 pixels.
        draw: Its drawing context, which blends colours that carry an alpha value.
    """

    def __init__(self, image: Image.Image, roll: float, scale: float, shift: tuple[float, float]) -> None:
        """Place the face on a picture.

        Args:
            image: The RGB background, 400 x 400 pixels.
            roll: Rotation of the face in degrees, clockwise.
            scale: Size of the face, 1 is normal.
            shift: Displacement of the face to the right and downwards in pixels of the finished picture.
        """
        self.image = image
        self.draw = ImageDraw.Draw(image, "RGBA")
        self._scale = scale * OVERSAMPLE
        cosine, sine = np.cos(np.radians(roll)), np.sin(np.radians(roll))
        self._matrix = np.array([[cosine, sine], [-sine, cosine]]) * self._scale
        self._centre = (np.array(ORIGIN) + shift) * OVERSAMPLE

    def pixels(self, points) -> list[float]:
        """Return [n, 2] face coordinates as a flat list of canvas pixels."""
        return (np.asarray(points, dtype=float) @ self._matrix + self._centre).round(2).ravel().tolist()

    def mask(self, *outlines) -> Image.Image:
        """Return a 400 x 400 grey picture that is 255 inside any of the outlines and 0 outside."""
        mask = Image.new("L", self.image.size)
        draw = ImageDraw.Draw(mask)
        for outline in outlines:
            draw.polygon(self.pixels(outline), fill=255)
        return mask

    def fill(self, outline, colour: Colour, alpha: float = 1.0, clip: Image.Image | None = None) -> None:
        """Fill an outline.

        Args:
            outline: [n, 2] points in face coordinates.
            colour: Red, green and blue, 0 to 255.
            alpha: Opacity, 0 to 1.
            clip: Mask of the whole canvas; the outline is drawn only where it is not 0.
        """
        flat = self.pixels(outline)
        if clip is None:
            self.draw.polygon(flat, fill=(*colour, round(255 * alpha)))
            return
        left, top = max(0, int(min(flat[::2]))), max(0, int(min(flat[1::2])))
        right, bottom = min(clip.width, int(max(flat[::2])) + 2), min(clip.height, int(max(flat[1::2])) + 2)
        if right <= left or bottom <= top:
            return
        patch = Image.new("L", (right - left, bottom - top))
        moved = [value - (top if position % 2 else left) for position, value in enumerate(flat)]
        ImageDraw.Draw(patch).polygon(moved, fill=round(255 * alpha))
        patch = ImageChops.multiply(patch, clip.crop((left, top, right, bottom)))
        self.image.paste(colour, (left, top), patch)

    def stroke(
        self, points, width: float, colour: Colour, alpha: float = 1.0, taper: float = 1.0, sharp: bool = False
    ) -> None:
        """Draw a line whose ends may be thinner than its middle.

        Args:
            points: [n, 2] control points of an open curve in face coordinates.
            width: Thickness in the middle, in face units.
            colour: Red, green and blue, 0 to 255.
            alpha: Opacity, 0 to 1.
            taper: How much thinner the ends are, 0 (not at all) to 1 (pointed).
            sharp: Whether the points are joined by straight lines in place of a smooth curve.
        """
        curve = np.asarray(points, dtype=float) if sharp else smooth(points, closed=False)
        direction = np.gradient(curve, axis=0)
        direction /= np.sqrt((direction**2).sum(axis=1, keepdims=True)) + 1e-6
        along = np.linspace(-1, 1, len(curve))[:, None]
        half = width / 2 * (1 - taper * along**2)
        side = direction[:, ::-1] * (-1, 1) * half
        self.fill(np.concatenate([curve + side, (curve - side)[::-1]]), colour, alpha)

    def glow(self, x: float, y: float, radii, colour: Colour, alpha: float, clip: Image.Image | None = None) -> None:
        """Blend in a soft spot that fades out towards its edge.

        Args:
            x: Centre, in face coordinates.
            y: Centre, in face coordinates.
            radii: Half width and half height of the spot, in face units.
            colour: Red, green and blue, 0 to 255.
            alpha: Opacity in the centre, 0 to 1.
            clip: Mask of the whole canvas; the spot is drawn only where it is not 0.
        """
        width, height = (max(2, round(radius * self._scale * 2)) for radius in radii)
        centre_x, centre_y = self.pixels([(x, y)])
        left, top = round(centre_x - width / 2), round(centre_y - height / 2)
        spot = _SPOT.resize((width, height), Image.Resampling.BILINEAR)
        spot = spot.point([round(value * alpha) for value in range(256)])
        if clip is not None:
            spot = ImageChops.multiply(spot, clip.crop((left, top, left + width, top + height)))
        self.image.paste(colour, (left, top), spot)
