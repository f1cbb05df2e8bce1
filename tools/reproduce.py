"""Trains one row of the committed table again: does it come out as the reference says?"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from utkface_mt.config import TRAINING_VERSION
from utkface_mt.evaluation.metrics import METRICS, paired_difference
from utkface_mt.experiments.reference import measured_predictions, measured_result
from utkface_mt.experiments.results import Result
from utkface_mt.experiments.run import run, run_constant
from utkface_mt.experiments.workspace import Workspace

from .command import call, data_parser, workspace_of


def repeats_folder(runs: Path, profile: str) -> Path:
    """Where rows are trained again: apart from the notebooks' runs, and apart for each profile."""
    return runs / "reproduced" / profile


def reproduce(workspace: Workspace, row: str, seed: int) -> tuple[Result, pd.DataFrame]:
    """Trains a row as the reference configures it, tests it, and compares.

    What it trains lies in `runs/reproduced/PROFILE`, so that it never meets the result of an earlier run of the
    notebooks; a reproduction that was stopped goes on.

    Args:
        workspace: opened on the whole dataset, with the profile whose row is meant.
        row: the row's name, such as `09_loss_weights`.
        seed: of training; another than the reference's shows how far seeds scatter.

    Returns:
        The result and the comparison as `compare` gives it.

    Raises:
        UserError: if the reference has no such row of that profile.
    """
    profile = workspace.profile.name
    reference = measured_result(row, profile)
    workspace = replace(workspace, folder=repeats_folder(workspace.folder.parent, profile))
    if not reference.history:
        result = run_constant(workspace, row, repeat=True)
    else:
        experiment = replace(reference.experiment, weights=workspace.start.weights, seed=seed)
        result = run(workspace, experiment, row=row, repeat=True)
    before = measured_predictions(reference)
    return result, compare(reference, before, result, workspace.store.predictions(result, "test"))


def compare(reference: Result, before: pd.DataFrame, result: Result, now: pd.DataFrame) -> pd.DataFrame:
    """Compares the scores of a row with those of the same row trained again.

    Args:
        reference: the row.
        before: its test predictions.
        result: the row trained again.
        now: its test predictions.

    Returns:
        A row a metric: `reference`, `low`, `high` (its 95 % interval), `now`, and `within`, whether the new figure
        lies in that interval; `difference`, `difference_low`, `difference_high` by the paired bootstrap, where both
        were tested on the same faces.
    """
    ends = pd.DataFrame(reference.ci, index=["low", "high"]).T
    table = pd.DataFrame({"reference": reference.test, **ends, "now": result.test}).loc[list(METRICS)]
    table["within"] = table["now"].between(table["low"], table["high"])
    if set(before["file"]) == set(now["file"]):
        paired = paired_difference(before, now)
        table[["difference", "difference_low", "difference_high"]] = paired[["difference", "low", "high"]]
    return table


def describe(table: pd.DataFrame) -> str:
    """The comparison in words, a line a metric."""
    lines = []
    for name, line in table.iterrows():
        factor, form, unit = (1, ".3f", "years") if name in ("age_mae", "age_rmse") else (100, ".2f", "%")
        reference, low, high, now = (f"{factor * line[key]:{form}}" for key in ("reference", "low", "high", "now"))
        said = "inside" if line["within"] else "OUTSIDE"
        text = f"{name:<18} reference {reference} [{low}, {high}] {unit}, now {now}: {said} its interval"
        if "difference" in table:
            step = [f"{factor * line[key]:+{form}}" for key in ("difference", "difference_low", "difference_high")]
            text += f"; paired difference {step[0]} [{step[1]}, {step[2]}]"
        lines.append(text)
    return "\n".join(lines)


def main() -> None:
    """Trains a row again and says how it compares."""
    parser = data_parser(__doc__)
    parser.add_argument("row", help="such as 03_baseline; the rows stand in utkface_mt/reference/results.json")
    parser.add_argument("--seed", type=int, default=0, help="of training")
    options = parser.parse_args()
    version = measured_result(options.row, options.profile).training_version
    if version != TRAINING_VERSION:
        print(f"The row was trained by version {version} of training, this is version {TRAINING_VERSION}.")
    result, table = reproduce(workspace_of(options, options.seed), options.row, options.seed)
    print(f"{options.row}, seed {options.seed}, {len(result.history)} epochs in {result.seconds:.0f} s")
    print(describe(table))


if __name__ == "__main__":
    call(main)
