"""As many different faces as a benchmark wants: drawn ones, each turned, lit and coloured in many ways."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from utkface_mt.data.labels import parse_name
from utkface_mt.util.files import replacing

COPY_EVERY = 25  # one face in so many is the one before it, compressed anew: a near-duplicate, as UTKFace has them
_LIGHTS = 4  # a face is lit unevenly by a field of 4 x 4 lights


def write_faces(drawn: Path, folder: Path, count: int, progress: Callable[[int, int], None] | None = None) -> Path:
    """Writes `count` JPEG files of 200 x 200 pixels, named as UTKFace names them.

    Args:
        drawn: a folder of drawn faces, as `write_sample` makes it; its defective files are passed over.
        folder: where they go; it appears complete or not at all.
        count: how many.
        progress: called with (done, total).

    Returns:
        `folder`.
    """
    sources = [
        (name, picture) for path in sorted(drawn.iterdir()) if (name := _labels(path)) and (picture := _read(path))
    ]
    with replacing(folder) as partial:
        partial.mkdir()

        def write(number: int) -> None:
            copied = number % COPY_EVERY == 1
            labels, picture = sources[(number - copied) % len(sources)]
            name = f"{labels}_{20_000_000_000_000_000 + number}.jpg.chip.jpg"
            varied(picture, number - copied).save(partial / name, quality=60 if copied else 85)

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for done, _ in enumerate(pool.map(write, range(count)), start=1):
                if progress:
                    progress(done, count)
    return folder


def varied(picture: Image.Image, seed: int) -> Image.Image:
    """Turns, zooms and mirrors a picture and lights it unevenly: what comes out is no near-duplicate."""
    rng = np.random.default_rng(seed)
    size = picture.width
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture = picture.rotate(rng.uniform(-25, 25), Image.Resampling.BILINEAR, translate=tuple(rng.uniform(-20, 20, 2)))
    edge = rng.uniform(0, 0.2) * size
    picture = picture.resize((size, size), Image.Resampling.BILINEAR, box=(edge, edge, size - edge, size - edge))
    lights = Image.fromarray(rng.integers(0, 256, (_LIGHTS, _LIGHTS, 3), dtype=np.uint8))
    return Image.blend(picture, lights.resize((size, size), Image.Resampling.BICUBIC), 0.5)


def _labels(path: Path) -> str:
    try:
        return "_".join(map(str, parse_name(path.name)))
    except ValueError:
        return ""


def _read(path: Path) -> Image.Image | None:
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB") if picture.size[0] == picture.size[1] else None
    except OSError:
        return None
