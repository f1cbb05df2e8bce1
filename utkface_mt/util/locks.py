"""Who works on what: a folder of a run belongs to one process at a time, and one experiment is trained by one.

The operating system holds the locks, so that they end with the process that took them, however it ends.
"""

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import UserError
from .files import unwritable, write_json

RUNNER = "UTKFACE_MT_RUNNER"  # set for the kernels of a run: which run they belong to
HELD = ("process", "host", "work", "since")  # what stands in the file beside a lock
_kept: list[FileLock] = []  # held until this process ends


@contextlib.contextmanager
def holding(path: Path, work: str, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Holds a lock while the block runs; beside it a JSON file says who holds it, and for what work.

    If another process holds it, `waiting` is told who, and the lock is waited for; without `waiting` nobody waits.

    Raises:
        UserError: if another process holds it and nobody waits.
    """
    if not (lock := _acquire(path, 0)):
        if waiting is None:
            raise UserError(
                f"{_holder(path)}. Wait until it has ended or stop it, or let this one use another folder with "
                "UTKFACE_MT_RUNS."
            )
        waiting(f"{_holder(path)}; waiting for it.")
        lock = _acquire(path, -1)
    described = path.with_suffix(".json")
    try:
        held = (os.getpid(), platform.node(), work, time.strftime("%Y-%m-%d %H:%M:%S"))
        write_json(described, dict(zip(HELD, held, strict=True)))
        yield
    finally:
        described.unlink(missing_ok=True)
        lock.release()


def left_behind(path: Path) -> str:
    """Which process of this machine was killed while it held a lock; empty if none. Not all shared disks have locks."""
    if not (lock := _acquire(path, 0)):
        return ""
    lock.release()
    return _holder(path) if _described(path).get("host") == platform.node() else ""


def join_run(folder: Path) -> None:
    """Marks this process as working for the run in `folder` until it ends, if a run's runner has started it."""
    if os.environ.get(RUNNER) and not _kept:
        _kept.append(_acquire(_workers(folder) / f"{os.getpid()}.lock", -1))


def await_workers(folder: Path, seconds: float = 60.0) -> None:
    """Waits until no process of an earlier run works in `folder` any more.

    A kernel is a process of its own: it can outlive a runner that was killed by the time its cell takes.

    Raises:
        UserError: if one still works after `seconds`.
    """
    ends = time.monotonic() + seconds
    for path in sorted(_workers(folder).glob("*.lock")):
        if not (lock := _acquire(path, max(0.0, ends - time.monotonic()))):
            raise UserError(
                f"A notebook of an earlier run that was killed still works in {folder.name} (process {path.stem}). "
                "Wait until it has ended, or stop that process, and start again."
            )
        path.unlink(missing_ok=True)
        lock.release()


def lock_path(folder: Path) -> Path:
    """The lock of a run. It lies beside the run's folder, which may be put aside while it is held."""
    return folder.parent / "locks" / f"{folder.name}.lock"


def _workers(folder: Path) -> Path:
    return folder.parent / "locks" / f"{folder.name}-kernels"


def _acquire(path: Path, seconds: float) -> FileLock | None:
    """A held lock, or None if another process holds it; waits for `seconds`, without end if they are negative."""
    lock = FileLock(path, is_singleton=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=seconds, poll_interval=0.2)
    except Timeout:
        return None
    except OSError as error:
        raise unwritable(path.parent, error) from error
    return lock


def _holder(path: Path) -> str:
    if told := _described(path):
        return "Process {process} has been {work} since {since}".format_map(told)
    return f"Another process holds {path.name}"


def _described(path: Path) -> dict[str, Any]:
    """What the file beside a lock says of who took it; empty if there is none, or it is damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return dict.fromkeys(HELD, "?") | json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return {}
