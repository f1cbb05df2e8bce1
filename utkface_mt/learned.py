"""What the measured run on UTKFace showed, read from `reference/`: the notebooks' last word, never typed by hand."""

from typing import Any

import numpy as np
import pandas as pd

from .evaluation.metrics import by_group
from .files import read_json
from .labels import age_group, race_name
from .measured import PROFILE, REFERENCE, best_result, measured_predictions, measured_results, measured_rows
from .model.weights import BUNDLED_MODEL
from .rows import get_row

NOT_MEASURED = (
    "On UTKFace: not measured yet with this version. Once a run on UTKFace is committed as "
    "`utkface_mt/reference/results.json`, its figures stand here; `make run PROFILE=cpu DATA=PATH` makes one."
)


def learned(*names: str, profile: str = PROFILE) -> str:
    """Says in Markdown what the rows scored on UTKFace, ours beside the published.

    Args:
        names: names of rows, each compared with the row before it.
        profile: the profile of the measured run.
    """
    measured = measured_rows(profile)
    published = read_json(REFERENCE / "published.json")["rows"]
    lines = []
    for name in names:
        if name in published:
            lines.append(f"- Published, {get_row(name).title}: {_scores(published[name])}.")
        if name in measured:
            title = get_row(name).title.removeprefix("Ours: ")
            lines.append(f"- Ours, {title}: {_scores(measured[name])}{_step(measured[name])}.")
            lines += _spread(name)
    if not any(name in measured for name in names):
        lines.append(f"- {NOT_MEASURED}")
    return "\n".join(lines)


def learned_about_data() -> str:
    """What the check of the real archive found."""
    report = read_json(REFERENCE / "data.json")
    return (
        f"- On UTKFace: {report['files']:,} files, of which {len(report['quarantined'])} have a defective name. "
        f"{report['byte_identical_groups']} groups of byte-identical files ({report['byte_identical_files']} files): "
        f"their ages differ in {report['conflicting_age_groups']} of them, their genders in "
        f"{report['conflicting_gender_groups']}. {report['near_duplicate_clusters']} clusters of near-duplicates hold "
        f"{report['near_duplicate_files']:,} files."
    )


def learned_about_split() -> str:
    """How the real faces were divided."""
    split = pd.read_csv(REFERENCE / "split.csv.gz")
    sizes = ", ".join(f"{count:,} {part}" for part, count in split["part"].value_counts().items())
    divided = int((split.groupby("cluster")["part"].nunique() > 1).sum())
    return f"- On UTKFace: {sizes}. Clusters that stand on two sides: {divided}."


def learned_about_backbones() -> str:
    """What the candidates cost beside MobileNetV2, and what its frozen features gave."""
    costs = read_json(REFERENCE / "backbones.json")
    ours = costs["MobileNetV2 1.0"]["training_images_per_second"]
    others = "; ".join(
        f"{title} {cost['training_images_per_second'] / ours:.2f}"
        for title, cost in costs.items()
        if title != "MobileNetV2 1.0"
    )
    line = f"- Training speed against MobileNetV2 1.0, measured on: {costs['MobileNetV2 1.0']['machine']}: {others}."
    if "03_baseline" not in measured_rows():
        return line
    probe = measured_rows()["03_baseline"]["validation"]
    return (
        f"{line}\n- On UTKFace's validation faces, linear heads on MobileNetV2's frozen features: age MAE "
        f"{probe['age_mae']:.2f} years, gender accuracy {100 * probe['gender_accuracy']:.1f} %."
    )


def learned_about_attribution() -> str:
    """Where the bundled model looks on average, by thirds of the picture."""
    path = BUNDLED_MODEL / "attribution.npz"
    if not path.exists():
        return f"- {NOT_MEASURED}"
    lines = []
    with np.load(path) as saved:
        for task in ("age", "gender"):
            heat = saved[task].astype(np.float64)
            thirds = [100 * part.sum() / heat.sum() for part in np.array_split(heat, 3)]
            lines.append(
                f"- On UTKFace, Grad-CAM for {task}, mean of {saved['faces']} test faces: {thirds[0]:.0f} % of the "
                f"weight in the upper third, {thirds[1]:.0f} % in the middle, {thirds[2]:.0f} % in the lower."
            )
    return "\n".join(lines)


def learned_about_photos() -> str:
    """What finding faces and cutting them again costs."""
    measured = read_json(REFERENCE / "alignment.json")
    validation = measured["validation"]
    found = 100 * validation["found"] / validation["faces"]
    rows = {row["margin"]: verdict(row["age_mae_difference"], -1, "years") for row in validation["margins"]}
    tight, wide = min(rows), max(rows)
    return (
        f"- On UTKFace, the detector finds the face in {found:.1f} % of {validation['faces']:,} validation crops. "
        f"Found and cut again, they have an age error that differs by {rows[0.0]}.\n"
        f"- A margin of {100 * wide:.0f} % more at each edge: {rows[wide]}. {-100 * tight:.0f} % less: {rows[tight]}."
    )


