"""What a result was made with and on: versions of libraries, kind of machine."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from . import __version__

LIBRARIES = ("tensorflow", "keras", "numpy", "scikit-learn", "optuna")


def describe_machine() -> str:
    """The kind of machine, without its name: processor, cores, system."""
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def _processor() -> str:
    """The processor's model where the system tells it."""
    told = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", told.read_text(), re.MULTILINE) if told.exists() else None
    return found[1].strip() if found else platform.processor() or "unnamed processor"


def library_versions() -> dict[str, str]:
    """The versions that results depend on, Python's among them."""
    own = {"python": platform.python_version(), "utkface_mt": __version__}
    return {**own, **{name: version(name) for name in LIBRARIES}}


def version_line() -> str:
    """The versions in one line: what every notebook prints first."""
    return ", ".join(f"{name} {number}" for name, number in library_versions().items())
