"""For maintainers: how UTKFace's crops are cut, and what it costs to cut them otherwise, measured on UTKFace itself."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from utkface_mt.data.index import CROP_SIZE
from utkface_mt.data.pixels import read_picture
from utkface_mt.evaluation.metrics import paired_difference, predictions_table, score
from utkface_mt.util.files import write_json
from utkface_mt.faces.model import FaceModel
from utkface_mt.experiments.workspace import Workspace
from utkface_mt.faces.detect import ALIGNMENT, LANDMARKS, crop_landmarks, cut_face
from utkface_mt.faces.detect import locate

TRAIN_FACES = 1500  # that the usual places of the landmarks are taken from
MARGINS = (-0.15, -0.1, -0.05, -0.025, 0.0, 0.025, 0.05, 0.1, 0.15)


def measure_alignment(
    workspace: Workspace, model: FaceModel, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Measures both and writes them to `reference/alignment.json`, from which photos are cut.

    Args:
        workspace: opened on UTKFace.
        model: the model that will look at photos.
        progress: called with (done, total) for the training faces, then for the validation faces.

    Returns:
        What was written: `usual_landmarks` and `error_by_margin` together.
    """
    usual = usual_landmarks(workspace, progress)
    write_json(ALIGNMENT, usual)
    crop_landmarks.cache_clear()
    measured = {**usual, "validation": error_by_margin(workspace, model, progress)}
    write_json(ALIGNMENT, measured)
    return measured


def usual_landmarks(workspace: Workspace, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Where the detector finds eyes, nose and mouth in UTKFace's crops.

    Args:
        workspace: opened on UTKFace; every n-th training face is looked at.
        progress: called with (done, total) after each face.

    Returns:
        `landmarks`: the median place of each by name, pixels of 200; `spread`: half of the faces lie within this
        many pixels around it (interquartile range, the wider of x and y); `faces` looked at, `found` among them.
    """
    looked = [found for _, _, found in _located(workspace, "train", TRAIN_FACES, progress)]
    places = [found for found in looked if found is not None]
    low, middle, high = np.percentile(places, [25, 50, 75], axis=0)
    return {
        "landmarks": {name: middle[i].round(1).tolist() for i, name in enumerate(LANDMARKS)},
        "spread": {name: float((high - low)[i].max().round(1)) for i, name in enumerate(LANDMARKS)},
        "faces": len(looked),
        "found": len(places),
    }


def error_by_margin(
    workspace: Workspace, model: FaceModel, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """The model's validation scores on crops as UTKFace cut them, and on the same faces found and cut again.

    Beyond a crop's edge there is nothing to show, so that wider margins get a black frame that a photo would not
    have, and may have a larger error for it.

    Args:
        workspace: opened on UTKFace.
        model: the model that will look at photos.
        progress: called with (done, total) after each face.

    Returns:
        `faces` and `found`; `as_cut`: scores of the crops as they are, of the faces found; `margins`: for each of
        `MARGINS` the scores, and `age_mae_difference`, the paired difference to `as_cut` with its 95 % interval.
    """
    looked = list(_located(workspace, "validation", 0, progress))
    known = [(position, picture, places) for position, picture, places in looked if places is not None]
    faces = workspace.faces.iloc[[position for position, _, _ in known]]

    def predictions(pictures: Iterator[Image.Image]) -> pd.DataFrame:
        answers = model.predict(pictures)
        return predictions_table(faces, answers["age"].to_numpy(), answers["probability_female"].to_numpy())

    as_cut = predictions(picture for _, picture, _ in known)
    rows = []
    for margin in MARGINS:
        table = predictions(cut_face(picture, places, margin) for _, picture, places in known)
        paired = paired_difference(as_cut, table).loc["age_mae", ["difference", "low", "high"]]
        rows.append({"margin": margin, **_rounded(score(table)), "age_mae_difference": paired.round(4).tolist()})
    return {"faces": len(looked), "found": len(known), "as_cut": _rounded(score(as_cut)), "margins": rows}


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in scores.items()}


def _positions(workspace: Workspace, part: str, faces: int) -> np.ndarray:
    """Evenly spread positions of a part: about `faces` of them, or all if `faces` is 0."""
    positions = workspace.positions(part)
    return positions[:: max(1, len(positions) // faces)] if faces else positions


def _located(
    workspace: Workspace, part: str, faces: int, progress: Callable[[int, int], None] | None
) -> Iterator[tuple[int, Image.Image, np.ndarray | None]]:
    """Position, crop and landmarks of faces; no landmarks where the detector finds no face.

    Of several faces that one counts whose box lies nearest to the middle.
    """
    positions = _positions(workspace, part, faces)
    for done, position in enumerate(positions, start=1):
        picture = read_picture(workspace.dataset.folder, workspace.faces["path"].iloc[position])
        found = sorted(locate(picture), key=lambda answer: _off_centre(answer[0]))
        yield int(position), picture, found[0][1] if found else None
        if progress:
            progress(done, len(positions))


def _off_centre(box: tuple[float, float, float, float]) -> float:
    left, top, right, bottom = box
    return abs(left + right - CROP_SIZE) + abs(top + bottom - CROP_SIZE)
