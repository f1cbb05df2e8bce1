"""A photo of nobody: drawn faces in a row on a wall, for those who have no photo at hand."""

import numpy as np
from PIL import Image

from . import draw_face, sample_traits

WALL = (120, 140, 160)
GAP = 30  # pixels between faces


def drawn_photo(faces: int = 3, size: tuple[int, int] = (760, 300), side: int = 200, seed: int = 3) -> Image.Image:
    """Draws grown-ups in a row.

    Args:
        faces: how many.
        size: width and height of the photo in pixels.
        side: of each drawing in pixels; the face fills about half of it.
        seed: of what they look like.

    Returns:
        RGB.
    """
    generator = np.random.default_rng(seed)
    photo = Image.new("RGB", size, WALL)
    for number in range(faces):
        traits = sample_traits(int(generator.integers(20, 60)), number % 2, number % 5, generator)
        photo.paste(draw_face(traits).resize((side, side)), (40 + number * (side + GAP), (size[1] - side) // 2))
    return photo
