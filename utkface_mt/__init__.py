"""Age and gender from UTKFace faces with one MobileNetV2: the package behind the notebooks.

For pictures of your own:

    from utkface_mt import find_faces, load_model, read_photo

    faces = find_faces(read_photo("photo.jpg"))
    table = load_model().predict([face.crop for face in faces])
"""

from typing import Any

__version__ = "0.1.0"
_FROM = {"find_faces": "faces.detect", "load_model": "faces.model", "read_photo": "faces.read"}


def __getattr__(name: str) -> Any:
    """Imports what `_FROM` names when it is first used, since importing the package should do no work."""
    import importlib

    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_FROM[name]}", __name__), name)
