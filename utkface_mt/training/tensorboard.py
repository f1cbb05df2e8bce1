"""Logs for TensorBoard, on request: losses, metrics and learning rate of each epoch."""

import importlib.util
from pathlib import Path

from ..backend import keras
from ..config import wants_tensorboard
from ..errors import UserError


def require_tensorboard() -> None:
    """Checks that logs can be written.

    Raises:
        UserError: if the package `tensorboard` is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError("Logs for TensorBoard need one more package: pip install tensorboard")


def tensorboard_callbacks(folder: Path) -> list[keras.callbacks.Callback]:
    """The callback that writes logs into `folder`, if they are wanted; a run that goes on adds to them.

    Raises:
        UserError: if they are wanted and the package `tensorboard` is not installed.
    """
    if not wants_tensorboard():
        return []
    require_tensorboard()
    return [keras.callbacks.TensorBoard(str(folder), write_graph=False)]
