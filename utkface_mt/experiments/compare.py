"""The results of one run or several in one table, with differences on the same test faces."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..config import PROFILES
from ..evaluation.metrics import paired_difference
from ..util.errors import UserError
from .reference import SHOWN, measured_predictions, results_by_row
from .results import Result, ResultStore, with_interval
from .rows import get_row

REFERENCES = {"reference": SHOWN, "reference-cpu": "cpu", "reference-full": "full"}  # their profiles, by name
OTHER_FACES = "other test faces"


@dataclass(frozen=True)
class Run:
    """A run by the name the user gave it: its results by row, and what gives a row's predictions on the test faces."""

    name: str
    rows: dict[str, Result]
    predictions: Callable[[Result], pd.DataFrame]


def open_run(name: str, runs: Path) -> Run:
    """Opens a run by its folder, the name of a profile that was run in `runs`, or of `REFERENCES`: what is committed.

    Raises:
        UserError: if there is no such run, or no row in it.
    """
    if name in REFERENCES:
        return Run(name, results_by_row(REFERENCES[name]), measured_predictions)
    store = ResultStore(runs / name if name in PROFILES else Path(name))
    rows = {result.row: result for result in store.rows()}
    if not rows:
        there = ", ".join([*known_runs(runs), *REFERENCES])
        raise UserError(f"There are no results in {store.folder}. Runs with results: {there}.")
    return Run(name, rows, lambda result: store.predictions(result, "test"))


def known_runs(runs: Path) -> list[str]:
    """The profiles that were run in a folder and have a row."""
    return [name for name in PROFILES if (runs / name / "rows").is_dir()]


def compare_runs(runs: list[Run]) -> list[dict[str, Any]]:
    """Every row of every run, compared with the row before it in a single run, else with the same row of the first.

    Returns:
        A dictionary a row: `run`, `row`, `title`, `n_test`, the scores, `ci`, `seconds`, `profile`, `compared_with`
        (empty if nothing), and `difference`: by metric the difference and its 95 % interval, paired over the test
        faces; None where the two were tested on different faces.
    """
    table = []
    for run in runs:
        for row, result in run.rows.items():
            entry = {"run": run.name, "row": row, "title": result.title, "profile": result.profile}
            entry |= {"n_test": result.n_test, **result.test, "ci": result.ci, "seconds": result.seconds}
            entry |= {"compared_with": "", "difference": {}}
            other = get_row(row).previous if len(runs) == 1 else row
            if other in runs[0].rows and (len(runs) == 1 or run is not runs[0]):
                before, now = runs[0].predictions(runs[0].rows[other]), run.predictions(result)
                entry |= {"compared_with": f"{runs[0].name}: {other}", "difference": None}
                if set(before["file"]) == set(now["file"]):
                    paired = paired_difference(before, now).loc[["age_mae", "gender_accuracy"]]
                    entry["difference"] = dict(zip(paired.index, paired.to_numpy().tolist(), strict=True))
            table.append(entry)
    return table


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
