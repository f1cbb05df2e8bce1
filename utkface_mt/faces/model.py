"""The bundled model on aligned faces: ages with intervals, genders with probabilities."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from ..config import Experiment
from ..data.batches import AgeScale, prediction_views
from ..data.dataset import Dataset
from ..data.index import CROP_SIZE
from ..data.labels import GENDERS, OLDEST, YOUNGEST, race_name
from ..data.pixels import prepare_picture, read_picture
from ..evaluation.calibration import AgeInterval, GenderCalibration
from ..evaluation.metrics import predictions_table, score
from ..model.network import ages_in_years, build_network, compiled
from ..model.weights import BUNDLED_MODEL
from ..util.backend import keras, tf
from ..util.errors import UserError
from ..util.files import file_digest, read_json

BATCH = 64
PARTS = ("backbone", "heads")
ANSWERS = ("age", "age_low", "age_high", "gender", "probability_female")
NOT_SQUARE = "a picture of {} x {} pixels is no crop like UTKFace's, which are square, 200 x 200."


@dataclass(frozen=True)
class FaceModel:
    """A trained network with everything that turns its outputs into answers.

    Attributes:
        experiment: what the network was trained as.
        network: from pictures to both heads.
        scale: the training ages' mean and deviation.
        interval: the conformal interval of the age.
        calibration: of the gender probability; it never moves a probability across one half.
    """

    experiment: Experiment
    network: keras.Model
    scale: AgeScale
    interval: AgeInterval
    calibration: GenderCalibration

    def predict(self, pictures: Iterable[Image.Image | np.ndarray]) -> pd.DataFrame:
        """Predicts aligned faces, cut like UTKFace's crops.

        Args:
            pictures: PIL pictures or uint8 arrays `[h, w, 3]`, square; other sizes than 200 are resized to it.

        Returns:
            A row a face: `age`, `age_low`, `age_high` in years (90 % of faces like UTKFace's lie between the last
            two), `gender` (`Male` or `Female`, a binary label), `probability_female`.

        Raises:
            UserError: if a picture is not square, or is none.
        """
        tables = [self._predict_batch(batch) for batch in _batches(map(self._prepare, pictures))]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(ANSWERS))

    def age_probabilities(self, picture: Image.Image | np.ndarray) -> np.ndarray:
        """The probability of each year for one aligned face: float64 `[117]`, from 0 years on.

        Raises:
            UserError: if the picture is not square, or the model's age head gives a single number.
        """
        if self.experiment.age_head != "distribution":
            raise UserError("This model answers with a single age; only an age distribution has probabilities.")
        return self._outputs(self._prepare(picture)[None])["age"][0].astype(np.float64)

    def _prepare(self, picture: Image.Image | np.ndarray) -> np.ndarray:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(_checked(picture))
        if image.width != image.height:
            raise UserError(NOT_SQUARE.format(*image.size))
        if image.width != CROP_SIZE:
            image = image.convert("RGB").resize((CROP_SIZE, CROP_SIZE), Image.Resampling.LANCZOS)
        return prepare_picture(image, self.experiment.image_size, self.experiment.crop)

    def _outputs(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """What both heads say of prepared pictures, averaged over the views."""
        call = compiled(self.network)
        views = prediction_views(tf.constant(pixels, tf.float32), self.experiment.flip_average)
        outputs = [call(view) for view in views]
        return {name: np.mean([output[name] for output in outputs], axis=0) for name in ("age", "gender")}

    def _predict_batch(self, pixels: np.ndarray) -> pd.DataFrame:
        mean = self._outputs(pixels)
        ages = ages_in_years(mean["age"], self.experiment, self.scale)
        female = self.calibration.probability(pd.Series(mean["gender"][:, 0]))
        return pd.DataFrame(
            {
                "age": ages,
                "age_low": np.maximum(ages - self.interval.half_width, YOUNGEST),
                "age_high": np.minimum(ages + self.interval.half_width, OLDEST),
                "gender": np.where(female >= 0.5, GENDERS[1], GENDERS[0]),
                "probability_female": female,
            }
        )


def _checked(picture: np.ndarray) -> np.ndarray:
    """An array that is a picture.

    Raises:
        UserError: if it is none.
    """
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[-1] == 3:
        return picture
    given = (
        f"an array of {picture.dtype} {list(picture.shape)}" if isinstance(picture, np.ndarray) else repr(picture)[:60]
    )
    raise UserError(f"A list of pictures is needed, PIL pictures or uint8 arrays [h, w, 3]; one of them is {given}.")


def load_model(folder: Path = BUNDLED_MODEL) -> FaceModel:
    """Loads the bundled model, or another that `utkface_mt.bundle` wrote.

    Args:
        folder: holds `model.json`, `backbone.weights.h5` and `heads.weights.h5`.

    Raises:
        UserError: if a file is missing or its checksum is not the one in `model.json`.
    """
    path = folder / "model.json"
    if not path.exists():
        raise UserError(f"There is no model in {folder}: model.json is missing. Install the package again.")
    described = read_json(path)
    for part in PARTS:
        file = folder / f"{part}.weights.h5"
        if not file.exists() or file_digest(file) != described["sha256"][part]:
            raise UserError(f"{file} is missing or damaged (wrong checksum). Install the package again.")
    experiment = Experiment.from_dict({**described["experiment"], "weights": "none"})
    network = build_network(experiment)
    network.get_layer("backbone").load_weights(folder / "backbone.weights.h5")
    heads_of(network).load_weights(folder / "heads.weights.h5")
    return FaceModel(
        experiment,
        network,
        AgeScale(**described["age_scale"]),
        AgeInterval(described["interval_half_width"]),
        GenderCalibration(described["calibration_slope"]),
    )


def heads_of(network: keras.Model) -> keras.Model:
    """Both heads of a network as a model of its own, from pooled features; it shares the network's variables."""
    features = keras.Input(network.get_layer("features").output.shape[1:], name="features")
    return keras.Model(features, {name: network.get_layer(name)(features) for name in ("age", "gender")}, name="heads")


def _batches(pictures: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    batch: list[np.ndarray] = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == BATCH:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def evaluate(dataset: Dataset, model: FaceModel | None = None) -> dict[str, Any]:
    """Scores a model on labelled faces.

    Args:
        dataset: UTKFace-named crops.
        model: the bundled one by default.

    Returns:
        `n`, `age_mae`, `age_rmse` in years, `gender_accuracy`, `gender_f1_weighted` as fractions; and `by_race`, the
        same by race name.
    """
    model = model or load_model()
    answers = model.predict(read_picture(dataset.folder, path) for path in dataset.faces["path"])
    table = predictions_table(dataset.faces, answers["age"].to_numpy(), answers["probability_female"].to_numpy())
    races = table.groupby(race_name(table["race"]), observed=True)
    return {**_scores(table), "by_race": {str(name): _scores(members) for name, members in races}}


def _scores(table: pd.DataFrame) -> dict[str, float]:
    scores = score(table)
    names = ("age_mae", "age_rmse", "gender_accuracy", "gender_f1_weighted")
    return {"n": len(table), **{name: scores[name] for name in names}}
