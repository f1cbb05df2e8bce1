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
    """The photo to look at: what was uploaded, else the one at `path`, else NASA's of the astronaut Eileen Collins.

    The last is in the public domain and comes with scikit-image; nothing is downloaded.

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
            copy = Path(folder, Path(uploaded["name"]).name)
            copy.write_bytes(uploaded["content"])
            return "your photo", read_photo(copy)
    if path:
        return "your photo", read_photo(path)
    from skimage.data import astronaut

    return "NASA's photo", Image.fromarray(astronaut())
