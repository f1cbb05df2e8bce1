"""Stopping and going on: a training run's whole state, written after each epoch."""

import json
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..util.backend import keras
from ..util.errors import TrainingDivergedError, UserError
from ..util.files import replacing, write_json

DAMAGED = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile)  # what reading half of one raises
KEPT = 2  # the newest checkpoint and the one before it; the best epoch's is kept as well


class Checkpoints(keras.callbacks.Callback):
    """Saves the state after each epoch, keeps the best epoch's, and stops when patience runs out.

    The state is everything a later epoch depends on: weights, the optimiser's variables (its learning rate among
    them), the plateau counters and the history so far. Best epoch and patience follow from the history.
    """

    def __init__(
        self,
        folder: Path,
        patience: int,
        plateau: keras.callbacks.ReduceLROnPlateau | None = None,
        writing: bool = True,
    ) -> None:
        """Takes a folder, the epochs without a lower loss that are borne, a plateau's callback, whether to write."""
        super().__init__()
        self.folder, self.patience, self.plateau, self.writing = folder, patience, plateau, writing
        self.history: list[dict[str, float]] = []
        self._plateau_state: dict[str, Any] = {}
        self._started = 0.0

    @property
    def finished(self) -> bool:
        """Whether patience has run out."""
        return bool(self.history) and len(self.history) - 1 - self._best >= self.patience

    def restore(self, model: keras.Model) -> int:
        """Puts the newest readable state into a compiled and built model; returns the epoch to go on with, or 0."""
        for path in sorted(self.folder.glob("epoch-*.npz"), reverse=True):
            try:
                state, values = _read(path)
                _assign(_variables(model), values)
            except DAMAGED as error:
                print(f"Checkpoint {path.name} is damaged ({error}); training goes on from the one before it, if any.")
                continue
            self.history, self._plateau_state = state["history"], state["plateau"]
            return len(self.history)
        return 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Restores the plateau counters, which Keras resets here."""
        if self.plateau is not None:
            vars(self.plateau).update(self._plateau_state)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Starts the epoch's clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Records the epoch, saves the state, and stops a run that no longer improves or has diverged."""
        row = {name: float(value) for name, value in (logs or {}).items()}
        if not all(np.isfinite(value) for value in row.values()):
            raise TrainingDivergedError(
                f"Training diverged in epoch {epoch + 1}: the validation loss is not a number. Lower the learning rate."
            )
        row["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row["seconds"] = round(time.perf_counter() - self._started, 3)
        self.history.append(row)
        self.model.stop_training |= self.finished
        if not self.writing:
            return
        counters = ("wait", "best", "cooldown_counter") if self.plateau is not None else ()
        plateau = {name: float(getattr(self.plateau, name)) for name in counters}
        values = {f"v{number}": value.numpy() for number, value in enumerate(_variables(self.model))}
        with replacing(self._path(epoch)) as temporary:
            np.savez(temporary, state=json.dumps({"history": self.history, "plateau": plateau}), **values)
        for old in sorted(self.folder.glob("epoch-*.npz"))[:-KEPT]:
            if old != self._path(self._best):
                old.unlink()
        write_json(self.folder / "history.json", self.history)

    def load_best(self, model: keras.Model) -> None:
        """Puts the best epoch's weights into the model.

        Raises:
            UserError: if their file is damaged.
        """
        path = self._path(self._best)
        try:
            _assign(model.variables, _read(path)[1][: len(model.variables)])
        except DAMAGED as error:
            raise UserError(
                f"{path} is damaged ({error}). Delete the folder {self.folder.name} "
                "that it lies in and run the same command again; this experiment is then trained anew."
            ) from error

    @property
    def _best(self) -> int:
        return int(np.argmin([epoch["val_loss"] for epoch in self.history]))

    def _path(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:04d}.npz"


def clear_states(folder: Path) -> None:
    """Removes the states of a run whose result and weights have been put away; its history stays."""
    for path in folder.glob("epoch-*.npz"):
        path.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The state that a file holds, history and plateau, and the values of `_variables`."""
    with np.load(path) as saved:
        return json.loads(str(saved["state"])), [saved[f"v{number}"] for number in range(len(saved.files) - 1)]


def _assign(variables: list, values: list[np.ndarray]) -> None:
    if len(variables) != len(values):
        raise ValueError(f"it holds {len(values)} variables, the model has {len(variables)}")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _variables(model: keras.Model) -> list:
    """Everything a step changes: weights, then the optimiser's variables (random layers' counters among the former)."""
    return [*model.variables, *model.optimizer.variables]
