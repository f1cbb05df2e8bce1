"""The results of one run or several in one table, with differences on the same test faces."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..config import PROFILES
from ..evaluation.metrics import paired_difference
from ..util.errors import UserError
from .reference import measured_predictions, measured_results
from .results import Result, ResultStore, with_interval
from .rows import compared_with

REFERENCE_NAME = "reference"
COMPARED = ("age_mae", "gender_accuracy")
OTHER_FACES = "other test faces"


@dataclass(frozen=True)
class Run:
    """The rows of a run.

    Attributes:
        name: what the user called it.
        rows: its results by row.
        predictions: gives a row's predictions on the test faces.
    """

    name: str
    rows: dict[str, Result]
    predictions: Callable[[Result], pd.DataFrame]


def open_run(name: str, runs: Path) -> Run:
    """Opens a run by what a user would call it.

    Args:
        name: a run's folder, the name of a profile that was run, or `reference` for what is committed.
        runs: where the runs of profiles lie.

    Raises:
        UserError: if there is no such run, or no row in it.
    """
    if name == REFERENCE_NAME:
        rows = {result.row: result for result in measured_results() if not result.repeat}
        return Run(name, rows, measured_predictions)
    folder = runs / name if name in PROFILES else Path(name)
    store = ResultStore(folder)
    rows = {result.row: result for result in store.rows()}
    if not rows:
        there = ", ".join([*known_runs(runs), REFERENCE_NAME])
        raise UserError(f"There are no results in {folder}. Runs with results: {there}.")
    return Run(name, rows, lambda result: store.predictions(result, "test"))


def known_runs(runs: Path) -> list[str]:
    """The profiles that were run in a folder and have a row."""
    return [name for name in PROFILES if (runs / name / "rows").is_dir()]


def compare_runs(runs: list[Run]) -> list[dict[str, Any]]:
    """Every row of every run, with its difference to what it should be compared with.

    Args:
        runs: one, and each row is compared with the row before it; or several, and the rows of later ones are
            compared with the same rows of the first.

    Returns:
        A dictionary a row: `run`, `row`, `title`, `n_test`, the scores, `ci`, `seconds`, `profile`, `compared_with`
        (empty if nothing), and `difference`: by metric the difference and its 95 % interval, paired over the test
        faces; None where the two were tested on different faces.
    """
    table = []
    for run in runs:
        for row, result in run.rows.items():
            against = _against(runs, run, row)
            entry = {"run": run.name, "row": row, "title": result.title, "profile": result.profile}
            entry |= {"n_test": result.n_test, **result.test, "ci": result.ci, "seconds": result.seconds}
            entry |= {"compared_with": f"{against[0].name}: {against[1].row}" if against else ""}
            table.append({**entry, "difference": _difference(against, (run, result)) if against else {}})
    return table


def _against(runs: list[Run], run: Run, row: str) -> tuple[Run, Result] | None:
    """What a row is compared with."""
    if run is not runs[0]:
        return (runs[0], runs[0].rows[row]) if row in runs[0].rows else None
    before = compared_with(row) if len(runs) == 1 else ""
    return (run, run.rows[before]) if before in run.rows else None


def _difference(first: tuple[Run, Result], second: tuple[Run, Result]) -> dict[str, list[float]] | None:
    tables = [run.predictions(result) for run, result in (first, second)]
    if set(tables[0]["file"]) != set(tables[1]["file"]):
        return None
    paired = paired_difference(*tables)
    return {name: paired.loc[name].tolist() for name in COMPARED}


def readable(table: list[dict[str, Any]]) -> pd.DataFrame:
    """The comparison as people read it: years and per cent, intervals in brackets."""
    rows = []
    for entry in table:
        line = {"run": entry["run"], "row": entry["row"], "faces": entry["n_test"]}
        line["age MAE [95 %]"] = with_interval([entry["age_mae"], *entry["ci"]["age_mae"]], ".2f")
        line["RMSE"] = f"{entry['age_rmse']:.2f}"
        line["gender % [95 %]"] = with_interval([entry["gender_accuracy"], *entry["ci"]["gender_accuracy"]], ".1f", 100)
        line["compared with"] = entry["compared_with"]
        change = entry["difference"]
        silent = "" if change is not None else OTHER_FACES
        line["change of age MAE"] = with_interval(change["age_mae"], "+.2f") if change else silent
        line["change of gender, points"] = with_interval(change["gender_accuracy"], "+.2f", 100) if change else silent
        rows.append(line)
    return pd.DataFrame(rows)
