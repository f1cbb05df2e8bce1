"""Reading the pictures that people have: turned, huge, of any depth, from a phone, misnamed, or broken."""

import math
import os
import struct
import warnings
from collections.abc import Iterable
from pathlib import Path

from PIL import ExifTags, Image

from ..data.pixels import in_rgb, upright
from ..util.errors import UserError
from ..util.files import read_whole

SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif")
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "PPM", "JPEG2000")  # others can run programs
HEIF_BRANDS = (b"heic", b"heix", b"heif", b"hevc", b"mif1", b"msf1")  # what stands in such a file's first bytes
COPY = "utkface_mt annotated copy"  # the mark of what `annotate` wrote, in EXIF
BROKEN = (ValueError, OSError, SyntaxError, RuntimeError, struct.error, Image.DecompressionBombError)  # at broken files
LONGEST_SIDE = 4096  # pixels: larger pictures are made smaller, which costs no face that could be found
LARGEST_FILE = 200_000_000  # bytes
LIGHT_MODES, MOST_PIXELS = ("1", "L", "RGB", "YCbCr"), 80_000_000  # of other modes, which take 1.5 GB at so many


def list_photos(paths: str | Path | Iterable[str | Path], skipped: list[Path] | None = None) -> list[Path]:
    """The pictures that paths stand for, each once: a file of any name for itself, a folder for all below it, sorted.

    Args:
        paths: one or several. Links are followed, each folder once; hidden files and annotated copies are left out.
        skipped: gets files that are no pictures, neither by name nor by content, and folders that cannot be read.

    Raises:
        UserError: if there is nothing at a path, or no picture in a folder.
    """
    found: dict[str, Path] = {}
    for path in map(Path, [paths] if isinstance(paths, str | Path) else paths):
        if not os.path.exists(path):  # which a name that no file can have does not break
            raise UserError(f"{path} does not exist. Give pictures, or folders of pictures.")
        for file in _below(path, [] if skipped is None else skipped) if path.is_dir() else [path]:
            found.setdefault(os.path.realpath(file), file)
    return list(found.values())


def _below(path: Path, skipped: list[Path]) -> list[Path]:
    files, seen = [], set()
    for parent, folders, names in os.walk(
        path, followlinks=True, onerror=lambda error: skipped.append(Path(error.filename))
    ):
        real = Path(parent).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(parent, name) for name in names if not name.startswith(".")]
    found = {file for file in files if file.name.lower().endswith(SUFFIXES) or is_picture(file)}
    skipped += sorted(set(files) - found)
    found = {file for file in found if not (os.path.isfile(file) and is_copy(file))}
    if not found:
        raise UserError(f"{path} holds no picture, annotated copies left out. Give pictures, or folders of pictures.")
    return sorted(found)


def is_copy(file: Path) -> bool:
    """Whether a picture is a copy that `annotate` wrote."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=("JPEG", "PNG")) as picture:
            return "exif" in picture.info and picture.getexif().get(ExifTags.Base.Software) == COPY
    except BROKEN:
        return False


def is_picture(file: Path) -> bool:
    """Whether the content of a file is a picture's, whatever its name."""
    try:
        with warnings.catch_warnings(action="ignore"), _opened(file):
            return True
    except BROKEN:
        return False


def read_photo(path: Path | str) -> Image.Image:
    """Reads a photo upright, in RGB, and no larger than anyone needs; a `UserError` if it cannot be read.

    Args:
        path: JPEG, PNG, WebP, BMP, TIFF, GIF (its first picture), or HEIC where `pillow-heif` is installed; of any
            name, since the content tells what it is.

    Returns:
        The picture, turned as its EXIF orientation says, its longer side at most `LONGEST_SIDE`; transparent parts
        are white. Its `info` has `full_size`, width and height in its file, turned alike, and `few_colours`.
    """
    try:
        return open_photo(Path(path))
    except ValueError as error:
        raise UserError(f"{path}: {error}.") from error


def open_photo(path: Path) -> Image.Image:
    """As `read_photo`, but a `ValueError` says in words for the user why a photo cannot be read."""
    try:
        with warnings.catch_warnings(action="ignore"), _opened(path) as opened:  # large, or oddly described
            full = opened.size
            if opened.mode not in LIGHT_MODES and math.prod(full) > MOST_PIXELS:
                raise ValueError(f"it has {math.prod(full) / 1e6:.0f} million pixels; save it smaller, or as JPEG")
            opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded at a fraction of its size
            wide = opened.width > opened.height
            upright(opened)
            full = full if wide == (opened.width > opened.height) else full[::-1]
            picture = in_rgb(opened)
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
            picture.info |= {"full_size": full, "few_colours": opened.mode in ("1", "P", "PA")}
            return picture
    except Image.UnidentifiedImageError:
        raise ValueError("it is no picture of a kind that can be read; save it as JPEG") from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"it has too many pixels ({error}); save it smaller") from error
    except MemoryError:
        raise ValueError("it is too large for the memory of this machine; save it smaller") from None
    except ValueError:
        raise
    except Exception as error:  # decoders raise errors of many kinds at broken data
        raise ValueError(f"it cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _opened(path: Path) -> Image.Image:
    """The file as Pillow opens it, whatever its name."""
    start = read_whole(path, LARGEST_FILE, "; save it smaller", 12)
    if heif := start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS:
        try:
            import pillow_heif
        except ImportError:
            raise ValueError("HEIC needs one more package: pip install pillow-heif") from None
        pillow_heif.register_heif_opener()
    return Image.open(path, formats=("HEIF",) if heif else FORMATS)
