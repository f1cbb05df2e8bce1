"""What was measured on UTKFace, as it is committed in `reference/`: rows, histories, predictions, the split."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ..config import REFERENCE
from ..data.labels import parse_name
from ..evaluation.metrics import COLUMNS
from ..util.errors import UserError
from ..util.files import read_json
from .results import Result, with_interval
from .rows import get_row

SHOWN = "full"  # the profile whose ladder README and notebooks show: the published 224 pixels
PROFILE = "cpu"  # the one measured first: its files stand in no folder of their own
BEST = "10_full_recipe"
PUBLIC_COLUMNS = ("file", "age_true", "age", "gender_true", "probability_female")  # what a predictions file holds


def measured_entries(reference: Path = REFERENCE) -> list[dict[str, Any]]:
    """What stands in `results.json`: the rows, then their repeats with other seeds; nothing before the first run."""
    return read_json(path) if (path := reference / "results.json").exists() else []


def measured_rows(profile: str = SHOWN) -> dict[str, dict[str, Any]]:
    """The rows as they stand in `results.json`, by name and without repeats."""
    entries = measured_entries()
    return {entry["experiment"]: entry for entry in entries if entry["profile"] == profile and not entry["repeat"]}


def measured_results(profile: str = SHOWN) -> list[Result]:
    """Rows and repeats with their histories."""
    results = [Result.from_table_row(entry) for entry in measured_entries() if entry["profile"] == profile]
    return [replace(one, history=read_json(file) if (file := history_file(one)).exists() else []) for one in results]


def results_by_row(profile: str = SHOWN) -> dict[str, Result]:
    """The rows without their repeats."""
    return {result.row: result for result in measured_results(profile) if not result.repeat}


def measured_result(row: str, profile: str = SHOWN) -> Result:
    """One row of the reference.

    Raises:
        UserError: if the reference has no such row.
    """
    results = results_by_row(profile)
    if row not in results:
        raise UserError(f"The reference has no row {row!r}; it has {', '.join(results) or 'none'}.")
    return results[row]


def best_result(profile: str = SHOWN) -> Result:
    """The row the model card speaks of: the full recipe, or the last row there is."""
    rows = results_by_row(profile)
    return rows.get(BEST, list(rows.values())[-1])


def history_file(result: Result, reference: Path = REFERENCE) -> Path:
    """Where the reference keeps a result's history; profiles other than `cpu` have a folder of theirs."""
    return reference / "history" / ("" if result.profile == PROFILE else result.profile) / f"{result.name}.json"


def predictions_file(result: Result, part: str = "test", reference: Path = REFERENCE) -> Path:
    """Where the reference keeps the predictions of a result.

    The file of a notebook's final row has the notebook's name. Other rows have their own with `row-` before it, since
    a row may be called like its notebook without being its final one.
    """
    own = result.name if result.repeat else f"row-{result.name}"
    name = result.notebook if result.final else own
    folder = reference / "predictions" / ("" if result.profile == PROFILE else result.profile)
    return folder / f"{name}{'' if part == 'test' else f'-{part}'}.csv.gz"


def measured_predictions(result: Result, part: str = "test", reference: Path = REFERENCE) -> pd.DataFrame:
    """The predictions of one of `measured_results`, joined to what else is known of the faces.

    Of trained rows there is the `part` `calibration` besides `test`. The table has `metrics.COLUMNS`.

    Raises:
        UserError: if they are not in the reference.
    """
    if not (path := predictions_file(result, part, reference)).exists():
        raise UserError(f"The reference has no {part} predictions of {result.name} ({path.name}).")
    table = pd.read_csv(path)
    table["cluster"] = table["file"].map(measured_split(reference).set_index("file")["cluster"])
    table["race"] = [parse_name(file).race for file in table["file"]]
    return table[list(COLUMNS)]


def published_rows() -> dict[str, dict[str, float]]:
    """The published ladder: `age_mae`, `age_rmse` and `gender_accuracy` by the name of the row."""
    return read_json(REFERENCE / "published.json")["rows"]


def measured_table(*names: str, profile: str = SHOWN) -> pd.DataFrame:
    """What rows scored on UTKFace beside the published figures, and what each changed against the row before.

    A line a score, a column a row; years for age, per cent for gender, 95 % intervals in brackets. Rows that were not
    measured are left out.
    """
    measured, published = measured_rows(profile), published_rows()
    lines = {}
    for name in (name for name in names if name in measured):
        row, theirs = measured[name], published.get(name)
        change = row.get("difference", {})
        lines[get_row(name).title] = {
            "published age MAE": f"{theirs['age_mae']:.2f}" if theirs else "",
            "age MAE": with_interval([row["age_mae"], *row["ci"]["age_mae"]], ".2f"),
            "change of age MAE": with_interval(change["age_mae"], "+.2f") if change else "",
            "published gender": f"{100 * theirs['gender_accuracy']:.0f} %" if theirs else "",
            "gender %": with_interval([row["gender_accuracy"], *row["ci"]["gender_accuracy"]], ".1f", 100),
            "change of gender, points": with_interval(change["gender_accuracy"], "+.2f", 100) if change else "",
        }
    return pd.DataFrame(lines)


def published_labels() -> pd.DataFrame:
    """UTKFace's labels, the most suspicious first, with out-of-fold answers: a table of `suspicion.add_suspicion`."""
    return pd.read_csv(REFERENCE / "labels.csv.gz", keep_default_na=False)


def measured_split(reference: Path = REFERENCE) -> pd.DataFrame:
    """The committed split: `file`, the first digits of `sha256`, `cluster`, `part`."""
    return pd.read_csv(reference / "split.csv.gz")
