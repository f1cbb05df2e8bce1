"""Choosing a photo in a notebook: by an upload button, by a path, or none at all."""

import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import UserError
from .drawn import drawn_photo
from .read import SUFFIXES, read_photo


def upload_button() -> Any:
    """A button that takes one picture from the reader's machine; it stays in the kernel's memory."""
    import ipywidgets

    return ipywidgets.FileUpload(accept=",".join(SUFFIXES), multiple=False, description="Your photo")


def chosen_photo(button: Any, path: str = "") -> tuple[str, Image.Image]:
    """The photo to look at: what was uploaded, else the one at `path`, else a drawn one.

    Args:
        button: as `upload_button` gives it.
        path: a file, or empty.

    Returns:
        What it is called, and the picture, upright.

    Raises:
        UserError: if it cannot be read.
    """
    if button.value:
        uploaded = button.value[0]
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, f"photo{Path(uploaded['name']).suffix}")
            copy.write_bytes(uploaded["content"])
            return "your photo", _read(copy, uploaded["name"])
    if path:
        return "your photo", _read(Path(path), path)
    return "drawn sample faces", drawn_photo()


def _read(path: Path, name: str) -> Image.Image:
    try:
        return read_photo(path)
    except (ValueError, OSError) as error:
        raise UserError(f"{name}: {error}.") from error
