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
    """Trains a row of the workspace's profile as the reference configures it, and compares, as `compare` says."""
    profile = workspace.profile.name
    reference = measured_result(row, profile)
    workspace = replace(workspace, folder=repeats_folder(workspace.folder.parent, profile))
    if not reference.history:
        result = run_constant(workspace, repeat=True)
    else:
        experiment = replace(reference.experiment, weights=workspace.start.weights, seed=seed)
        result = run(workspace, experiment, row=row, repeat=True)
    now = workspace.store.predictions(result, "test")
    return result, compare(reference, measured_predictions(reference), result, now)


def compare(reference: Result, before: pd.DataFrame, result: Result, now: pd.DataFrame) -> pd.DataFrame:
    """Compares a row with the same row trained again, each given with its test predictions, metric by metric.

    `low` and `high` are the ends of the 95 % interval of `reference`, and `within` says whether the figure `now` lies
    in it; the paired `difference` with its ends is there where both were tested on the same faces.
    """
    ends = pd.DataFrame(reference.ci, index=["low", "high"]).T
    table = pd.DataFrame({"reference": reference.test, **ends, "now": result.test}).loc[list(METRICS)]
    table["within"] = table["now"].between(table["low"], table["high"])
    if set(before["file"]) == set(now["file"]):
        paired = paired_difference(before, now)
        table[["difference", "difference_low", "difference_high"]] = paired[["difference", "low", "high"]]
    return table


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
    print(table.round(4).to_string())


if __name__ == "__main__":
    call(main)
