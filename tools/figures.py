"""The figures of README, docs and model card, drawn from `reference/`, and the one photo, which NASA gave to all."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from utkface_mt.config import REFERENCE, Experiment, repository_root
from utkface_mt.data.labels import age_group, gender_name, race_name
from utkface_mt.drawn_faces import draw_face, sample_traits
from utkface_mt.evaluation.calibration import AgeInterval, GenderCalibration
from utkface_mt.evaluation.cost import comparison
from utkface_mt.evaluation.explain import explain
from utkface_mt.evaluation.metrics import by_group
from utkface_mt.evaluation.reports import age_error_grid
from utkface_mt.experiments.reference import best_result, measured_predictions, measured_result
from utkface_mt.experiments.results import Result
from utkface_mt.experiments.rows import ROWS
from utkface_mt.faces.annotate import annotate
from utkface_mt.faces.detect import ALIGNMENT, find_faces
from utkface_mt.faces.model import load_model
from utkface_mt.faces.predict import describe_faces
from utkface_mt.faces.widget import chosen_photo
from utkface_mt.model.predict import HEADS
from utkface_mt.model.weights import BUNDLED_MODEL
from utkface_mt.plots import evaluation, reference, training
from utkface_mt.plots.style import use_style
from utkface_mt.util.files import read_json, replacing

from .readme import bundled_profile

LIME_SAMPLES = 1000


def draw(folder: Path | None = None) -> list[Path]:
    """Draws every figure into `images/`, or another folder, and returns the files."""
    use_style("Agg")
    folder = folder or repository_root() / "images"
    paths = []
    for group in (_run_figures, _best_figures, _model_figures):
        for name, figure in group().items():
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


def _run_figures() -> dict[str, Figure]:
    """The ladder, how its rows learnt, the loss-weight sweep, and what backbones cost."""
    sweep = [
        Result("", Experiment(gender_share=run.pop("gender_share")), "cpu", seconds=0.0, **run)
        for run in read_json(REFERENCE / "comparisons.json")["gender_share"]
    ]
    probes = {"MobileNetV2 1.0": measured_result("03_baseline").validation}
    return {
        "ladder": reference.measured_ladder(),
        "learning_curves": reference.measured_curves(*(row.name for row in ROWS if row.previous)),
        "backbones": training.cost_against_accuracy(comparison({}, probes)),
        "loss_weights": training.loss_weight_sweep(sweep),
    }


def _best_figures() -> dict[str, Figure]:
    """The best row: who it errs for, how sure it is."""
    best = best_result(bundled_profile())
    test, calibration = measured_predictions(best), measured_predictions(best, "calibration")
    groups = [race_name(test["race"]).rename("race"), gender_name(test["gender_true"]).rename("gender")]
    ages = age_group(test["age_true"]).rename("age group")
    width = AgeInterval.fit(calibration).half_width
    return {
        "age_error": evaluation.age_error_heatmap(age_error_grid(test)),
        "by_age": evaluation.group_scores(by_group(test, ages), "By age group, with 95 % intervals"),
        "by_race_and_gender": evaluation.group_scores(by_group(test, groups), "By race code and gender"),
        "predicted_against_true": evaluation.predicted_against_true(test, width),
        "gender_probability": evaluation.reliability(test, GenderCalibration.fit(calibration)),
    }


def _model_figures() -> dict[str, Figure]:
    """Where the bundled model looks, on the mean of many faces and on a drawn one; what other margins cost it."""
    with np.load(BUNDLED_MODEL / "attribution.npz") as saved:
        heats = {f"Grad-CAM, {task}": saved[task].astype(np.float32) for task in HEADS}
        title = f"Where the network looks, on average over {saved['faces']} faces"
        average = evaluation.attribution_row(saved["face"], heats, title)
    model, drawing = load_model(), draw_face(sample_traits(45, 1, 0, np.random.default_rng(3)))
    answer, picture = model.answers([drawing])[0], model.prepare(drawing)
    title = f"A drawn face, predicted {answer.age:.0f} years, {100 * answer.probability_female:.0f} % female"
    heats = explain(model.network, picture, model.age_head, LIME_SAMPLES)
    lime = evaluation.attribution_row(picture, heats, title)
    margins = evaluation.error_by_margin(read_json(ALIGNMENT)["validation"])
    return {"attribution": average, "lime": lime, "margins": margins}
