"""What the tools share: opening UTKFace as a run did, rounding, and errors told without a traceback."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

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


def rounded(values: dict[str, Any]) -> dict[str, Any]:
    """Numbers with the six digits that are committed; everything else as it is."""
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}
