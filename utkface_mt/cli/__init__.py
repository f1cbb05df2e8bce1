"""The command line: `python -m utkface_mt VERB`, also installed as `utkface-mt`.

Only what a verb needs is imported when it runs, so that `--help` answers at once.
"""

import argparse
import sys
import traceback
from collections.abc import Sequence

from .. import __version__
from ..errors import UserError
from . import data, maintenance, model, training


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
    for group in (training, data, model, maintenance):
        group.add_verbs(verbs)
    for verb in verbs.choices.values():
        verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser
