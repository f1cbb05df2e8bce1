"""What a result was made with and on: versions of libraries, kind of machine."""

import os
import platform
from importlib.metadata import version

from . import __version__

LIBRARIES = ("tensorflow", "keras", "numpy", "scikit-learn", "optuna")


def describe_machine() -> str:
    """The kind of machine, without its name: system, processor family, cores."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def library_versions() -> dict[str, str]:
    """The versions that results depend on, Python's among them."""
    own = {"python": platform.python_version(), "utkface_mt": __version__}
    return {**own, **{name: version(name) for name in LIBRARIES}}


def version_line() -> str:
    """The versions in one line: what every notebook prints first."""
    return ", ".join(f"{name} {number}" for name, number in library_versions().items())
