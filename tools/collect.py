"""Copies what a finished run measured into `reference/`, in the form that is committed."""

import argparse
from pathlib import Path
from typing import Any

import optuna
import pandas as pd

from utkface_mt.config import REFERENCE, Settings
from utkface_mt.evaluation.metrics import METRICS, paired_difference
from utkface_mt.experiments.reference import (
    PROFILE,
    PUBLIC_COLUMNS,
    history_file,
    measured_entries,
    measured_predictions,
    predictions_file,
)
from utkface_mt.experiments.results import Result, ResultStore, write_table
from utkface_mt.experiments.rows import SCHEDULERS, compared_with
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import read_json, write_json

from .command import call
from .reproduce import repeats_folder

DIGITS = 16  # of a file's SHA-256 in the committed split: they tell the files apart at a fraction of the size


def collect(folder: Path, repeats: Path, reference: Path = REFERENCE) -> list[Path]:
    """Writes rows, differences, histories, predictions, split, study and comparisons of a run into the reference.

    What the reference has and the run has not stays as it is, so that rows can be committed one by one.

    Args:
        folder: the run's folder, `runs/PROFILE`.
        repeats: what `reproduce` trained with other seeds; it may not exist.
        reference: where to write.

    Returns:
        The files written.

    Raises:
        UserError: if the run has no row yet, or divided the faces otherwise than the rows that stay.
    """
    store, other = ResultStore(folder), ResultStore(repeats)
    rows = store.rows()
    if not rows:
        raise UserError(f"There is no row in {folder}. Run the notebooks first.")
    seeds = {result.row: result.experiment.seed for result in rows}
    again = [result for result in other.repeats() if result.experiment.seed != seeds.get(result.row)]
    found = {_identity(entry): entry for entry in map(_portable, [*rows, *again])}
    kept = {_identity(entry): entry for entry in measured_entries(reference)}
    split = _split(store, reference, alone=set(kept) <= set(found))
    written = [*_write_run(store, rows, split, reference)]
    for results, source in ((rows, store), (again, other)):
        for result in results:
            written += _write_result(result, source, reference)
    entries = [entry for _, entry in sorted((kept | found).items())]
    write_json(reference / "results.json", [_with_difference(entry, entries, reference) for entry in entries])
    return [*written, reference / "results.json"]


def _identity(entry: dict[str, Any]) -> tuple[str, bool, str, int]:
    """What makes two entries the same; entries are sorted by it. A profile has a row once, and a repeat per seed."""
    return entry["profile"], entry["repeat"], entry["experiment"], entry["seed"] if entry["repeat"] else 0


def _portable(result: Result) -> dict[str, Any]:
    """The entry of a result; scores have six digits, which the predictions file can carry."""
    row = result.table_row()
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}


def _split(store: ResultStore, reference: Path, alone: bool) -> pd.DataFrame:
    """The run's split, fit to be committed; unless the run stands alone it has to be the reference's."""
    path = store.folder / "split.csv.gz"
    if not path.exists():
        raise UserError(f"{path} is missing. Run notebook 02 first.")
    split = pd.read_csv(path)
    split["sha256"] = split["sha256"].str[:DIGITS]
    committed = reference / "split.csv.gz"
    known = split if alone or not committed.exists() else pd.read_csv(committed)
    if not split[["file", "part"]].equals(known[["file", "part"]]):
        raise UserError(
            f"The run in {store.folder} divided the faces otherwise than {committed}, on which the other rows there "
            "rest. Run it on the same data without a limit, or take those rows out of results.json first."
        )
    return split


def _with_difference(entry: dict[str, Any], entries: list[dict[str, Any]], reference: Path) -> dict[str, Any]:
    """A row with its paired difference to the row before it; repeats have none."""
    name = compared_with(entry["experiment"])
    before = [
        other
        for other in entries
        if other["experiment"] == name and other["profile"] == entry["profile"] and not other["repeat"]
    ]
    if entry["repeat"] or not before:
        return entry
    pair = [Result.from_table_row(either, []) for either in (before[0], entry)]
    paired = paired_difference(*(measured_predictions(result, reference=reference) for result in pair))
    return {**entry, "difference": {"to": name, **{metric: paired.loc[metric].round(6).tolist() for metric in METRICS}}}


def _write_result(result: Result, store: ResultStore, reference: Path) -> list[Path]:
    paths, parts = [], ["test"]
    if result.history:
        paths.append(history_file(result, reference))
        write_json(paths[0], result.history)
        parts += [] if result.repeat else ["calibration"]
    for part in parts:
        paths.append(predictions_file(result, part, reference))
        write_table(paths[-1], store.predictions(result, part)[list(PUBLIC_COLUMNS)])
    return paths


def _write_run(store: ResultStore, rows: list[Result], split: pd.DataFrame, reference: Path) -> list[Path]:
    """The split, the study and the runs beside the rows: schedulers and loss weights, measured on validation."""
    suffix = "" if rows[0].profile == PROFILE else f"-{rows[0].profile}"
    paths = [reference / "split.csv.gz", reference / f"comparisons{suffix}.json"]
    write_table(paths[0], split)
    known = read_json(paths[1]) if paths[1].exists() else {}
    write_json(paths[1], {**known, **_comparisons(store, {result.row: result for result in rows})})
    database = store.folder / "studies" / "studies.db"
    if database.exists():
        paths.append(reference / f"study{suffix}.json")
        write_json(paths[2], _study(database))
    return paths


def _comparisons(store: ResultStore, rows: dict[str, Result]) -> dict[str, list[dict[str, Any]]]:
    """Runs that differ from a row in the one field that its notebook compares."""
    found = {}
    for row, field, values in (("08_scheduler", "scheduler", SCHEDULERS), ("09_loss_weights", "gender_share", None)):
        if row not in rows:
            continue
        runs = [
            (getattr(run.experiment, field), run)
            for run in store.runs()
            if set(run.experiment.differences(rows[row].experiment)) <= {field}
            and run.training_version == rows[row].training_version
        ]
        found[field] = [
            {field: value, "validation": run.validation, "history": run.history}
            for value, run in sorted(runs, key=lambda pair: pair[0])
            if values is None or value in values
        ]
    return found


def _study(database: Path) -> list[dict[str, Any]]:
    """The newest study's trials as plain values."""
    storage = f"sqlite:///{database}"
    newest = max(optuna.get_all_study_summaries(storage), key=lambda summary: summary.datetime_start)
    study = optuna.load_study(study_name=newest.study_name, storage=storage)
    return [
        {
            "number": trial.number,
            "state": trial.state.name,
            "value": trial.value,
            "params": trial.params,
            "epochs": {str(epoch): value for epoch, value in trial.intermediate_values.items()},
        }
        for trial in study.get_trials()
    ]


def main() -> None:
    """Collects the run of a profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default=PROFILE, choices=("cpu", "full"), help="whose run; cpu by default")
    profile = parser.parse_args().profile
    runs = Settings.read().runs_folder
    for path in collect(runs / profile, repeats_folder(runs, profile)):
        print(f"wrote {path.relative_to(REFERENCE)}")


if __name__ == "__main__":
    call(main)
