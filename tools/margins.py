"""Measures how UTKFace's crops are cut, and what it costs to cut them otherwise, on UTKFace itself.

Renews `reference/alignment.json`, from which the faces in photos are cut.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from rich.progress import track

from utkface_mt.data.pixels import CROP_SIZE, read_picture
from utkface_mt.evaluation.metrics import paired_difference, predictions_table, score
from utkface_mt.experiments.derive import require_row
from utkface_mt.experiments.run import load_network
from utkface_mt.experiments.workspace import Workspace
from utkface_mt.faces.detect import ALIGNMENT, LANDMARKS, crop_landmarks, cut_face, locate
from utkface_mt.faces.model import FaceModel, load_model
from utkface_mt.model.weights import BUNDLED_MODEL
from utkface_mt.util.files import read_json, write_json

from .command import call, data_parser, rounded, workspace_of

TRAIN_FACES = 1500  # that the usual places of the landmarks are taken from
MARGINS = (-0.15, -0.1, -0.05, -0.025, 0.0, 0.025, 0.05, 0.1, 0.15)


def usual_landmarks(workspace: Workspace) -> dict[str, Any]:
    """Where eyes, nose and mouth lie in UTKFace's crops: medians in pixels of 200, and the interquartile range."""
    positions = workspace.positions("train")
    positions = positions[:: max(1, len(positions) // TRAIN_FACES)]
    places = [place for _, _, place in _located(workspace, positions)]
    low, middle, high = np.percentile(places, [25, 50, 75], axis=0)
    return {
        "landmarks": {name: middle[i].round(1).tolist() for i, name in enumerate(LANDMARKS)},
        "spread": {name: float((high - low)[i].max().round(1)) for i, name in enumerate(LANDMARKS)},
        "faces": len(positions),
        "found": len(places),
    }


def error_by_margin(workspace: Workspace, model: FaceModel) -> dict[str, Any]:
    """A model's validation scores on crops as UTKFace cut them, and on the same faces found and cut again."""
    positions = workspace.positions("validation")
    known = list(_located(workspace, positions))
    faces = workspace.faces.iloc[[position for position, _, _ in known]]

    def predictions(pictures: Iterator[Image.Image]) -> pd.DataFrame:
        answers = model.predict(pictures)
        return predictions_table(faces, answers["age"].to_numpy(), answers["probability_female"].to_numpy())

    as_cut = predictions(picture for _, picture, _ in known)
    rows = []
    for margin in MARGINS:
        table = predictions(cut_face(picture, places, margin) for _, picture, places in known)
        paired = paired_difference(as_cut, table).loc["age_mae", ["difference", "low", "high"]]
        rows.append({"margin": margin, **rounded(score(table)), "age_mae_difference": paired.round(4).tolist()})
    return {"faces": len(positions), "found": len(known), "as_cut": rounded(score(as_cut)), "margins": rows}


def _located(workspace: Workspace, positions: np.ndarray) -> Iterator[tuple[int, Image.Image, np.ndarray]]:
    """Position, crop and landmarks of the faces that are found: of several in a crop the one nearest to the middle."""
    for position in track(positions, "Finding faces in crops"):
        picture = read_picture(workspace.dataset.folder, workspace.faces["path"].iloc[position])
        off_centre = {sum(abs(np.add(box[:2], box[2:]) - CROP_SIZE)): place for box, place, *_ in locate(picture)}
        if off_centre:
            yield int(position), picture, off_centre[min(off_centre)]


def main() -> None:
    """Measures both, the second with the network of the bundled model's row, which has not learnt validation faces."""
    options, bundled = data_parser(__doc__).parse_args(), read_json(BUNDLED_MODEL / "model.json")
    options.profile = bundled["profile"]
    workspace = workspace_of(options)
    model = replace(load_model(), network=load_network(workspace, require_row(workspace, bundled["row"])))
    usual = usual_landmarks(workspace)
    write_json(ALIGNMENT, usual)
    crop_landmarks.cache_clear()
    write_json(ALIGNMENT, {**usual, "validation": error_by_margin(workspace, model)})
    print(f"Renewed {ALIGNMENT}.")


if __name__ == "__main__":
    call(main)
