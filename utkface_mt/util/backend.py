"""TensorFlow and Keras, imported without the start-up chatter that TensorFlow writes past Python to the screen."""

import os

from .runtime import stderr_to

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with stderr_to(os.devnull):  # an ImportError still reaches the user
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()
    tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
