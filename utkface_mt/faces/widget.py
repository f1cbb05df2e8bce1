"""Choosing a photo in a notebook: by an upload button, by a path, or the one that a library ships."""

import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from .read import SUFFIXES, read_photo


def upload_button() -> Any:
    """A button that takes one picture from the reader's machine; it stays in the kernel's memory."""
    import ipywidgets

    return ipywidgets.FileUpload(accept=",".join(SUFFIXES), multiple=False, description="Your photo")


def chosen_photo(button: Any, path: str = "") -> tuple[str, Image.Image]:
    """What the photo to look at is called, and the picture, upright.

    It is what was uploaded by the `button`, else the one at `path`, else NASA's of the astronaut Eileen Collins, which
    is in the public domain and comes with scikit-image; nothing is downloaded.

    Raises:
        UserError: if it cannot be read.
    """
    if button and button.value:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, Path(button.value[0]["name"]).name)
            copy.write_bytes(button.value[0]["content"])
            return "your photo", read_photo(copy)
    if path:
        return "your photo", read_photo(path)
    from skimage.data import astronaut

    return "NASA's photo", Image.fromarray(astronaut())
