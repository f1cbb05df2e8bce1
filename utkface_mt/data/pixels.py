"""The pictures as one array on disk: decoded, padded and resized once, then read by every run.

The array is a memory-mapped `.npy` file: memory stays small whatever the number of faces. A face takes 49 kB at 128
pixels, 151 kB at 224.
"""

from __future__ import annotations

import functools
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image, ImageFilter, ImageOps

from ..config import TRAINING_VERSION
from ..util.errors import UserError
from ..util.files import digest, replacing

if TYPE_CHECKING:  # what predicts photos prepares pictures too, and needs no tables
    import pandas as pd

    from .dataset import Dataset

CROP_SIZE = 200  # pixels: UTKFace's aligned and cropped faces
STRIP = 256  # rows of a picture of few colours that are smoothed at a time
PADDED_SIZE = 224  # pixels: the crops are padded with black from 200, as published


def upright(picture: Image.Image) -> Image.Image:
    """Turns a picture in place as its EXIF orientation says, whatever else is wrong with its EXIF."""
    picture.getexif()  # kept from now on: its bytes, which Pillow would write anew, may be damaged
    picture.info = {name: value for name, value in picture.info.items() if "exif" not in name}
    ImageOps.exif_transpose(picture, in_place=True)
    return picture


def in_rgb(picture: Image.Image) -> Image.Image:
    """RGB of 8 bits, transparent parts laid over white, and more than 8 bits scaled from their whole range.

    16 bits reach to 65,535, or to 4,095 if none is higher: a camera's 12 bits. Of 32 bits and of fractions nobody says
    how far they reach: to the first of 1, 255 and 65,535 that is not exceeded, else to the largest value. If numbers
    below nought leave open which one is black, it is a `UserError`.
    """
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        tags, values = getattr(picture, "tag_v2", {}), np.asarray(picture)
        if picture.mode == "I" and tags and tags.get(ExifTags.Base.SampleFormat, (1,))[0] == 1:
            values = values.view(np.uint32)  # Pillow knows no 32 bits without a sign
        values = np.nan_to_num(values.astype(np.float32), posinf=0, neginf=0)
        highest = float(values.max(initial=0))
        reach = 4095.0 if highest < 4096 else 65_535.0
        if picture.mode in ("I", "F"):
            reach = next((end for end in (1.0, 255.0, 65_535.0) if highest <= end), highest)
        if values.min(initial=0) < -reach / 20:  # less is what sharpening leaves
            raise UserError("A picture with numbers below nought does not say which is black: save it with 8 bits.")
        values = values.clip(0, reach) * (255 / reach)
        if tags.get(ExifTags.Base.PhotometricInterpretation) == 0:  # nought is white
            values = 255 - values
        return Image.fromarray((values + 0.5).astype(np.uint8)).convert("RGB")
    if picture.mode == "1" and not picture.has_transparency_data:
        return picture.convert("L").filter(ImageFilter.GaussianBlur(1)).convert("RGB")  # tones, which dots stand for
    picture = picture.convert("LA") if picture.mode == "La" else picture  # from which Pillow makes nothing else
    rgb = picture.convert("RGB")
    if picture.has_transparency_data:
        layers = picture.convert("RGBA")
        rgb = Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")
    return _with_tones(rgb) if picture.mode in ("P", "PA") else rgb


def _with_tones(picture: Image.Image) -> Image.Image:
    """A picture of few colours, RGB, smoothed where it varies by no more than its colours lie apart: tones again.

    A guided filter (He, Sun and Tang, PAMI 2013) of 3 x 3 pixels with the picture as its own guide.
    """
    from scipy.ndimage import uniform_filter

    colours = np.array([colour for _, colour in picture.getcolors(256) or ()], np.float32)
    if len(colours) < 2:
        return picture
    apart = np.square(colours[:, None] - colours).sum(axis=2) + np.diag(np.full(len(colours), np.inf))
    noise = apart.min(axis=1).mean()
    smoothed, mean = np.array(picture), functools.partial(uniform_filter, size=(3, 3, 1))
    for top in range(0, picture.height, STRIP):  # a pixel depends on those up to two rows away
        margin = min(top, 2)
        rows = picture.crop((0, top - margin, picture.width, min(top + STRIP + 2, picture.height)))
        values = np.asarray(rows, np.float32)
        means = mean(values)
        detail = (mean(values**2) - means**2).sum(axis=2, keepdims=True).clip(0)
        kept = detail / (detail + noise)
        found = mean(kept) * values + mean((1 - kept) * means)
        smoothed[top : top + STRIP] = found[margin : margin + STRIP].round()
    return Image.fromarray(smoothed)


def prepare_picture(picture: Image.Image, size: int, crop: float = 0.0) -> np.ndarray:
    """Pads a 200 x 200 crop, in any colour mode, with black to 224 x 224, cuts a margin off, and resizes the rest.

    `crop` is the share of the padded side that is cut off at each edge; the padding itself is a share of 0.054. The
    result is uint8 `[size, size, 3]`.
    """
    padded = ImageOps.expand(in_rgb(picture), (PADDED_SIZE - CROP_SIZE) // 2)
    if size != PADDED_SIZE or crop:
        low, high = crop * PADDED_SIZE, (1 - crop) * PADDED_SIZE
        padded = padded.resize((size, size), Image.Resampling.BILINEAR, box=(low, low, high, high))
    return np.asarray(padded)


def read_picture(folder: Path, path: str) -> Image.Image:
    """Reads one usable face as an RGB picture of 200 x 200 pixels."""
    with Image.open(folder / path) as picture:
        return in_rgb(upright(picture))


def open_pixels(dataset: Dataset, faces: pd.DataFrame, size: int, crop: float = 0.0) -> np.ndarray:
    """Opens the array of `faces`, rows of the dataset's face table, as `prepare_picture` makes their pictures.

    It is made the first time: a read-only memory map in the order of the faces, uint8 `[len(faces), size, size, 3]`.

    Raises:
        UserError: if the disk has no room for it.
    """
    cut = f"-{crop:g}" if crop else ""
    path = dataset.storage / f"pixels-{size}{cut}-{digest([TRAINING_VERSION, faces['file'].to_list()])}.npy"
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
