"""What the tools share: opening UTKFace as a run did, a progress bar, and errors told without a traceback."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from utkface_mt.config import Settings
from utkface_mt.experiments.reference import PROFILE
from utkface_mt.experiments.workspace import Workspace, open_workspace
from utkface_mt.util.errors import UserError


def call(main: Callable[[], None]) -> None:
    """Runs a tool's `main`; what the user can mend ends it with a message and the exit code 1."""
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")


def data_parser(description: str) -> argparse.ArgumentParser:
    """A parser with the options that `workspace_of` reads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", required=True, help="kaggle, or a folder, .zip or .tar.gz of UTKFace crops")
    parser.add_argument("--weights", default="", help="the weights the rows started from: imagenet, or a .weights.h5")
    parser.add_argument("--profile", default=PROFILE, choices=("cpu", "full"), help="of the run; cpu by default")
    return parser


def workspace_of(options: argparse.Namespace, seed: int = 0) -> Workspace:
    """Opens the workspace that the options name."""
    settings = Settings.read(profile=options.profile, data=options.data, weights=options.weights, seed=seed)
    return open_workspace(settings)


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows progress on standard error while the block runs; yields a function to call with (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
