"""The pictures as one array on disk: decoded, padded and resized once, then read by every run.

The array is a memory-mapped `.npy` file: memory stays small whatever the number of faces. A face takes 48 kB at 128
pixels, 147 kB at 224.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from ..util.errors import UserError
from ..util.files import digest, replacing

if TYPE_CHECKING:  # what predicts photos prepares pictures too, and needs no tables
    import pandas as pd

    from .dataset import Dataset

CROP_SIZE = 200  # pixels: UTKFace's aligned and cropped faces
PADDED_SIZE = 224  # pixels: the crops are padded with black from 200, as published


def prepare_picture(picture: Image.Image, size: int, crop: float = 0.0) -> np.ndarray:
    """Pads a 200 x 200 crop, in any colour mode, with black to 224 x 224, cuts a margin off, and resizes the rest.

    `crop` is the share of the padded side that is cut off at each edge; the padding itself is a share of 0.054. The
    result is uint8 `[size, size, 3]`.
    """
    padded = ImageOps.expand(picture.convert("RGB"), (PADDED_SIZE - CROP_SIZE) // 2)
    if size != PADDED_SIZE or crop:
        low, high = crop * PADDED_SIZE, (1 - crop) * PADDED_SIZE
        padded = padded.resize((size, size), Image.Resampling.BILINEAR, box=(low, low, high, high))
    return np.asarray(padded)


def read_picture(folder: Path, path: str) -> Image.Image:
    """Reads one usable face as an RGB picture of 200 x 200 pixels."""
    with Image.open(folder / path) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")  # turned as its EXIF orientation says


def open_pixels(dataset: Dataset, faces: pd.DataFrame, size: int, crop: float = 0.0) -> np.ndarray:
    """Opens the array of `faces`, rows of the dataset's face table, as `prepare_picture` makes their pictures.

    It is made the first time: a read-only memory map in the order of the faces, uint8 `[len(faces), size, size, 3]`.

    Raises:
        UserError: if the disk has no room for it.
    """
    cut = f"-{crop:g}" if crop else ""
    path = dataset.storage / f"pixels-{size}{cut}-{digest(faces['file'].to_list())}.npy"
    if not path.exists():
        _make(path, dataset.folder, faces["path"].to_list(), size, crop)
    return np.load(path, mmap_mode="r")


def _make(path: Path, folder: Path, names: list[str], size: int, crop: float) -> None:
    needed = 3 * size * size * len(names)
    with replacing(path) as temporary:
        free = shutil.disk_usage(path.parent).free
        if needed > free * 0.95:
            raise UserError(
                f"The pictures need {needed / 1e9:.1f} GB at {size} pixels, and {path.parent} has {free / 1e9:.1f} GB "
                "free. Free some space, move the runs with UTKFACE_MT_RUNS, or use fewer faces with --limit."
            )
        array = np.lib.format.open_memmap(temporary, "w+", np.uint8, (len(names), size, size, 3))

        def fill(position: int) -> None:
            array[position] = prepare_picture(read_picture(folder, names[position]), size, crop)

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            list(pool.map(fill, range(len(names))))  # an error is raised where its result is taken
        array.flush()
