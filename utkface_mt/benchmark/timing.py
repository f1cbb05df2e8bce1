"""Measuring several ways of doing the same: turn by turn, so that a busy moment of the machine hits them all."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Way = Callable[[], float | None]


@dataclass(frozen=True)
class Times:
    """Seconds of two ways, turn by turn."""

    plain: list[float]
    ours: list[float]

    @property
    def ratio(self) -> float:
        """How many times faster ours is: the ratio of the medians."""
        return median(self.plain) / median(self.ours)


def alternate(ways: Mapping[str, Way], turns: int) -> dict[str, list[float]]:
    """Times ways one after the other, again and again.

    Each has a first turn that is not counted (compiling, reading into memory).

    Args:
        ways: by name; a way that returns a number has taken its own time, in seconds.
        turns: how often each is timed.

    Returns:
        The seconds of each way's turns.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            measured = way()
            if turn:
                seconds[name].append(time.perf_counter() - started if measured is None else measured)
    return seconds
