"""The photo that a notebook looks at: one that was uploaded, one at a path, or the one that a library ships."""

import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from .read import read_photo


def chosen_photo(button: Any, path: str = "") -> tuple[str, Image.Image]:
    """What the photo to look at is called, and the picture, upright; a `UserError` if it cannot be read.

    It is what was uploaded by the `button`, an `ipywidgets.FileUpload`, else the one at `path`, else NASA's of the
    astronaut Eileen Collins, which is in the public domain and comes with scikit-image; nothing is downloaded.
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
