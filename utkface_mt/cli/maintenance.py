"""The verbs for those who work on the package: speed, committed outputs, the reference, the bundled model."""

import argparse
import json
from typing import Any

from ..config import runs_root


def add_verbs(verbs: Any) -> None:
    """Adds `bench`, `publish`, `collect`, `bundle`, `margins` and `measure-exports`."""
    _add_bench(verbs)
    _add_publish(verbs)
    _add_collect(verbs)
    _add_bundle(verbs)
    _add_margins(verbs)
    _add_measure_exports(verbs)


def _add_bench(verbs: Any) -> None:
    bench = verbs.add_parser(
        "bench",
        help="measure speed against plain Keras",
        description="Measures the package against the plain way of doing the same, turn by turn, on drawn faces.",
    )
    bench.set_defaults(verb=_bench)


def _bench(options: argparse.Namespace) -> int:
    from rich.console import Console

    from ..benchmark.run import run_benchmark

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

    from ..publish import publish_notebooks

    publish_notebooks(Console(highlight=False))
    return 0


def _add_collect(verbs: Any) -> None:
    collect = verbs.add_parser(
        "collect",
        help="for maintainers: copy what a run measured into the reference",
        description="Writes rows, histories, predictions, split and study of a run into utkface_mt/reference/.",
    )
    collect.add_argument("--profile", default="cpu", choices=("cpu", "full"), help="whose run")
    collect.set_defaults(verb=_collect)


def _collect(options: argparse.Namespace) -> int:
    from ..collect import collect
    from ..reproduce import FOLDER

    for path in collect(runs_root() / options.profile, runs_root() / FOLDER):
        print(f"wrote {path.name}")
    return 0


def _add_bundle(verbs: Any) -> None:
    bundle = verbs.add_parser(
        "bundle",
        help="for maintainers: make a trained row the bundled model",
        description="Writes a row's weights in half precision, with what is needed to use them, into the package.",
    )
    bundle.add_argument("row", help="such as 10_full_recipe")
    bundle.add_argument("--data", required=True, help="the data it was trained on")
    bundle.add_argument("--weights", default="", help="the weights it started from")
    bundle.set_defaults(verb=_bundle)


def _bundle(options: argparse.Namespace) -> int:
    from ..bundle import bundle
    from ..ladder import require_row
    from ..measured import PROFILE
    from ..workspace import open_workspace

    workspace = open_workspace(PROFILE, options.data, options.weights)
    print(bundle(workspace, require_row(workspace, options.row)).round(4).to_string())
    return 0


def _add_margins(verbs: Any) -> None:
    margins = verbs.add_parser(
        "margins",
        help="for maintainers: measure how UTKFace's crops are cut",
        description="Measures where eyes, nose and mouth lie in UTKFace's crops, and what other margins cost, and "
        "writes both into utkface_mt/reference/alignment.json.",
    )
    margins.add_argument("--data", required=True, help="the data the bundled model was trained on")
    margins.add_argument("--weights", default="", help="the weights it started from")
    margins.set_defaults(verb=_margins)


def _margins(options: argparse.Namespace) -> int:
    from ..inference import load_model
    from ..measured import PROFILE
    from ..photos.margins import measure_alignment
    from ..workspace import open_workspace
    from .progress import progress_bar

    workspace = open_workspace(PROFILE, options.data, options.weights)
    with progress_bar("Finding faces in crops") as progress:
        print(json.dumps(measure_alignment(workspace, load_model(), progress), indent=2))
    return 0


def _add_measure_exports(verbs: Any) -> None:
    measure = verbs.add_parser(
        "measure-exports",
        help="for maintainers: measure every exported file",
        description="Measures the ranges that int8 needs on training faces, writes every format and precision, and "
        "compares each with the bundled model on the test faces. Writes into utkface_mt/reference/.",
    )
    measure.add_argument("--data", required=True, help="the data the bundled model was trained on")
    measure.add_argument("--weights", default="", help="the weights it started from")
    measure.set_defaults(verb=_measure_exports)


def _measure_exports(options: argparse.Namespace) -> int:
    from ..export.measure import measure_exports
    from ..measured import PROFILE
    from ..workspace import open_workspace
    from .progress import progress_bar

    workspace = open_workspace(PROFILE, options.data, options.weights)
    with progress_bar("Exporting and comparing") as progress:
        print(json.dumps(measure_exports(workspace, progress), indent=2))
    return 0
