"""Age and gender from UTKFace faces with one MobileNetV2: the package behind the notebooks.

For pictures of your own:

    from utkface_mt import find_faces, load_model, read_photo

    faces = find_faces(read_photo("photo.jpg"))
    table = load_model().predict([face.crop for face in faces])
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["find_faces", "load_model", "read_photo"]


def __getattr__(name: str) -> Any:
    """Imports what `__all__` names when it is first used, since importing the package should do no work."""
    import importlib

    modules = {"find_faces": "photos.detect", "load_model": "inference", "read_photo": "photos.read"}
    if name not in modules:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{modules[name]}", __name__), name)
