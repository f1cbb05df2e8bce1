"""For maintainers: copies what a finished run measured into `reference/`, in the form that is committed."""

import gzip
import io
from pathlib import Path
from typing import Any

import optuna
import pandas as pd

from utkface_mt.util.errors import UserError
from utkface_mt.evaluation.metrics import METRICS, paired_difference
from utkface_mt.util.files import read_json, replacing, write_json
from utkface_mt.experiments.ladder import SCHEDULERS
from utkface_mt.experiments.reference import PUBLIC_COLUMNS, REFERENCE, measured_entries, measured_predictions, predictions_file
from utkface_mt.experiments.results import Result, ResultStore
from utkface_mt.experiments.rows import compared_with

DIGITS = 16  # of a file's SHA-256 in the committed split: they tell the files apart at a fraction of the size


def collect(folder: Path, repeats: Path, reference: Path = REFERENCE) -> list[Path]:
    """Writes rows, differences, histories, predictions, split, study and comparisons of a run into the reference.

    A row that the reference has and the run has not stays as it is, so that rows can be committed one by one.

    Args:
        folder: the run's folder, `runs/PROFILE`.
        repeats: the folder of `reproduce`, for rows trained with other seeds; it may not exist.
        reference: where to write.

    Returns:
        The files written.

    Raises:
        UserError: if the run has no row yet.
    """
    store, other = ResultStore(folder), ResultStore(repeats)
    rows = store.rows()
    if not rows:
        raise UserError(f"There is no row in {folder}. Run the notebooks first.")
    seeds = {result.row: result.experiment.seed for result in rows}
    again = [result for result in other.repeats() if result.experiment.seed != seeds.get(result.row)]
    written = _write_run(store, rows, reference)
    for results, source in ((rows, store), (again, other)):
        for result in results:
            written += _write_result(result, source, reference)
    entries = {_identity(entry): entry for entry in measured_entries(reference)}
    entries |= {_identity(entry): entry for entry in (_portable(result.table_row()) for result in [*rows, *again])}
    entries = {identity: entries[identity] for identity in sorted(entries)}
    write_json(reference / "results.json", [_with_difference(entry, entries, reference) for entry in entries.values()])
    return [*written, reference / "results.json"]


def _identity(entry: dict[str, Any]) -> tuple[str, bool, str, int]:
    """What makes two entries the same; entries are sorted by it."""
    return entry["profile"], entry["repeat"], entry["experiment"], entry["seed"]


def _with_difference(entry: dict[str, Any], entries: dict[tuple, dict[str, Any]], reference: Path) -> dict[str, Any]:
    """A row with its paired difference to the row before it; repeats have none."""
    name = compared_with(entry["experiment"])
    before = [other for other in entries.values() if other["experiment"] == name and not other["repeat"]]
    before = [other for other in before if other["profile"] == entry["profile"]]
    if entry["repeat"] or not before:
        return entry
    first, second = (
        measured_predictions(Result.from_table_row(either, []), reference=reference) for either in (before[0], entry)
    )
    paired = paired_difference(first, second)
    return {**entry, "difference": {"to": name, **{metric: paired.loc[metric].round(6).tolist() for metric in METRICS}}}


def _portable(entry: dict[str, Any]) -> dict[str, Any]:
    """Rounds scores to six digits, which the predictions file can carry."""
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in entry.items()}


def _write_result(result: Result, store: ResultStore, reference: Path) -> list[Path]:
    paths = []
    if result.history:
        paths.append(reference / "history" / f"{result.name}.json")
        write_json(paths[-1], result.history)
    for part in ("test", "calibration") if result.history and not result.repeat else ("test",):
        paths.append(reference / predictions_file(result, part))
        _write_csv(paths[-1], store.predictions(result, part)[list(PUBLIC_COLUMNS)])
    return paths


def _write_run(store: ResultStore, rows: list[Result], reference: Path) -> list[Path]:
    """The split, the study and the runs beside the rows: schedulers and loss weights, measured on validation."""
    paths = [reference / "split.csv.gz", reference / "comparisons.json"]
    split = pd.read_csv(store.folder / "split.csv.gz")
    _write_csv(paths[0], split.assign(sha256=split["sha256"].str[:DIGITS]))
    known = read_json(paths[1]) if paths[1].exists() else {}
    write_json(paths[1], {**known, **_comparisons(store, {result.row: result for result in rows})})
    database = store.folder / "studies" / "studies.db"
    if database.exists():
        paths.append(reference / "study.json")
        write_json(paths[2], _study(database))
    return paths


def _comparisons(store: ResultStore, rows: dict[str, Result]) -> dict[str, list[dict[str, Any]]]:
    """Runs that differ from a row in the one field that its notebook compares."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row, field, values in (("08_scheduler", "scheduler", SCHEDULERS), ("09_loss_weights", "gender_share", None)):
        if row not in rows:
            continue
        runs = [
            run
            for run in store.runs()
            if set(run.experiment.differences(rows[row].experiment)) <= {field}
            and (values is None or getattr(run.experiment, field) in values)
            and run.code == rows[row].code
        ]
        runs.sort(key=lambda run: getattr(run.experiment, field))
        found[field] = [
            {field: getattr(run.experiment, field), "validation": run.validation, "history": run.history}
            for run in runs
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


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    """A gzipped table; the same table gives the same bytes."""
    text = io.StringIO()
    table.to_csv(text, index=False)
    with replacing(path) as temporary:
        temporary.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
