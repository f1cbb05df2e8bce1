"""TensorFlow and Keras, imported without the start-up chatter that TensorFlow writes past Python to the screen."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _silent_start() -> Iterator[None]:
    """Sends file descriptor 2 to nowhere while the block runs; Python errors still reach the user."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with _silent_start():
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()
    tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
