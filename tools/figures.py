"""The figures of README, docs and model card, drawn from `reference/`, and the one photo, which NASA gave to all."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from utkface_mt.config import repository_root
from utkface_mt.data.labels import gender_name, race_name
from utkface_mt.evaluation.metrics import by_group
from utkface_mt.evaluation.tables import age_error_grid
from utkface_mt.experiments.rows import ROWS
from utkface_mt.faces.annotate import annotate
from utkface_mt.faces.detect import find_faces
from utkface_mt.faces.model import load_model
from utkface_mt.faces.predict import describe_faces
from utkface_mt.faces.widget import chosen_photo
from utkface_mt.model.weights import BUNDLED_MODEL
from utkface_mt.plots import evaluation, measured
from utkface_mt.plots.style import use_style
from utkface_mt.util.files import replacing

from .readme import best_predictions


def draw(folder: Path | None = None) -> list[Path]:
    """Draws every figure into `images/`, or another folder, and returns the files."""
    use_style("Agg")
    folder = folder or repository_root() / "images"
    paths = []
    for name, figure in _figures().items():
        paths.append(folder / f"{name}.png")
        with replacing(paths[-1]) as temporary:
            figure.savefig(temporary, dpi=110, metadata={"Software": None})
        plt.close(figure)
    _, photo = chosen_photo(None)  # the astronaut Eileen Collins
    faces = find_faces(photo)
    rows = describe_faces(faces, load_model().predict([face.crop for face in faces]))
    paths.append(folder / "astronaut.jpg")
    with replacing(paths[-1]) as temporary:
        annotate(photo, rows).crop((0, 0, 448, 336)).resize((672, 504)).save(temporary, quality=88)
    return paths


def _figures() -> dict[str, Figure]:
    """How the rows scored and learnt, for whom the best one errs, and where the bundled model looks on average."""
    test = best_predictions()
    groups = [race_name(test["race"]).rename("race"), gender_name(test["gender_true"]).rename("gender")]
    with np.load(BUNDLED_MODEL / "attribution.npz") as saved:
        names = {"for older": "age", "for female": "gender", "for male": "male"}
        heats = {f"Grad-CAM, {name}": saved[task].astype(np.float32) for name, task in names.items()}
        attribution = evaluation.attribution_row(saved["face"], heats, f"The average over {saved['faces']} faces")
    curves = measured.measured_curves(*(row.name for row in ROWS[2:]))
    for axes in curves.axes:  # two kinds of age loss, of which one is several times the other
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter("{x:g}")
    return {
        "ladder": measured.measured_ladder(),
        "learning_curves": curves,
        "age_error": evaluation.age_error_heatmap(age_error_grid(test)),
        "by_race_and_gender": evaluation.group_scores(by_group(test, groups), "By race code and gender"),
        "predicted_against_true": evaluation.predicted_against_true(test),
        "attribution": attribution,
    }
