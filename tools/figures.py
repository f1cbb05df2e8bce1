"""The figures of README and model card, drawn from `reference/`: none of them shows a face."""

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import optuna
from matplotlib.figure import Figure

from utkface_mt.config import Experiment, repository_root
from utkface_mt.drawn_faces import draw_face, sample_traits
from utkface_mt.evaluation.calibration import AgeInterval, GenderCalibration, coverage_table
from utkface_mt.evaluation.explain import TASKS
from utkface_mt.evaluation.metrics import by_group
from utkface_mt.evaluation.reports import age_error_grid
from utkface_mt.plots import evaluation, evaluation as photos, training
from utkface_mt.plots.style import use_style
from utkface_mt.util.files import read_json, replacing
from utkface_mt.faces.model import load_model
from utkface_mt.data.labels import age_group, gender_name, race_name
from utkface_mt.experiments.reference import REFERENCE, best_result, measured_predictions, measured_results
from utkface_mt.model.weights import BUNDLED_MODEL
from utkface_mt.faces.detect import ALIGNMENT
from utkface_mt.evaluation.explain import explain_crop
from utkface_mt.experiments.results import Result
from utkface_mt.evaluation.cost import comparison
from utkface_mt.training.search import SPACE

LIME_SAMPLES = 1000


def draw(folder: Path | None = None) -> list[Path]:
    """Draws every figure the reference has the data for.

    Args:
        folder: where to; `images/` at the repository's root by default.

    Returns:
        The files written.
    """
    matplotlib.use("Agg")
    use_style()
    folder = folder or repository_root() / "images"
    paths = []
    for group in (_table_figures, _run_figures, _best_figures, _model_figures, _photo_figures):
        for name, figure in group().items():
            paths.append(folder / f"{name}.png")
            with replacing(paths[-1]) as temporary:
                figure.savefig(temporary, dpi=110, metadata={"Software": None})
            plt.close(figure)
    return paths


def _table_figures() -> dict[str, Figure]:
    """The ladder, and how each row learnt."""
    rows = [result for result in measured_results() if result.history and not result.repeat]
    learnt = {result.title: result for result in rows if result.experiment.fine_tune}
    figures = {"ladder": evaluation.ladder_chart(rows)}
    return figures | ({"learning_curves": training.learning_curves(learnt)} if learnt else {})


def _run_figures() -> dict[str, Figure]:
    """The study, the loss-weight sweep, and what backbones cost."""
    figures = {"backbones": training.cost_against_accuracy(comparison({}, _probes()))}
    if (REFERENCE / "study.json").exists():
        names = ("study_history", "study_importances", "study_slices")
        figures |= dict(zip(names, training.study_figures(measured_study()), strict=False))
    comparisons = REFERENCE / "comparisons.json"
    sweep = read_json(comparisons).get("gender_share", []) if comparisons.exists() else []
    if sweep:
        figures["loss_weights"] = training.loss_weight_sweep([_as_result(run, "gender_share") for run in sweep])
    return figures


def _best_figures() -> dict[str, Figure]:
    """The best row: who it errs for, how sure it is."""
    best = best_result()
    test = measured_predictions(best)
    groups = [race_name(test["race"]).rename("race"), gender_name(test["gender_true"]).rename("gender")]
    ages = age_group(test["age_true"]).rename("age group")
    calibration = measured_predictions(best, "calibration")
    width = AgeInterval.fit(calibration).half_width
    return {
        "age_error": evaluation.age_error_heatmap(age_error_grid(test)),
        "by_age": evaluation.group_scores(by_group(test, ages), "By age group, with 95 % intervals"),
        "by_race_and_gender": evaluation.group_scores(by_group(test, groups), "By race code and gender"),
        "gender": evaluation.gender_confusion(test),
        "predicted_against_true": evaluation.predicted_against_true(test, width),
        "gender_probability": evaluation.reliability(test, GenderCalibration.fit(calibration)),
        "coverage": evaluation.coverage(coverage_table(calibration, test)),
    }


def _model_figures() -> dict[str, Figure]:
    """Where the bundled model looks: on the mean of many faces, and on one that was drawn."""
    if not (BUNDLED_MODEL / "model.json").exists():
        return {}
    with np.load(BUNDLED_MODEL / "attribution.npz") as saved:
        heats = {f"Grad-CAM, {task}": saved[task].astype(np.float32) for task in TASKS}
        title = f"Where the network looks, on average over {saved['faces']} faces"
        average = evaluation.attribution_row(saved["face"], heats, title)
    return {"attribution": average, "lime": _explained_drawing()}


def _photo_figures() -> dict[str, Figure]:
    """What faces cut out of photos at other margins cost."""
    return {"margins": photos.error_by_margin(read_json(ALIGNMENT)["validation"])}


def _explained_drawing(age: int = 45, gender: int = 1, race: int = 0) -> Figure:
    """LIME and Grad-CAM for one drawn face."""
    model = load_model()
    drawing = draw_face(sample_traits(age, gender, race, np.random.default_rng(3)))
    picture, heats = explain_crop(model, drawing, LIME_SAMPLES)
    answer = model.predict([drawing]).iloc[0]
    title = f"A drawn face, predicted {answer['age']:.0f} years, {100 * answer['probability_female']:.0f} % female"
    return evaluation.attribution_row(picture, heats, title)


def measured_study() -> optuna.Study:
    """The hyperparameter study of the reference, in memory."""
    study = optuna.create_study(direction="minimize")
    for trial in read_json(REFERENCE / "study.json"):
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState[trial["state"]],
                value=trial["value"],
                params=trial["params"],
                distributions={name: SPACE[name] for name in trial["params"]},
                intermediate_values={int(epoch): value for epoch, value in trial["epochs"].items()},
            )
        )
    return study


def _as_result(run: dict, field: str) -> Result:
    """A run of `comparisons.json` as the figures take it."""
    return Result("", Experiment(**{field: run[field]}), "cpu", run["history"], run["validation"], 0.0)


def _probes() -> dict[str, dict[str, float]]:
    """Validation scores of the frozen baseline: the probe of the one backbone whose weights were at hand."""
    rows = {result.row: result for result in measured_results() if not result.repeat}
    return {"MobileNetV2 1.0": rows["03_baseline"].validation} if "03_baseline" in rows else {}


if __name__ == "__main__":
    for path in draw():
        print(f"drew {path.name}")
