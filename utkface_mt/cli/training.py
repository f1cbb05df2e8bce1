"""The verbs that train, and the one that shows what came of it."""

import argparse
import json
import os
from typing import Any

from ..config import PROFILES, runs_root

NARROWEST = 130  # characters: what the table of results needs to be read
WORKSPACE = ("profile", "data", "weights", "limit", "epochs", "trials", "seed", "strategy")


def add_verbs(verbs: Any) -> None:
    """Adds `run`, `search`, `reproduce` and `results`."""
    _add_run(verbs)
    _add_search(verbs)
    _add_reproduce(verbs)
    _add_results(verbs)


def _add_run(verbs: Any) -> None:
    run = verbs.add_parser(
        "run", help="run the notebooks in order", description="Runs the notebooks in order and writes a report."
    )
    _add_workspace_options(run)
    run.add_argument("--from", dest="first", default="", metavar="NN", help="start with this notebook, such as 05")
    run.add_argument("--only", default="", metavar="NN", help="run this notebook only")
    run.add_argument("--fresh", action="store_true", help="put an earlier run aside instead of going on with it")
    run.add_argument(
        "--timeout",
        type=int,
        default=86_400,
        metavar="S",
        help="seconds a cell may take, a day by default; 0: no limit",
    )
    run.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        type=_parameter,
        help="a further parameter of the notebooks' parameters cell",
    )
    run.add_argument(
        "--tensorboard", action="store_true", help="write logs for TensorBoard into the run's folder while training"
    )
    run.set_defaults(verb=_run)


def _add_workspace_options(verb: argparse.ArgumentParser) -> None:
    """The options that say what is trained, on which faces, and for how long."""
    summaries = "; ".join(f"{profile.name}: {profile.summary}" for profile in PROFILES.values())
    verb.add_argument("--profile", default="sample", choices=PROFILES, help=summaries)
    verb.add_argument("--data", default="sample", help="sample, kaggle, or a folder, .zip or .tar.gz of UTKFace crops")
    verb.add_argument("--weights", default="", help="imagenet, bundled, none, or a .weights.h5 file")
    verb.add_argument("--limit", type=int, default=0, metavar="N", help="use N faces, the strata kept")
    verb.add_argument(
        "--epochs", type=int, default=0, metavar="N", help="epochs of every row, instead of the profile's"
    )
    verb.add_argument(
        "--trials", type=int, default=0, metavar="N", help="trials of the study, instead of the profile's"
    )
    verb.add_argument("--seed", type=int, default=0, help="seed of training")
    verb.add_argument(
        "--strategy", default="auto", choices=("auto", "mirrored"), help="one device, or all devices of this machine"
    )


def _parameter(text: str) -> tuple[str, Any]:
    """Reads NAME=VALUE, the value as JSON where it is valid JSON and as text otherwise."""
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ..sequence import SequenceOptions, run_sequence

    shared = {name: getattr(options, name) for name in ("limit", "epochs", "trials", "seed", "strategy")}
    sequence = SequenceOptions(
        profile=options.profile,
        data=options.data,
        weights=options.weights,
        first=options.first,
        only=options.only,
        fresh=options.fresh,
        cell_timeout=options.timeout,
        parameters={**shared, **dict(options.parameter)},
    )
    console = Console(highlight=False)
    if options.tensorboard:
        _ask_for_tensorboard()
    run_sequence(sequence, console)
    if options.tensorboard:
        console.print(f"Look at training: tensorboard --logdir {runs_root() / options.profile / 'tensorboard'}")
    return 0


def _ask_for_tensorboard() -> None:
    """Has every kernel of this run write logs."""
    from ..training.tensorboard import require_tensorboard

    require_tensorboard()
    os.environ["UTKFACE_MT_TENSORBOARD"] = "1"


def _add_search(verbs: Any) -> None:
    search = verbs.add_parser(
        "search",
        help="run the hyperparameter study with several workers",
        description="Runs the study of notebook 05 with any number of workers, here or on several machines.",
    )
    _add_workspace_options(search)
    search.add_argument("--workers", type=int, default=1, metavar="N", help="processes to start on this machine")
    search.add_argument(
        "--storage",
        default="",
        metavar="URL",
        help="what the workers share: sqlite:///FILE on one machine, journal:FILE on a shared disk, or a database's "
        "URL; an SQLite file in the run's folder by default. Set UTKFACE_MT_STUDIES to it for the notebooks",
    )
    search.set_defaults(verb=_search)


def _search(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ..search_workers import search_with_workers

    workspace = {name: getattr(options, name) for name in WORKSPACE}
    study = search_with_workers(workspace, options.workers, options.storage, Console(highlight=False))
    print(f"Best: trial {study.best_trial.number}, validation loss {study.best_value:.4f}")
    for name, value in study.best_params.items():
        print(f"  {name:<14} {value:g}" if isinstance(value, float) else f"  {name:<14} {value}")
    return 0


def _add_reproduce(verbs: Any) -> None:
    reproduce = verbs.add_parser(
        "reproduce",
        help="train one row of the results table again",
        description="Trains a row of the committed table as it was trained, tests it, and compares.",
    )
    reproduce.add_argument("row", help="such as 03_baseline; the rows are named in utkface_mt/reference/results.json")
    reproduce.add_argument("--data", required=True, help="kaggle, or a folder, .zip or .tar.gz of UTKFace crops")
    reproduce.add_argument("--weights", default="", help="imagenet, or a .weights.h5 file")
    reproduce.add_argument("--seed", type=int, default=0, help="seed of training")
    reproduce.set_defaults(verb=_reproduce)


def _reproduce(options: argparse.Namespace) -> int:
    from ..measured import PROFILE
    from ..reproduce import describe, reproduce
    from ..workspace import open_workspace

    workspace = open_workspace(PROFILE, options.data, options.weights, seed=options.seed)
    result, table = reproduce(workspace, options.row, options.seed)
    print(f"{options.row}, seed {options.seed}, {len(result.history)} epochs in {result.seconds:.0f} s")
    print(describe(table))
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
        help="a run's folder, a profile, or reference; by default every profile run here, else the reference",
    )
    form = results.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")
    form.add_argument("--json", action="store_true", help="print the figures as JSON")
    results.set_defaults(verb=_results)


def _results(options: argparse.Namespace) -> int:
    from ..compare_runs import REFERENCE_NAME, compare_runs, known_runs, open_run, readable

    chosen = list(dict.fromkeys(options.runs)) or known_runs() or [REFERENCE_NAME]
    opened = [open_run(name) for name in chosen]
    groups = [opened] if options.runs else [[run] for run in opened]  # unasked, profiles are not compared
    table = [entry for group in groups for entry in compare_runs(group)]
    if options.json:
        print(json.dumps(table, indent=2))
    elif options.markdown:
        print(readable(table).to_markdown(index=False, disable_numparse=True))
    else:
        _print_tables(table)
    return 0


def _print_tables(table: list[dict[str, Any]]) -> None:
    """A table for each run, whole even where the screen is narrow or a file."""
    from rich.console import Console
    from rich.table import Table

    from ..compare_runs import readable

    for run, rows in readable(table).groupby("run", sort=False):
        against = next((name for name in rows["compared with"] if name), "").split(":")[0]
        caption = f"differences: to {'the row before' if against == run else f'the same row of {against}'}, paired"
        shown = rows.drop(columns=["run", "compared with"])
        rich = Table(*shown.columns, title=str(run), caption=caption if against else None, title_justify="left")
        for row in shown.itertuples(index=False):
            rich.add_row(*map(str, row))
        Console(width=max(Console().width, NARROWEST)).print(rich)
