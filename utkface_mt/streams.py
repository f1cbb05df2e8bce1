"""Sending away what programs write past Python to the screen."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def stderr_to(path: Path | str) -> Iterator[None]:
    """Appends everything written to file descriptor 2 to a file while the block runs, child processes included.

    Args:
        path: the file; `os.devnull` forgets it all.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(target, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(target)