def learned_about_schedulers() -> str:
    """How the schedulers compared on the validation faces."""
    return _compared("scheduler", lambda value: str(value))


def learned_about_loss_weights() -> str:
    """What the sweep of the loss weights gave on the validation faces."""
    return _compared("gender_share", lambda value: f"{100 * value:.0f} % gender")


def learned_about_groups() -> str:
    """For whom the best row errs most and least."""
    if not measured_rows():
        return f"- {NOT_MEASURED}"
    test = measured_predictions(best_result())
    lines = [f"- On UTKFace, {best_result().title}:"]
    for groups, name in ((age_group(test["age_true"]), "age group"), (race_name(test["race"]), "race code")):
        table = by_group(test, groups.rename(name))
        best, worst = table["age_mae"].idxmin(), table["age_mae"].idxmax()
        lines.append(
            f"  - age error by {name} from {_cell(table, best, 'age_mae', 1, '.1f')} years ({best}) to "
            f"{_cell(table, worst, 'age_mae', 1, '.1f')} years ({worst});"
        )
        best, worst = table["gender_accuracy"].idxmax(), table["gender_accuracy"].idxmin()
        lines.append(
            f"  - gender accuracy from {_cell(table, worst, 'gender_accuracy', 100, '.0f')} % ({worst}) to "
            f"{_cell(table, best, 'gender_accuracy', 100, '.0f')} % ({best})."
        )
    return "\n".join(lines)


def verdict(difference: list[float], better: int, unit: str, factor: float = 1) -> str:
    """Says what a paired difference amounts to, without wishful reading.

    Args:
        difference: the difference and the ends of its 95 % interval.
        better: -1 if lower values are better, 1 if higher ones are.
        unit: of the difference once multiplied.
        factor: what to multiply with.
    """
    middle, low, high = (factor * value for value in difference)
    told = "better" if middle * better > 0 else "worse"
    said = "no difference can be told" if low <= 0 <= high else told
    return f"{middle:+.2f} {unit} [{low:+.2f}, {high:+.2f}]: {said}"


def _scores(row: dict[str, Any]) -> str:
    age, gender = f"age MAE {row['age_mae']:.2f} years", f"gender accuracy {100 * row['gender_accuracy']:.1f} %"
    if "ci" in row:
        low, high = row["ci"]["age_mae"]
        age += f" [{low:.2f}, {high:.2f}]"
        low, high = (100 * end for end in row["ci"]["gender_accuracy"])
        gender += f" [{low:.1f}, {high:.1f}]"
    return f"{age}, {gender}"


def _step(row: dict[str, Any]) -> str:
    """The paired difference to the row before, both tasks."""
    if "difference" not in row:
        return ""
    age = verdict(row["difference"]["age_mae"], -1, "years")
    gender = verdict(row["difference"]["gender_accuracy"], 1, "points", 100)
    return f". Against the row before, age {age}; gender {gender}"


def _spread(name: str) -> list[str]:
    """How far the row's seeds scatter, where it was trained with several."""
    same = [result for result in measured_results() if result.row == name]
    if len(same) < 2:
        return []
    ages = ", ".join(f"{result.test['age_mae']:.2f}" for result in same)
    genders = ", ".join(f"{100 * result.test['gender_accuracy']:.1f}" for result in same)
    return [f"- The same row with {len(same)} seeds: age MAE {ages} years, gender accuracy {genders} %."]


def _compared(field: str, label: Any) -> str:
    """The runs of `comparisons.json` that differ in one field, with the spread between them."""
    path = REFERENCE / "comparisons.json"
    runs = read_json(path).get(field, []) if path.exists() else []
    if not runs:
        return f"- {NOT_MEASURED}"
    ages = [run["validation"]["age_mae"] for run in runs]
    genders = [100 * run["validation"]["gender_accuracy"] for run in runs]
    points = "; ".join(
        f"{label(run[field])}: age MAE {age:.2f}, gender {gender:.1f} %"
        for run, age, gender in zip(runs, ages, genders, strict=True)
    )
    return (
        f"- On UTKFace's validation faces, one run each: {points}. Between the extremes lie "
        f"{max(ages) - min(ages):.2f} years and {max(genders) - min(genders):.1f} points."
    )


def _cell(table: pd.DataFrame, key: str, name: str, factor: float, form: str) -> str:
    value, low, high = (factor * table.loc[key, column] for column in (name, f"{name}_low", f"{name}_high"))
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"
