"""TensorFlow and Keras, imported quietly, in half the time that a plain import takes, and told to keep freed memory.

Keras imports packages that it only uses where they are installed: scikit-learn for wrappers, Matplotlib for figures,
pandas for tables as input. Nothing here needs those parts, so that what is not imported yet is hidden from Keras.
"""

import contextlib
import ctypes
import gc
import os
import platform
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from .runtime import stderr_to

HIDDEN = ("IPython", "matplotlib", "pandas", "scipy", "sklearn")


@contextlib.contextmanager
def _quickly() -> Iterator[None]:
    """Imports without collecting garbage, of which there is none, and without the packages in `HIDDEN`."""
    here = threading.get_ident()

    def find_spec(name: str, *_: Any) -> None:
        if name in HIDDEN and threading.get_ident() == here:  # other threads may need them
            raise ModuleNotFoundError(f"{name} is hidden from Keras", name=name)

    finder = SimpleNamespace(find_spec=find_spec)
    sys.meta_path.insert(0, finder)
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        gc.freeze()  # what is imported stays: it need not be searched again and again
        if collecting:
            gc.enable()


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with _quickly(), stderr_to(os.devnull):  # an ImportError still reaches the user
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()
    tf.get_logger().setLevel("ERROR")

if platform.libc_ver()[0] == "glibc":  # would hand the memory of each step back to the system; `docs/speed.md`
    for option, value in ((-8, 1), (-4, 0), (-1, 2**31 - 1)):  # M_ARENA_MAX, M_MMAP_MAX, M_TRIM_THRESHOLD
        ctypes.CDLL(None).mallopt(option, value)

__all__ = ["keras", "tf"]
