"""Training that cannot go well is stopped, and says where: a broken picture, wrong labels, nothing to learn."""

from pathlib import Path

import numpy as np
import pytest

from utkface_mt.data.batches import epoch_order
from utkface_mt.model.age import AgeHead
from utkface_mt.model.network import build_heads
from utkface_mt.training.fit import TrainingData, fit
from utkface_mt.training.optimizer import build_optimizer
from utkface_mt.util.backend import keras
from utkface_mt.util.errors import TrainingDivergedError, UserError


def _fit(model: keras.Model, data: TrainingData, folder: Path) -> None:
    fit(model, data, AgeHead.fit(data.ages), build_optimizer("adam", 0.01), folder, epochs=2, batch_size=8)


def test_a_diverging_run_is_stopped_and_names_the_files_of_the_batch(data: TrainingData, tmp_path: Path):
    data.source[3] = np.nan
    order = epoch_order(40, 0, 0)
    batch = int(np.flatnonzero(order == 3)[0]) // 8
    files = ", ".join(f"face-{number}.jpg" for number in order[8 * batch : 8 * batch + 5])
    with pytest.raises(TrainingDivergedError, match=rf"diverged in epoch 1, batch {batch + 1}: .*{files} and 3 more"):
        _fit(build_heads(3, AgeHead()), data, tmp_path)


def test_a_validation_loss_that_is_no_number_stops_the_run(data: TrainingData, tmp_path: Path):
    data.source[50] = np.nan
    with pytest.raises(TrainingDivergedError, match="epoch 1: the validation loss is not a number"):
        _fit(build_heads(3, AgeHead()), data, tmp_path)


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
def test_a_run_in_which_nothing_is_learnt_is_stopped(data: TrainingData, tmp_path: Path):
    model = build_heads(3, AgeHead())
    model.trainable = False
    with pytest.raises(UserError, match="Nothing is learnt"):
        _fit(model, data, tmp_path)


@pytest.mark.parametrize(("field", "value"), [("ages", 0), ("ages", 117), ("genders", 2), ("genders", -1)])
def test_labels_out_of_range_are_refused_with_their_file(field: str, value: int, data: TrainingData, tmp_path: Path):
    getattr(data, field)[7] = value
    with pytest.raises(UserError, match=r"1 faces have labels out of range.*: face-7.jpg"):
        _fit(build_heads(3, AgeHead()), data, tmp_path)
    assert not list(tmp_path.iterdir())
