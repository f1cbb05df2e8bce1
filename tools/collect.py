"""Copies what a finished run measured into `reference/`, in the form that is committed."""

import argparse
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
import pandas as pd

from utkface_mt.config import REFERENCE, Settings
from utkface_mt.evaluation.metrics import METRICS, paired_difference
from utkface_mt.experiments import reference as measured
from utkface_mt.experiments.results import Result, ResultStore
from utkface_mt.experiments.rows import SCHEDULERS, get_row
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import read_json, write_json, write_table

from .command import call, rounded
from .reproduce import repeats_folder

DIGITS = 16  # of a file's SHA-256 in the committed split: they tell the files apart at a fraction of the size
COMPARED = {"08_scheduler": "scheduler", "09_loss_weights": "gender_share"}  # by row, the field its notebook tries


def collect(folder: Path, repeats: Path, reference: Path = REFERENCE) -> None:
    """Writes rows, differences, histories, predictions, split, study and comparisons of a run into the reference.

    What the reference has and the run has not stays as it is, so that rows can be committed one by one. Of the run and
    the folder of `repeats`, which `reproduce` trained with other seeds, one may not exist.
    """
    store, other = ResultStore(folder), ResultStore(repeats)
    rows, repeated = store.rows(), other.rows("repeats")
    if not rows and not repeated:
        raise UserError(f"There is no row in {folder}. Run the notebooks first.")
    kept = {_identity(entry): entry for entry in measured.measured_entries(reference)}
    known = [Result.from_table_row(entry) for entry in kept.values() if not entry["repeat"]]
    seeds = {(result.profile, result.row): result.experiment.seed for result in [*known, *rows]}
    again = [result for result in repeated if result.experiment.seed != seeds.get((result.profile, result.row))]
    found = {_identity(entry): entry for entry in (rounded(result.table_row()) for result in [*rows, *again])}
    if rows:
        write_table(reference / "split.csv.gz", _split(store, reference, alone=set(kept) <= set(found)))
        _write_comparisons(store, rows, reference)
    for results, source in ((rows, store), (again, other)):
        for result in results:
            _write_result(result, source, reference)
    entries = [entry for _, entry in sorted((kept | found).items())]
    write_json(reference / "results.json", [_with_difference(entry, entries, reference) for entry in entries])


def _identity(entry: dict[str, Any]) -> tuple[str, bool, str, int]:
    """What makes two entries the same; entries are sorted by it. A profile has a row once, and a repeat per seed."""
    return entry["profile"], entry["repeat"], entry["experiment"], entry["seed"] if entry["repeat"] else 0


def _split(store: ResultStore, reference: Path, alone: bool) -> pd.DataFrame:
    """The run's split, fit to be committed; unless the run stands alone it has to be the reference's."""
    path, committed = store.folder / "split.csv.gz", reference / "split.csv.gz"
    if not path.exists():
        raise UserError(f"{path} is missing. Run notebook 02 first.")
    split = pd.read_csv(path)
    split["sha256"] = split["sha256"].str[:DIGITS]
    known = split if alone or not committed.exists() else pd.read_csv(committed)
    if not split[["file", "part"]].equals(known[["file", "part"]]):
        raise UserError(
            f"The run in {store.folder} divided the faces otherwise than {committed}, on which the other rows there "
            "rest. Run it on the same data without a limit, or take those rows out of results.json first."
        )
    return split


def _with_difference(entry: dict[str, Any], entries: list[dict[str, Any]], reference: Path) -> dict[str, Any]:
    """A row with its paired difference to the row before it; repeats have none."""
    rows = {other["experiment"]: other for other in entries if _identity(other)[:2] == (entry["profile"], False)}
    name = get_row(entry["experiment"]).previous
    if entry["repeat"] or name not in rows:
        return entry
    pair = [Result.from_table_row(either) for either in (rows[name], entry)]
    paired = paired_difference(*(measured.measured_predictions(result, reference=reference) for result in pair))
    return {**entry, "difference": {"to": name, **{metric: paired.loc[metric].round(6).tolist() for metric in METRICS}}}


def _write_result(result: Result, store: ResultStore, reference: Path) -> None:
    if result.history:
        write_json(measured.history_file(result, reference), result.history)
    for part in ("test", "calibration") if result.history and not result.repeat else ("test",):
        predictions = store.predictions(result, part)[list(measured.PUBLIC_COLUMNS)]
        write_table(measured.predictions_file(result, part, reference), predictions)


def _write_comparisons(store: ResultStore, rows: list[Result], reference: Path) -> None:
    """The study, and the runs beside the rows, which differ from them in the one field that their notebook tries."""
    suffix = "" if rows[0].profile == measured.PROFILE else f"-{rows[0].profile}"
    path, database = reference / f"comparisons{suffix}.json", store.folder / "studies" / "studies.db"
    found = read_json(path) if path.exists() else {}
    for row in rows:
        if field := COMPARED.get(row.row):
            runs = [run for run in store.runs() if _comparable(run, row, field)]
            values = sorted((getattr(run.experiment, field), run.key, run) for run in runs)
            found[field] = [
                {field: value, "validation": run.validation, "history": run.history} for value, _, run in values
            ]
    write_json(path, found)
    if database.exists():
        write_json(reference / f"study{suffix}.json", _study(database))


def _comparable(run: Result, row: Result, field: str) -> bool:
    """Whether a run was trained like a row but for one field; the constant rate of the row before is not compared."""
    alike = set(run.experiment.differences(row.experiment)) <= {field}
    trained = run.history and run.training_version == row.training_version
    return alike and trained and (field != "scheduler" or run.experiment.scheduler in SCHEDULERS)


def _study(database: Path) -> list[dict[str, Any]]:
    storage = f"sqlite:///{quote(str(database))}"
    begun = [study for study in optuna.get_all_study_summaries(storage) if study.datetime_start]  # and not only founded
    newest = max(begun, key=lambda summary: summary.datetime_start)
    return [
        {
            "number": trial.number,
            "state": trial.state.name,
            "value": trial.value,
            "params": trial.params,
            "epochs": {str(epoch): value for epoch, value in trial.intermediate_values.items()},
        }
        for trial in optuna.load_study(study_name=newest.study_name, storage=storage).get_trials()
    ]


def main() -> None:
    """Collects the run of a profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="cpu", choices=("cpu", "full"), help="whose run; cpu by default")
    profile, runs = parser.parse_args().profile, Settings.read().runs_folder
    collect(runs / profile, repeats_folder(runs, profile))
    print(f"Collected {runs / profile} into {REFERENCE}.")


if __name__ == "__main__":
    call(main)
