"""What was measured on UTKFace, as it is committed in `reference/`: rows, histories, predictions, the split."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from .data.names import parse_name
from .errors import UserError
from .evaluation.metrics import COLUMNS
from .files import read_json
from .results import Result

REFERENCE = Path(__file__).parent / "reference"
PROFILE = "cpu"  # the profile the reference was measured with
BEST = "10_full_recipe"
PUBLIC_COLUMNS = ("file", "age_true", "age", "gender_true", "probability_female")  # what a predictions file holds


def measured_entries(reference: Path = REFERENCE) -> list[dict[str, Any]]:
    """What stands in `results.json`: the rows, then their repeats with other seeds; nothing before the first run."""
    path = reference / "results.json"
    return read_json(path) if path.exists() else []


def measured_rows(profile: str = PROFILE) -> dict[str, dict[str, Any]]:
    """The rows as they stand in `results.json`, by name and without repeats."""
    entries = measured_entries()
    return {entry["experiment"]: entry for entry in entries if entry["profile"] == profile and not entry["repeat"]}


def measured_results(profile: str = PROFILE) -> list[Result]:
    """Rows and repeats with their histories."""
    return [_result(entry, REFERENCE) for entry in measured_entries() if entry["profile"] == profile]


def measured_result(row: str) -> Result:
    """One row of the reference.

    Raises:
        UserError: if the reference has no such row.
    """
    results = {result.row: result for result in measured_results() if not result.repeat}
    if row not in results:
        raise UserError(f"The reference has no row {row!r}; it has {', '.join(results) or 'none'}.")
    return results[row]


def best_result() -> Result:
    """The row the model card speaks of: the full recipe, or the last row there is."""
    rows = [result for result in measured_results() if not result.repeat]
    return next((result for result in rows if result.row == BEST), rows[-1])


def predictions_file(result: Result, part: str = "test") -> str:
    """Where the reference keeps the predictions of a result.

    The file of a notebook's final row has the notebook's name. Other rows have their own with `row-` before it, since
    a row may be called like its notebook without being its final one.
    """
    own = result.name if result.repeat else f"row-{result.name}"
    name = result.notebook if result.final else own
    return f"predictions/{name}{'' if part == 'test' else f'-{part}'}.csv.gz"


def measured_predictions(result: Result, part: str = "test", reference: Path = REFERENCE) -> pd.DataFrame:
    """The predictions of a result, joined to what else is known of the faces: a table with `metrics.COLUMNS`.

    Args:
        result: one of `measured_results`.
        part: `test`; for trained rows also `calibration`.
        reference: the folder it is kept in.

    Raises:
        UserError: if they are not in the reference.
    """
    path = reference / predictions_file(result, part)
    if not path.exists():
        raise UserError(f"The reference has no {part} predictions of {result.name} ({path.name}).")
    table = pd.read_csv(path)
    table["cluster"] = table["file"].map(_clusters(reference))
    table["race"] = [parse_name(file).race for file in table["file"]]
    return table[list(COLUMNS)]


@cache
def _clusters(reference: Path) -> pd.Series:
    """The near-duplicate cluster of each file in the committed split."""
    return pd.read_csv(reference / "split.csv.gz").set_index("file")["cluster"]


def _result(entry: dict[str, Any], reference: Path) -> Result:
    result = Result.from_table_row(entry, [])
    path = reference / "history" / f"{result.name}.json"
    return replace(result, history=read_json(path)) if path.exists() else result
