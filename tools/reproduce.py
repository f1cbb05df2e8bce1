"""Training one row of the committed table again: does it come out as the reference says?"""

from dataclasses import replace

import pandas as pd

from utkface_mt.util.errors import UserError
from utkface_mt.evaluation.metrics import METRICS, paired_difference
from utkface_mt.experiments.run import run, run_constant
from utkface_mt.experiments.reference import measured_predictions, measured_result
from utkface_mt.experiments.results import Result
from utkface_mt.experiments.workspace import Workspace

FOLDER = "reproduced"  # below the runs' root


def reproduce(workspace: Workspace, row: str, seed: int) -> tuple[Result, pd.DataFrame]:
    """Trains a row as the reference configures it, tests it, and compares.

    What it trains lies in a folder of its own, `runs/reproduced`, so that it never meets the result of an earlier
    run of the notebooks; a reproduction that was stopped goes on.

    Args:
        workspace: opened with the profile of the reference and the whole dataset.
        row: the row's name, such as `09_loss_weights`.
        seed: of training; another than the reference's makes a repeat, which shows how far seeds scatter.

    Returns:
        The result and a table with a row a metric: `reference`, `low`, `high` (its 95 % interval), `now`, and
        `within`, whether the new figure lies in that interval; `difference`, `difference_low`, `difference_high` by
        the paired bootstrap, where both were tested on the same faces.

    Raises:
        UserError: if the reference has no such row, or was measured with another profile.
    """
    reference = measured_result(row)
    if reference.profile != workspace.profile.name:
        raise UserError(f"The reference was measured with the profile {reference.profile}: give --profile.")
    workspace = replace(workspace, folder=workspace.folder.with_name(FOLDER))
    if not reference.history:
        result = run_constant(workspace, row, repeat=True)
    else:
        experiment = replace(reference.experiment, weights=workspace.start.weights, seed=seed)
        result = run(workspace, experiment, row=row, repeat=True)
    return result, compare(reference, result, workspace.store.predictions(result, "test"))


def compare(reference: Result, result: Result, predictions: pd.DataFrame) -> pd.DataFrame:
    """The table that `reproduce` returns, from both results and the new one's test predictions."""
    ends = pd.DataFrame(reference.ci, index=["low", "high"]).T
    table = pd.DataFrame({"reference": reference.test, **ends, "now": result.test}).loc[list(METRICS)]
    table["within"] = table["now"].between(table["low"], table["high"])
    before = measured_predictions(reference)
    if set(before["file"]) == set(predictions["file"]):
        paired = paired_difference(before, predictions)
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
