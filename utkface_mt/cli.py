"""The command line: `python -m utkface_mt VERB`, also installed as `utkface-mt`.

Only what a verb needs is imported when it runs, so that `--help` answers at once.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from . import __version__
from .config import Settings
from .util.errors import UserError
from .util.files import check_writable, file_digest, write_text

SUSPICIOUS_SHOWN = 20  # of the labels that `check --labels` ranks
IN_SAMPLE = "Of UTKFace's own faces it has learnt most labels, wrong ones too, and contradicts too few of them."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb with arguments, by default those of the process, and returns the exit code.

    0 if all went well, 1 after an error, 2 for a wrong call, 3 if `predict` could not read some files, 130 if
    interrupted.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # no console, or closed: what is opened next would get what is written there
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        if hasattr(stream := getattr(sys, name), "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file's name may hold what a terminal cannot show
    options = _parser().parse_args(arguments)
    with contextlib.suppress(ValueError):  # not called by the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # so do containers and clusters stop a process
    try:
        code = options.verb(options)
        sys.stdout.flush()
        return code
    except UserError as error:
        if options.debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. What is kept is found again by the same command.", file=sys.stderr)
        return 130
    except Exception as error:
        if options.debug:
            raise
        if not isinstance(error, BrokenPipeError):  # as `| head` leaves behind
            told = f"error: unexpected {type(error).__name__}: {error}\nUse --debug for the traceback."
            print(told, file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:  # nor may Python write there at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("utkface-mt", description="Age and gender from faces with one MobileNetV2.")
    parser.add_argument("--version", action="version", version=f"utkface_mt {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for add in (_add_run, _add_search, _add_results, _add_check, _add_evaluate, _add_predict, _add_export):
        add(verbs)
    for verb in verbs.choices.values():
        verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _add_run(verbs: Any) -> None:
    run = verbs.add_parser(
        "run", help="run the notebooks in order", description="Runs the notebooks in order and writes a report."
    )
    _add_settings(run)
    run.add_argument("--from", dest="first", default="", metavar="NN", help="start with this notebook, such as 05")
    run.add_argument("--only", default="", metavar="NN", help="run this notebook only")
    run.add_argument("--fresh", action="store_true", help="put an earlier run aside instead of going on with it")
    run.add_argument("--timeout", type=int, default=86_400, metavar="S", help="seconds for a cell (a day); 0: no limit")
    run.set_defaults(verb=_run)


def _add_settings(verb: argparse.ArgumentParser, without: Sequence[str] = ()) -> None:
    """A flag for each field of `Settings`, but for some."""
    for entry in (one for one in fields(Settings) if one.name not in without):
        flag = "--storage" if entry.name == "studies" else f"--{entry.name}"
        if entry.type is bool:
            verb.add_argument(flag, action="store_true", default=None, help=entry.metadata["help"])
        else:
            verb.add_argument(flag, dest=entry.name, type=entry.type, **entry.metadata)


def _settings(options: argparse.Namespace) -> Settings:
    given = {entry.name: getattr(options, entry.name, None) for entry in fields(Settings)}
    return Settings.read(**{name: value for name, value in given.items() if value is not None})


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from .experiments.follow import follow
    from .experiments.notebooks import run_notebooks
    from .experiments.report import write_report
    from .plots.evaluation import ladder_chart
    from .plots.style import use_style
    from .training.workers import name_workers, read_cluster

    settings = _settings(options)
    if settings.strategy == "multiworker":
        name_workers(settings.workers, settings.rank)
        if read_cluster().rank:
            return follow(settings)
    console = Console(highlight=False)
    folder = run_notebooks(
        settings, console, first=options.first, only=options.only, fresh=options.fresh, cell_timeout=options.timeout
    )
    use_style("Agg")
    console.print(f"Report: {write_report(folder, settings.profile, ladder_chart)}", soft_wrap=True)
    if settings.tensorboard:
        console.print(f"Look at training: tensorboard --logdir {folder / 'tensorboard'}", soft_wrap=True)
    return 0


def _add_search(verbs: Any) -> None:
    search = verbs.add_parser(
        "search",
        help="run the hyperparameter study with several workers",
        description="Runs the study of notebook 05 with any number of workers, here or on several machines.",
    )
    _add_settings(search, without=("workers", "rank"))
    search.add_argument("--workers", dest="processes", type=int, default=1, metavar="N", help="processes to start here")
    search.set_defaults(verb=_search)


def _search(options: argparse.Namespace) -> int:
    from .experiments.search_workers import search_with_workers
    from .training.search import best_parameters

    study = search_with_workers(_settings(options), options.processes)
    print(f"Best: trial {study.best_trial.number}, validation loss {study.best_value:.4f}")
    for name, value in best_parameters(study).items():
        print(f"  {name:<14} {value:g}" if isinstance(value, float) else f"  {name:<14} {value}")
    return 0


def _add_results(verbs: Any) -> None:
    results = verbs.add_parser(
        "results",
        help="the results of runs, side by side",
        description="Shows the rows of runs with their intervals. With one run each row is compared with the row "
        "before it, with several each row with the same row of the first; differences are paired over the test faces.",
    )
    results.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="a run's folder, a profile, or what is committed: reference, reference-cpu or reference-full; by default "
        "every profile run here, else the reference",
    )
    form = results.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")
    form.add_argument("--json", action="store_true", help="print the figures as JSON")
    results.set_defaults(verb=_results)


def _results(options: argparse.Namespace) -> int:
    from .experiments.compare import compare_runs, known_runs, open_run, readable

    runs = Settings.read().runs_folder
    chosen = list(dict.fromkeys(options.runs)) or known_runs(runs) or ["reference"]
    opened = [open_run(name, runs) for name in chosen]
    groups = [opened] if options.runs else [[run] for run in opened]  # unasked, profiles are not compared
    table = [entry for group in groups for entry in compare_runs(group)]
    if options.json:
        print(json.dumps(table, indent=2))
    elif options.markdown:
        print(readable(table).to_markdown(index=False, disable_numparse=True))
    else:
        for run, rows in readable(table).groupby("run", sort=False):
            against = next((name for name in rows["compared with"] if name), "").rpartition(": ")[0]
            told = f" (changes: to {'the row before' if against == run else f'the same row of {against}'}, paired)"
            shown = rows.drop(columns=["run", "compared with"])
            print(f"{run}{told if against else ''}")
            print(shown.to_markdown(index=False, tablefmt="simple", disable_numparse=True), end="\n\n")
    return 0


def _add_check(verbs: Any) -> None:
    check = verbs.add_parser(
        "check", help="report on a dataset", description="Reports what is in a dataset and what is wrong with it."
    )
    check.add_argument("data", help="sample, kaggle, or a folder, .zip or .tar.gz of UTKFace crops")
    check.add_argument("--labels", action="store_true", help="rank labels that the bundled model contradicts")
    check.add_argument("--csv", type=os.path.expanduser, metavar="FILE", help="with --labels: write the whole ranking")
    check.add_argument("--force", action="store_true", help="let --csv replace a file that is no earlier ranking")
    check.add_argument("--json", action="store_true", help="print the report, or the counts of --labels, as JSON")
    check.set_defaults(verb=_check)


def _check(options: argparse.Namespace) -> int:
    from .data.dataset import data_report, open_dataset

    if options.csv is not None and not options.labels:
        raise UserError("--csv is for --labels, whose ranking it writes.")
    dataset = open_dataset(options.data, Settings.read().runs_folder / "cache")
    if options.labels:
        return _check_labels(options, dataset)
    report = data_report(dataset)
    if options.json:
        print(json.dumps(report, indent=2))
        return 0
    for name, value in {**report, "quarantined": len(report["quarantined"])}.items():
        print(f"{name.replace('_', ' '):<28} {value}")
    for entry in report["quarantined"]:
        print(f"  {entry['file']!r}: {entry['reason']}")  # an archive may hold any name
    return 0


def _check_labels(options: argparse.Namespace, dataset: Any) -> int:
    from .evaluation.suspicion import reasons, suspicion_counts
    from .faces.model import check_labels
    from .faces.table import check_table

    if options.csv:
        check_table(Path(options.csv), ["file", "age", "gender"], options.force)
    print(f"Asking the bundled model about {len(dataset.faces)} faces. {IN_SAMPLE}", file=sys.stderr)
    labels = check_labels(dataset)
    if options.csv:
        write_text(Path(options.csv), labels.to_csv(index=False))
    counts = suspicion_counts(labels)
    if options.json:
        print(json.dumps(counts, indent=2))
        return 0
    for name, value in counts.items():
        print(f"{name.replace('_', ' '):<32} {value}")
    for face in labels.head(SUSPICIOUS_SHOWN).to_dict("records"):
        if told := reasons(face):
            print(f"{face['file']!r}: {told}")
    return 0


def _add_evaluate(verbs: Any) -> None:
    evaluate = verbs.add_parser(
        "evaluate",
        help="score the bundled model on labelled faces",
        description="Predicts UTKFace-named crops with the bundled model and compares with the labels in their names.",
    )
    evaluate.add_argument("data", help="sample, kaggle, or a folder, .zip or .tar.gz of UTKFace crops")
    evaluate.add_argument("--json", action="store_true", help="print the scores as JSON")
    evaluate.set_defaults(verb=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from .data.dataset import open_dataset
    from .faces.model import evaluate, load_model

    dataset = open_dataset(options.data, Settings.read().runs_folder / "cache")
    if left_out := len(dataset.quarantined):
        print(f"{left_out} files are left out; `utkface-mt check {options.data}` says why.", file=sys.stderr)
    report = evaluate(dataset, load_model())
    if options.json:
        print(json.dumps(report, indent=2))
        return 0
    for name, scores in {"all": report, **report.pop("by_race")}.items():
        accuracy, f1 = (100 * scores[score] for score in ("gender_accuracy", "gender_f1_weighted"))
        age = f"age MAE {scores['age_mae']:.2f}, RMSE {scores['age_rmse']:.2f} years"
        print(f"{name:<8} {scores['n']:>6} faces  {age}  gender accuracy {accuracy:.1f} %, F1 {f1:.1f} %")
    return 0


def _add_predict(verbs: Any) -> None:
    predict = verbs.add_parser(
        "predict",
        help="age and gender of the faces in photos",
        description="Finds the faces in photos, cuts them like UTKFace's crops, and predicts age and gender with the "
        "bundled model. The gender is one of two labels that other people gave, not what a person is.",
    )
    predict.add_argument("paths", nargs="+", metavar="PATH", help="photos, or folders of photos")
    predict.add_argument("--aligned", action="store_true", help="pictures cut like UTKFace's crops: no face is sought")
    predict.add_argument("--csv", type=os.path.expanduser, metavar="FILE", help="write the table here, as rows come")
    predict.add_argument("--json", action="store_true", help="print a line of JSON for each face, or file without one")
    predict.add_argument("--details", action="store_true", help="add box, detector's confidence and note to the CSV")
    predict.add_argument("--annotate", type=os.path.expanduser, metavar="DIR", help="write copies with boxes here")
    predict.add_argument("--confidence", type=float, metavar="C", help="leave out less sure faces, 0 to 1 (0.8)")
    predict.add_argument("--fresh", action="store_true", help="forget the rows that an interrupted call has kept")
    predict.add_argument("--force", action="store_true", help="let --csv replace a file that is no earlier table")
    predict.set_defaults(verb=_predict)


def _predict(options: argparse.Namespace) -> int:
    _check_predict(options)
    from rich.console import Console
    from rich.progress import Progress

    from .faces.annotate import copy_places, write_annotated
    from .faces.detect import CONFIDENCE
    from .faces.model import load_model
    from .faces.predict import COLUMNS, DETAILS, predict_rows
    from .faces.read import list_photos
    from .faces.table import GrowingTable, as_text, check_table, escaped
    from .model.weights import BUNDLED_MODEL

    columns = [*COLUMNS, *DETAILS] if options.details else list(COLUMNS)
    if options.csv:
        check_table(Path(options.csv), columns, options.force)
    skipped: list[Path] = []
    folder = Path(options.annotate) if options.annotate else None
    files = list_photos(options.paths, skipped)
    copies = copy_places(files, list(map(Path, options.paths)), folder) if folder else {}
    confidence = CONFIDENCE if options.confidence is None else options.confidence
    model = file_digest(BUNDLED_MODEL / "model.json")
    kept = [*map(os.path.abspath, options.paths), options.aligned, confidence, options.annotate, model]
    table = GrowingTable(Path(options.csv), columns, kept, [] if options.fresh else files) if options.csv else None
    rows = list(table.rows) if table else []
    done = {row["file"] for row in rows}
    left = [file for file in files if escaped(str(file)) not in done]
    if done and options.json:
        print(f"{table.part} holds {len(done)} files: their lines are not printed again.", file=sys.stderr)
    screens = {"disable": not sys.stderr.isatty(), "redirect_stdout": sys.stdout.isatty()}
    try:
        with Progress(console=Console(stderr=True), transient=True, **screens) as bar:
            answers = predict_rows(left, load_model(), options.aligned, confidence)
            for file, found in bar.track(answers, len(files), len(files) - len(left), description="Looking at photos"):
                if folder:
                    write_annotated(file, found, copies[file])
                if table:
                    table.add(found)
                rows += found
                done.add(escaped(str(file)))
                if options.json:
                    print(*map(json.dumps, found), sep="\n", flush=True)
        if table:
            table.close()
    except BaseException:
        if table:
            told = f"{table.part} holds the rows of {len(done)} of {len(files)} files"
            print(f"{told}; the same command goes on from there, and --fresh starts over.", file=sys.stderr)
        elif not options.json:
            print(as_text(rows))
        raise
    if not options.json:
        print(as_text(rows))
    own = {os.path.realpath(file) for file in (table.target, table.part)} if table else set()
    return _say_what_is_missing(rows, [one for one in skipped if os.path.realpath(one) not in own])


def _check_predict(options: argparse.Namespace) -> None:
    """Refuses what could not end well, before hours of work and before anything is replaced."""
    if options.confidence is not None and not 0 <= options.confidence <= 1:
        raise UserError(f"--confidence {options.confidence:g}: it should lie between 0 and 1.")
    if "" in (*options.paths, options.csv, options.annotate):
        raise UserError("One of the paths is empty. Give pictures, folders of pictures, and files to write.")
    if options.annotate and options.aligned:
        raise UserError("--annotate draws boxes around faces in photos; with --aligned a face fills its picture.")
    if options.annotate:
        check_writable(Path(options.annotate) / "copies")


def _say_what_is_missing(rows: list[dict[str, Any]], skipped: list[Path]) -> int:
    """Names the files without an answer; the exit code is 3 if some could not be read."""
    from .faces.predict import NO_FACE, NOT_READ

    unread = [row for row in rows if row["gender"] == NOT_READ]
    for row in unread:
        print(f"{row['file']}: {row.get('note') or NOT_READ}", file=sys.stderr)
    if without := sum(row["gender"] == NO_FACE for row in rows):
        print(f"No face was found in {without} of {len({row['file'] for row in rows})} files.", file=sys.stderr)
    if skipped:
        named = ", ".join(map(str, skipped[:10])) + (", ..." if len(skipped) > 10 else "")
        print(f"Skipped as no pictures, or since they cannot be read ({len(skipped)}): {named}", file=sys.stderr)
    return 3 if unread else 0


def _add_export(verbs: Any) -> None:
    export = verbs.add_parser(
        "export",
        help="write the bundled model for another runtime",
        description="Writes the bundled model as LiteRT, ONNX or SavedModel: one graph that takes raw crops, uint8 RGB "
        "[n, 200, 200, 3], prepares them itself, and gives age in years and probability_female.",
    )
    export.add_argument("--to", required=True, choices=("litert", "onnx", "saved-model"), help="the format")
    export.add_argument(
        "--precision", default="float32", choices=("float32", "float16", "int8"), help="float32 by default"
    )
    export.add_argument("--out", required=True, metavar="PATH", help="the file to write; a folder for saved-model")
    export.set_defaults(verb=_export)


def _export(options: argparse.Namespace) -> int:
    from .faces.export import export_model, licence_beside

    path = export_model(options.to, Path(options.out).expanduser(), options.precision)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    print(f"{path}: {sum(file.stat().st_size for file in files) / 1e6:.2f} MB")
    print(f"For non-commercial research only, as UTKFace is: {licence_beside(path)} goes with it.")
    return 0
