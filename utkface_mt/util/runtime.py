"""What runs around the code: library versions, the machine, and the chatter that programs write past Python."""

import contextlib
import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from .. import __version__

LIBRARIES = ("tensorflow", "keras", "numpy", "scikit-learn", "optuna")


@contextlib.contextmanager
def stderr_to(path: Path | str) -> Iterator[None]:
    """Appends all that is written to file descriptor 2 to a file, child processes' words included; or `os.devnull`."""
    try:
        kept = os.dup(2)
    except OSError:  # a program without a console may have no standard error
        yield
        return
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        if sys.stderr:
            sys.stderr.flush()
        os.dup2(target, 2)
        yield
    finally:
        if sys.stderr:
            sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(target)


def describe_machine() -> str:
    """The kind of machine, without its name: processor where the system tells it, cores, system."""
    told = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", told.read_text(), re.MULTILINE) if told.exists() else None
    processor = found[1].strip() if found else platform.processor() or "unnamed processor"
    return f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def library_versions() -> dict[str, str]:
    """The versions that results depend on, Python's among them."""
    own = {"python": platform.python_version(), "utkface_mt": __version__}
    return {**own, **{name: version(name) for name in LIBRARIES}}


def version_line() -> str:
    """The versions in one line: what every notebook prints first."""
    return ", ".join(f"{name} {number}" for name, number in library_versions().items())
