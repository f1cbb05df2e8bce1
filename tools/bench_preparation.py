"""What it costs to get a dataset ready: index, near-duplicate clusters, split, decoded pictures; and how it grows."""

import multiprocessing
import os
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from utkface_mt.data.dataset import data_report, open_dataset
from utkface_mt.data.pixels import open_pixels
from utkface_mt.data.split import assign_parts

PARTS = ("index", "split", "pictures")


def measure_preparation(folder: Path, storage: Path, counts: tuple[int, ...], size: int) -> list[dict[str, Any]]:
    """Prepares the first `count` faces of a folder, for each count, in a process of its own.

    Args:
        folder: of faces.
        storage: an empty folder for what is made.
        counts: how many faces, ascending.
        size: side of the decoded pictures in pixels.

    Returns:
        For each count `faces`, the seconds of `index` (with the clusters), `split` and `pictures`, `clusters` of
        near-duplicates found, and `peak_mb`: the memory of the process up to then, in megabytes.
    """
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    results = []
    for count in counts:
        process = context.Process(target=_prepare, args=(folder, storage / str(count), count, size, answers))
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError(f"preparing {count} faces failed; the message stands above")
        results.append(answers.get())
    return results


def growth_exponent(counts: list[int], seconds: list[float]) -> float:
    """The slope of a straight line through the logarithms: 1 is growth in proportion, 2 is quadratic."""
    return float(np.polyfit(np.log(counts), np.log(seconds), 1)[0])


def _prepare(folder: Path, storage: Path, count: int, size: int, answers: Any) -> None:
    chosen = storage / "faces"
    chosen.mkdir(parents=True)
    for path in sorted(folder.iterdir())[:count]:
        os.link(path, chosen / path.name)
    started = time.perf_counter()
    dataset = open_dataset(str(chosen), storage)
    indexed = time.perf_counter()
    peak = _peak_megabytes()
    assign_parts(dataset.faces, seed=0)
    divided = time.perf_counter()
    open_pixels(dataset, dataset.faces, size)
    decoded = time.perf_counter()
    seconds = np.diff([started, indexed, divided, decoded])
    clusters = data_report(dataset)["near_duplicate_clusters"]
    answers.put(
        {"faces": count, **dict(zip(PARTS, seconds.tolist(), strict=True)), "clusters": clusters, "peak_mb": peak}
    )


def _peak_megabytes() -> float:
    """The most memory this process has had.

    Linux lets a new process inherit the maximum that `getrusage` tells from its parent, so its own is read elsewhere.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1e3
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes there and kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
