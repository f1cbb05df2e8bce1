"""Photos with a box and a label at each face."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image, ImageDraw, ImageFont

from ..util.errors import UserError
from ..util.files import replacing
from .read import COPY, is_copy, open_photo

if TYPE_CHECKING:
    import pandas as pd

KEPT_SUFFIXES = (".jpg", ".jpeg", ".png")
INK, PAPER = "#ffffff", "#1f3a5f"


def annotate(photo: Image.Image, rows: pd.DataFrame | Iterable[Mapping[str, Any]], scale: float = 1.0) -> Image.Image:
    """A copy with a box at each face, and a label such as `34 (22-46) Female 97 %`: age, its 90 % interval, gender.

    Args:
        photo: as `open_photo` gives it.
        rows: its rows, as `describe_faces` or `predict_rows` gives them; a row without a face draws nothing.
        scale: pixels of the photo for each pixel in which the boxes are given.
    """
    picture = photo.copy()
    draw = ImageDraw.Draw(picture)
    side = max(picture.size)
    line, font = max(2, side // 400), ImageFont.load_default(max(11, side // 60))
    for row in rows.to_dict("records") if hasattr(rows, "to_dict") else rows:
        if row["face"]:
            left, top, right, bottom = (row[edge] * scale for edge in ("left", "top", "right", "bottom"))
            draw.rectangle([left, top, right, bottom], outline=PAPER, width=line)
            _, _, width, height = draw.textbbox((0, 0), label(row), font=font)
            pad = max(2, height // 5)
            width, height = width + 2 * pad, height + 2 * pad
            left = min(max(0, left), max(0, picture.width - width))
            top = top - height if top >= height else max(0, top)  # above the box where there is room
            draw.rectangle([left, top, left + width, top + height], fill=PAPER)
            draw.text((left + pad, top + pad), label(row), fill=INK, font=font)
    return picture


def label(row: pd.Series | Mapping[str, Any]) -> str:
    """What is written at a face: age, its interval, gender and how sure it is."""
    sure = max(row["probability_female"], 1 - row["probability_female"])
    return f"{row['age']:.0f} ({row['age_low']:.0f}-{row['age_high']:.0f}) {row['gender']} {100 * sure:.0f} %"


def copy_places(files: list[Path], paths: list[Path], folder: Path) -> dict[Path, Path]:
    """Where the annotated copies of photos go, the same at each call.

    Each photo gets a copy in `folder` of the same name, with `.png` added unless it is JPEG or PNG, and a number if
    another photo has that name. One found in a folder among `paths`, which the user gave, keeps its place below it.

    Raises:
        UserError: if a copy would take the place of a picture that no earlier call of this wrote.
    """
    roots = [Path(os.path.abspath(path)) for path in paths if path.is_dir()]
    places: dict[Path, Path] = {}  # of each copy, its photo
    for file in files:
        here = Path(os.path.abspath(file))
        place = folder / here.relative_to(next((root for root in roots if root in here.parents), here.parent))
        first = target = place if place.suffix.lower() in KEPT_SUFFIXES else place.with_name(f"{place.name}.png")
        number = 1
        while target in places:
            number += 1
            target = first.with_stem(f"{first.stem}-{number}")
        if target.exists() and not is_copy(target):
            raise UserError(f"{target} would be replaced by a copy of {file}. Give --annotate another folder.")
        places[target] = file
    return {file: target for target, file in places.items()}


def write_annotated(file: Path, rows: list[Mapping[str, Any]], target: Path) -> None:
    """Writes an annotated copy of a photo, given its rows, as `predict_rows` gives them; none if it cannot be read."""
    try:
        photo = open_photo(file)
    except ValueError:
        return
    mark = Image.Exif()
    mark[ExifTags.Base.Software] = COPY  # what tells copies from photos
    with replacing(target) as temporary:
        drawn = annotate(photo, rows, photo.width / photo.info["full_size"][0])
        drawn.save(temporary, quality=92, exif=mark, comment=b"", icc_profile=None, xmp=b"")  # none of its own notes
