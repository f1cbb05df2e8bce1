"""What stops a training run that cannot go well: labels out of range, a loss that is no number, nothing learnt."""

from collections.abc import Callable

import numpy as np

from ..data.labels import OLDEST, YOUNGEST
from ..util.backend import keras
from ..util.errors import TrainingDivergedError, UserError

NAMED_FILES = 5  # of those involved are named in a message


def check_labels(ages: np.ndarray, genders: np.ndarray, files: list[str]) -> None:
    """Refuses labels that no face has: ages in years `[n]` and gender codes `[n]` of some files.

    Raises:
        UserError: naming the files.
    """
    wrong = ~((ages >= YOUNGEST) & (ages <= OLDEST) & np.isin(genders, (0, 1)))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise UserError(
            f"{wrong.sum()} faces have labels out of range, such as age {ages[first]} and gender {genders[first]}: "
            f"{named([files[row] for row in np.flatnonzero(wrong)])}. Ages go from {YOUNGEST} to {OLDEST}, genders "
            "are 0 or 1. Mend their names or remove them."
        )


class StopBadTraining(keras.callbacks.Callback):
    """Stops after the first batch whose loss is not a number, and after a first batch from which nothing is learnt."""

    def __init__(self, files_of: Callable[[int, int], list[str]]) -> None:
        """Takes what gives the files of a batch, from the numbers of epoch and batch, both from 0 on."""
        super().__init__()
        self._files_of, self._epoch, self._first = files_of, 0, True

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Notes where the run is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Looks at the loss, which Keras averages over the epoch so far: once it is no number, it stays so."""
        if not np.isfinite(float((logs or {}).get("loss", 0.0))):
            raise TrainingDivergedError(
                f"Training diverged in epoch {self._epoch + 1}, batch {batch + 1}: the loss is not a number. Lower the "
                f"learning rate. If that does not help, look at the pictures of this batch: "
                f"{named(self._files_of(self._epoch, batch))}."
            )
        if self._first:
            self._first = False
            averages = self.model.optimizer._momentums  # of the gradients so far
            if not any(np.any(average.numpy()) for average in averages):
                raise UserError(
                    "Nothing is learnt: all gradients of the first batch are zero, or no layer is trainable. Its "
                    f"faces: {named(self._files_of(self._epoch, batch))}. Check the loss weights and fine_tune."
                )


def named(files: list[str]) -> str:
    """The first of some files by name, and how many more there are."""
    return ", ".join(files[:NAMED_FILES]) + (f" and {len(files) - NAMED_FILES} more" if files[NAMED_FILES:] else "")
