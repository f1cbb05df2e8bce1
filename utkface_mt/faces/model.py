"""The bundled model on aligned faces: ages with intervals, genders with probabilities."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from ..data.labels import GENDERS, OLDEST, YOUNGEST
from ..data.pixels import CROP_SIZE, in_rgb, prepare_picture, read_picture
from ..evaluation.calibration import FaceInterval, GenderCalibration
from ..model.age import AgeHead
from ..model.folding import freeze_statistics
from ..model.network import build_network, heads_of
from ..model.predict import HEADS, compiled
from ..model.weights import BUNDLED_MODEL
from ..util.backend import keras, tf
from ..util.errors import UserError
from ..util.files import file_digest, read_json

if TYPE_CHECKING:
    import pandas as pd

    from ..data.dataset import Dataset

BATCH = 32
WORTH_COMPILING = 128  # pictures: compiling takes as long as answering about so many without it
UNCOMPILED_BATCH = 8  # pictures: without it, what all layers give is in memory at once
PARTS = ("backbone", "heads")
WANTED = "A list of aligned faces is needed, each a PIL picture or a uint8 array [h, w, 3] of 0 to 255, RGB"
NOT_SQUARE = "a picture of {} x {} pixels is no crop like UTKFace's, which are square, 200 x 200."


class Answer(NamedTuple):
    """What the model says of one face.

    Attributes:
        age: in years.
        age_low: lower end of the interval in which the ages of 90 % of faces like UTKFace's lie.
        age_high: its upper end.
        gender: `Male` or `Female`, a binary label.
        probability_female: calibrated.
    """

    age: float
    age_low: float
    age_high: float
    gender: str
    probability_female: float


ANSWERS = Answer._fields


def _folded(layer: keras.Layer) -> keras.Layer:
    return freeze_statistics(layer) if isinstance(layer, keras.Model) else layer


@dataclass(frozen=True)
class FaceModel:
    """A trained network with everything that turns its outputs into answers. Threads may share it.

    Attributes:
        network: from pictures to both heads, with Keras' own normalisation.
        age_head: decodes ages.
        image_size: side of the network's pictures in pixels.
        crop: as for `prepare_picture`.
        flip_average: whether the answer to the mirror image is averaged in.
        interval: the conformal interval of the age, of each face's own width.
        calibration: of the gender probability; it never moves a probability across one half.
    """

    network: keras.Model
    age_head: AgeHead
    image_size: int
    crop: float
    flip_average: bool
    interval: FaceInterval
    calibration: GenderCalibration
    _called: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(lock=threading.Lock(), faces=0, fast=None), init=False, compare=False
    )

    def predict(self, pictures: Iterable[Image.Image | np.ndarray]) -> pd.DataFrame:
        """As `answers`, as a table with a row a face and the columns of `Answer`."""
        import pandas as pd

        return pd.DataFrame(self.answers(pictures), columns=list(ANSWERS))

    def answers(self, pictures: Iterable[Image.Image | np.ndarray]) -> list[Answer]:
        """Predicts aligned faces, cut like UTKFace's crops: an answer a face.

        The pictures are PIL's or uint8 arrays `[h, w, 3]`, square; other sizes than 200 are resized to it.

        Raises:
            UserError: if a picture is not square, or is none.
        """
        if isinstance(pictures, str | bytes | Path | Image.Image) or not isinstance(pictures, Iterable):
            raise UserError(f"{WANTED}; given was {_described(pictures)}.")
        prepared, answers = map(self.prepare, pictures), []
        while batch := list(itertools.islice(prepared, BATCH)):
            outputs = self._outputs(np.stack(batch))
            ages = self.age_head.years(outputs["age"])
            low, high = (ends.clip(YOUNGEST, OLDEST) for ends in self.interval.ends(outputs["age"]))
            female = self.calibration.probability(outputs["gender"][:, 0])
            genders = [GENDERS[int(probability >= 0.5)] for probability in female]
            answers += map(Answer, ages.tolist(), low.tolist(), high.tolist(), genders, female.tolist())
        return answers

    def age_probabilities(self, picture: Image.Image | np.ndarray) -> np.ndarray:
        """The probability of each year for one aligned face, as for `answers`: float64 `[117]`, from 0 years on."""
        return self._outputs(self.prepare(picture)[None])["age"][0].astype(np.float64)

    def prepare(self, picture: Image.Image | np.ndarray) -> np.ndarray:
        """An aligned face as the network sees it, uint8 `[size, size, 3]`; given, and refused, as by `answers`."""
        if not isinstance(picture, Image.Image):
            if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.shape[2:] != (3,):
                raise UserError(f"{WANTED}; one of them is {_described(picture)}.")
            picture = Image.fromarray(picture)
        if picture.width != picture.height:
            raise UserError(NOT_SQUARE.format(*picture.size))
        if picture.width != CROP_SIZE:
            picture = in_rgb(picture).resize((CROP_SIZE, CROP_SIZE), Image.Resampling.LANCZOS)
        return prepare_picture(picture, self.image_size, self.crop)

    def _outputs(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """What both heads say of prepared pictures, averaged over the views."""
        views = [pixels, pixels[:, :, ::-1]] if self.flip_average else [pixels]
        outputs = self._call(tf.constant(np.concatenate(views), tf.float32))
        return {name: outputs[name].numpy().reshape(len(views), len(pixels), -1).mean(axis=0) for name in HEADS}

    def _call(self, pictures: tf.Tensor) -> dict[str, tf.Tensor]:
        """Calls the network as it is for the first faces, then with its normalisation folded, and compiled."""
        with self._called.lock:
            self._called.faces += len(pictures)
            if not self._called.fast and self._called.faces >= WORTH_COMPILING:
                self._called.fast = compiled(keras.models.clone_model(self.network, clone_function=_folded))
        if self._called.fast:
            return self._called.fast(pictures)
        parts = (pictures[start : start + UNCOMPILED_BATCH] for start in range(0, len(pictures), UNCOMPILED_BATCH))
        outputs = [self.network(part, training=False) for part in parts]
        return {name: tf.concat([output[name] for output in outputs], 0) for name in HEADS}


def _described(value: Any) -> str:
    return f"an array of {value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else repr(value)[:60]


def load_model(folder: str | Path = BUNDLED_MODEL) -> FaceModel:
    """Loads the bundled model, or another folder with `model.json`, `backbone.weights.h5` and `heads.weights.h5`.

    A file that is missing, or whose checksum is not the one in `model.json`, is a `UserError`.
    """
    folder = Path(folder)
    if not (folder / "model.json").exists():
        raise UserError(f"There is no model in {folder}: model.json is missing. Install the package again.")
    described = read_json(folder / "model.json")
    for part in PARTS:
        file = folder / f"{part}.weights.h5"
        if not file.exists() or file_digest(file) != described["sha256"][part]:
            raise UserError(f"{file} is missing or damaged (wrong checksum). Install the package again.")
    trained = described["experiment"]
    age_head = AgeHead(trained["age_head"], trained["age_decoding"], **described["age_scale"])
    shape = {name: trained[name] for name in ("backbone", "width", "image_size")}
    network = build_network(age_head, **shape, normalisation="trainable")
    network.trainable = False
    network.get_layer("backbone").load_weights(folder / "backbone.weights.h5")
    heads_of(network).load_weights(folder / "heads.weights.h5")
    views = {name: trained[name] for name in ("image_size", "crop", "flip_average")}
    interval, calibration = FaceInterval(**described["interval"]), GenderCalibration(described["calibration_slope"])
    return FaceModel(network, age_head, **views, interval=interval, calibration=calibration)


def evaluate(dataset: Dataset, model: FaceModel | None = None) -> dict[str, Any]:
    """Scores a model, the bundled one by default, on labelled faces.

    They are `n`, `age_mae` and `age_rmse` in years, `gender_accuracy` and `gender_f1_weighted` as fractions; and
    `by_race`, the same by race name.
    """
    from ..data.labels import race_name
    from ..evaluation.metrics import predictions_table, score

    def scores(table: pd.DataFrame) -> dict[str, float]:
        return {"n": len(table), **{name: value for name, value in score(table).items() if name != "age_within_5"}}

    answers = (model or load_model()).predict(read_picture(dataset.folder, path) for path in dataset.faces["path"])
    table = predictions_table(dataset.faces, answers["age"].to_numpy(), answers["probability_female"].to_numpy())
    races = table.groupby(race_name(table["race"]), observed=True)
    return {**scores(table), "by_race": {str(name): scores(members) for name, members in races}}


def check_labels(dataset: Dataset, model: FaceModel | None = None) -> pd.DataFrame:
    """How suspicious a model, the bundled one by default, finds a dataset's labels; most suspicious first.

    Of faces that the model was trained on it has learnt the labels, wrong ones too: it finds fewer of those. A row a
    face has `file`, `age`, `gender`, `race`, `cluster`, the model's answers, and what `add_suspicion` adds.
    """
    from ..evaluation.suspicion import add_suspicion, most_suspicious_first

    answers = (model or load_model()).predict(read_picture(dataset.folder, path) for path in dataset.faces["path"])
    answers = answers.rename(columns={"age": "age_predicted"}).drop(columns="gender").round(4)
    labels = dataset.faces[["file", "age", "gender", "race", "cluster"]].reset_index(drop=True)
    return most_suspicious_first(add_suspicion(labels.join(answers)))
