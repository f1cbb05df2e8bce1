"""Reading the pictures that people have: turned, huge, from a phone, or broken."""

import io
import os
import stat
import warnings
from pathlib import Path

from PIL import Image, ImageOps

from ..util.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif")
HEIF_SUFFIXES = (".heic", ".heif")
LONGEST_SIDE = 4096  # pixels: larger pictures are made smaller, which costs no face that could be found
LARGEST_FILE = 200_000_000  # bytes


def list_photos(path: Path, leave_out: Path | None = None) -> list[Path]:
    """The pictures that a path stands for: itself, or all below it if it is a folder.

    Args:
        path: a file of any name, or a folder. Links to folders are not followed; hidden files are left out.
        leave_out: a folder below which nothing is taken.

    Returns:
        The files, sorted.

    Raises:
        UserError: if there is nothing at `path`, or no picture in the folder.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist. Give pictures, or folders of pictures.")
    if not path.is_dir():
        return [path]
    found = [
        Path(parent, name)
        for parent, _, names in os.walk(path)
        if not (leave_out and Path(parent).resolve().is_relative_to(leave_out.resolve()))
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]
    if not found:
        raise UserError(f"{path} holds no picture ({', '.join(SUFFIXES)}).")
    return sorted(found)


def read_photo(path: Path | str) -> Image.Image:
    """Reads a photo upright, in RGB, and no larger than anyone needs.

    Args:
        path: as for `open_photo`.

    Returns:
        What `open_photo` gives.

    Raises:
        UserError: if it cannot be read.
    """
    try:
        return open_photo(Path(path))
    except ValueError as error:
        raise UserError(f"{path}: {error}.") from error


def open_photo(path: Path) -> Image.Image:
    """As `read_photo`, for those who go on with the next photo where one cannot be read.

    Args:
        path: JPEG, PNG, WebP, BMP, TIFF, GIF (its first picture), or HEIC where `pillow-heif` is installed.

    Returns:
        The picture, turned as its EXIF orientation says, its longer side at most `LONGEST_SIDE`; transparent parts
        are white.

    Raises:
        ValueError: if it cannot be read; the reason, in words for the user.
    """
    if path.suffix.lower() in HEIF_SUFFIXES:
        _enable_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large; too large is an error
            with Image.open(io.BytesIO(_bytes(path))) as opened:
                opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded at a fraction of its size
                opened.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
                return _on_white(ImageOps.exif_transpose(opened))
    except Image.UnidentifiedImageError:
        raise ValueError("it is no picture of a kind that can be read; save it as JPEG") from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"it has too many pixels ({error}); save it smaller") from error
    except (OSError, SyntaxError, EOFError) as error:
        raise ValueError(f"it cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _bytes(path: Path) -> bytes:
    """The file's bytes, if it is a file: a pipe or a device could go on without end."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no file")
    if not status.st_size:
        raise ValueError("the file is empty")
    if status.st_size > LARGEST_FILE:
        raise ValueError(f"the file has {status.st_size / 1e6:.0f} MB; save it smaller")
    return path.read_bytes()


def _on_white(picture: Image.Image) -> Image.Image:
    """RGB, transparent parts laid over white."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    layers = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")


def _enable_heif() -> None:
    """Lets Pillow read HEIC.

    Raises:
        ValueError: if `pillow-heif` is not installed.
    """
    try:
        import pillow_heif
    except ImportError:
        raise ValueError("HEIC needs one more package: pip install pillow-heif") from None
    pillow_heif.register_heif_opener()
