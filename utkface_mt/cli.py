"""The command line: `python -m utkface_mt VERB`, also installed as `utkface-mt`.

Only what a verb needs is imported when it runs, so that `--help` answers at once.
"""

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from . import __version__
from .config import PROFILES, runs_root
from .errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb.

    Args:
        arguments: without the program's name; those of the process by default.

    Returns:
        The exit code: 0 if all went well, 1 after an error, 2 for a wrong call, 130 if interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.verb(options)
    except UserError as error:
        if options.debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. What was finished is kept; the same command goes on.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        if options.debug:
            raise
        print(f"error: unexpected {type(error).__name__}: {error}\nUse --debug for the traceback.", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="utkface-mt", description="Age and gender from UTKFace faces with one MobileNetV2."
    )
    parser.add_argument("--version", action="version", version=f"utkface_mt {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _add_run(verbs)
    _add_search(verbs)
    _add_check(verbs)
    _add_bench(verbs)
    _add_publish(verbs)
    for verb in verbs.choices.values():
        verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


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

    from .sequence import SequenceOptions, run_sequence

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
    run_sequence(sequence, Console(highlight=False))
    return 0


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

    from .search_workers import search_with_workers

    names = ("profile", "data", "weights", "limit", "epochs", "trials", "seed", "strategy")
    workspace = {name: getattr(options, name) for name in names}
    study = search_with_workers(workspace, options.workers, options.storage, Console(highlight=False))
    print(f"Best: trial {study.best_trial.number}, validation loss {study.best_value:.4f}")
    for name, value in study.best_params.items():
        print(f"  {name:<14} {value:g}" if isinstance(value, float) else f"  {name:<14} {value}")
    return 0


def _add_check(verbs: Any) -> None:
    check = verbs.add_parser(
        "check", help="report on a dataset", description="Reports what is in a dataset and what is wrong with it."
    )
    check.add_argument("data", help="sample, kaggle, or a folder, .zip or .tar.gz of UTKFace crops")
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.set_defaults(verb=_check)


def _check(options: argparse.Namespace) -> int:
    from .data.dataset import data_report, open_dataset

    report = data_report(open_dataset(options.data, runs_root() / "cache"))
    if options.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
        return 0
    quarantined = report.pop("quarantined")
    for name, value in report.items():
        print(f"{name.replace('_', ' '):<28} {value}")
    print(f"{'quarantined':<28} {len(quarantined)}")
    for entry in quarantined:
        print(f"  {entry['file']}: {entry['reason']}")
    return 0


def _add_bench(verbs: Any) -> None:
    bench = verbs.add_parser(
        "bench",
        help="measure speed against plain Keras",
        description="Measures the package against the plain way of doing the same, turn by turn, on drawn faces.",
    )
    bench.set_defaults(verb=_bench)


def _bench(options: argparse.Namespace) -> int:
    from rich.console import Console

    from .benchmark.run import run_benchmark

    print(json.dumps(run_benchmark(Console(highlight=False))))
    return 0


def _add_publish(verbs: Any) -> None:
    publish = verbs.add_parser(
        "publish",
        help="for maintainers: renew the notebooks' committed outputs",
        description="Runs the sample sequence and copies its outputs, cleaned, into notebooks/.",
    )
    publish.set_defaults(verb=_publish)


def _publish(options: argparse.Namespace) -> int:
    from rich.console import Console

    from .publish import publish_notebooks

    publish_notebooks(Console(highlight=False))
    return 0
