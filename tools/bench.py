"""Measures this package against the plain way of doing the same, turn by turn, on drawn faces.

Writes `runs/bench/bench.json` and `bench.png`; the last line of the output is the summary as JSON.
"""

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from rich.console import Console

from utkface_mt.config import Settings
from utkface_mt.data.dataset import open_dataset
from utkface_mt.data.pixels import open_pixels
from utkface_mt.drawn_faces.sample import write_sample
from utkface_mt.plots.style import BLUE, GREY, ORANGE, new_axes, use_style
from utkface_mt.util.files import replacing, write_json
from utkface_mt.util.runtime import describe_machine, library_versions

from .bench_data import PARTS, growth_exponent, measure_preparation, write_faces
from .bench_training import (
    BASELINE_EPOCHS,
    BATCH,
    PASSES,
    Times,
    measure_cached_input,
    measure_frozen_baseline,
    measure_limit,
    measure_single_inference,
    measure_training,
)
from .command import call


@dataclass(frozen=True)
class Amounts:
    """How much is measured; by default what takes some minutes on two cores.

    Attributes:
        image_sizes: of the two training comparisons, in pixels: the larger, the smaller.
        width: of MobileNetV2.
        steps: training steps in a turn, at either size.
        turns: how often each way is timed.
        faces: pictures of the frozen baseline; a multiple of 32.
        pictures: pictures of the input comparison.
        calls: single predictions in a turn.
        drawn: faces that are drawn; all others are made from them.
        indexed: faces of the index that is timed against the clock.
        growth: numbers of faces between which growth is measured.
    """

    image_sizes: tuple[int, int] = (224, 128)
    width: float = 1.0
    steps: tuple[int, int] = (3, 8)
    turns: int = 4
    faces: int = 256
    pictures: int = 2048
    calls: int = 20
    drawn: int = 300
    indexed: int = 24_000
    growth: tuple[int, ...] = (1_000, 5_000, 20_000)


@dataclass(frozen=True)
class Line:
    """A line of the table: two ways of doing the same.

    Attributes:
        key: its name in the last line of the output.
        what: what is done.
        plain_way: how it is done without this package.
        amount: pictures in a turn.
        times: seconds of the turns.
        goal: the ratio to reach, or 0.
        multiply_adds: of a picture on its way through the network, where the network is all there is to do.
    """

    key: str
    what: str
    plain_way: str
    amount: int
    times: Times
    goal: float = 0.0
    multiply_adds: int = 0

    def row(self) -> dict[str, Any]:
        """Speeds in pictures a second (medians), their ratio and the goal, as plain values."""
        seconds = {"plain": self.times.plain, "ours": self.times.ours}
        return {
            "key": self.key,
            "what": self.what,
            "plain_way": self.plain_way,
            **{way: round(self.amount / median(values), 1) for way, values in seconds.items()},
            "ratio": round(self.times.ratio, 2),
            "goal": self.goal,
            "seconds": {way: [round(value, 4) for value in values] for way, values in seconds.items()},
        }


def run_benchmark(folder: Path, console: Console, amounts: Amounts | None = None) -> dict[str, Any]:
    """Measures everything and writes `bench.json` and `bench.png`.

    Args:
        folder: where to.
        console: where progress and the table go.
        amounts: how much.

    Returns:
        The summary: one number for each key, as the last line of `make bench` shows it.
    """
    amounts = amounts or Amounts()
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        lines = _training_lines(amounts, console)
        limit = measure_limit(amounts.turns)
        console.print(f"Drawing {amounts.drawn} faces and making {amounts.indexed:,} of them ...")
        drawn = write_sample(scratch / "drawn" / "UTKFace", amounts.drawn)
        faces = write_faces(drawn, scratch / "faces", amounts.indexed)
        lines.append(_input_line(faces, scratch, amounts, console))
        console.print("Index, clusters, split and pictures ...")
        counts = (*amounts.growth, amounts.indexed)
        preparation = measure_preparation(faces, scratch / "prepared", counts, amounts.image_sizes[1])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    report = _report(lines, limit, preparation)
    write_json(folder / "bench.json", report)
    ratio_chart(report, folder / "bench.png")
    _print(report, folder, console)
    return report["summary"]


def _training_lines(amounts: Amounts, console: Console) -> list[Line]:
    lines = []
    for size, steps in zip(amounts.image_sizes, amounts.steps, strict=True):
        console.print(f"Training at {size} pixels ...")
        seconds, work = measure_training(size, amounts.width, steps, amounts.turns)
        title, plain = f"training, all layers, {size} px", "keras.applications in model.fit, arrays in memory"
        pictures, against = steps * BATCH, seconds["plain"]
        lines += [
            Line(f"train_{size}", f"{title}, augmented", plain, pictures, Times(against, seconds["train"]), 2.0),
            Line(f"step_{size}", f"{title}, step alone", plain, pictures, Times(against, seconds["step"]), 0.0, work),
        ]
    keeps_up = Times(seconds["train"], seconds["input"])  # of the smaller size, where the input has less time
    small = amounts.image_sizes[1]
    what, way = f"augmented input, {small} px", "our training step, which it has to keep ahead of"
    lines.append(Line("input_over_step", what, way, pictures, keeps_up, 5.0))
    console.print("Frozen baseline and single predictions ...")
    baseline = measure_frozen_baseline(small, amounts.width, amounts.faces, amounts.turns)
    what, way = f"frozen baseline, {BASELINE_EPOCHS} epochs, {small} px", "every epoch through the backbone"
    lines.append(Line("frozen_baseline", what, way, amounts.faces * BASELINE_EPOCHS, baseline, 6.0))
    single = measure_single_inference(small, amounts.width, amounts.calls, amounts.turns)
    what, way = f"one picture at a time, {small} px", "model.predict"
    lines.append(Line("single_inference", what, way, amounts.calls, single, 5.0))
    return lines


def _input_line(faces: Path, scratch: Path, amounts: Amounts, console: Console) -> Line:
    console.print("Cached input ...")
    size, few = amounts.image_sizes[1], scratch / "few"
    few.mkdir()
    for path in sorted(faces.iterdir())[: amounts.pictures]:
        (few / path.name).hardlink_to(path)
    dataset = open_dataset(str(few), scratch / "storage")
    times = measure_cached_input(few, open_pixels(dataset, dataset.faces, size), amounts.turns)
    what, way = f"an epoch's pictures, {size} px", "decoding the JPEG files in every epoch"
    return Line("cached_input", what, way, amounts.pictures, times, 3.0)


def _report(lines: list[Line], limit: dict[str, float], preparation: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything that was measured, fit for JSON."""
    rows = [line.row() for line in lines]
    *grown, indexed = preparation
    counts = [entry["faces"] for entry in grown]
    exponents = {part: round(growth_exponent(counts, [entry[part] for entry in grown]), 3) for part in PARTS}
    total = growth_exponent(counts, [sum(entry[part] for part in PARTS) for entry in grown])
    summary = {row["key"]: row["ratio"] for row in rows}
    summary |= {"index_seconds": round(indexed["index"], 1), "index_peak_mb": round(indexed["peak_mb"])}
    return {
        "machine": describe_machine(),
        "versions": library_versions(),
        "rows": rows,
        "multiply_add_rate": _multiply_add_rate(lines, limit),
        "preparation": preparation,
        "growth": exponents,
        "summary": {**summary, "growth_exponent": round(total, 3)},
    }


def _multiply_add_rate(lines: list[Line], limit: dict[str, float]) -> dict[str, Any]:
    """Rates in GMAC/s: of the two plain operations and of our training steps, whose share of the faster is given."""
    steps = [line for line in lines if line.multiply_adds]
    rates = {line.key: PASSES * line.multiply_adds * line.amount / median(line.times.ours) / 1e9 for line in steps}
    shares = {key: round(rate / max(limit.values()), 3) for key, rate in rates.items()}
    return {name: round(rate, 1) for name, rate in (limit | rates).items()} | {"share_of_limit": shares}


def _print(report: dict[str, Any], folder: Path, console: Console) -> None:
    table = pd.DataFrame(report["rows"])[["what", "plain_way", "plain", "ours", "ratio", "goal"]]
    indexed, summary = report["preparation"][-1], report["summary"]
    parts = ", ".join(f"{part} {value}" for part, value in report["growth"].items())
    for text in (
        "Speeds in pictures a second:",
        table.to_markdown(index=False),
        share_of_limit(report["multiply_add_rate"]),
        f"Index and near-duplicate clusters of {indexed['faces']:,} faces: {summary['index_seconds']} s, "
        f"{summary['index_peak_mb']} MB at most (goal: 90 s, 1,000 MB)",
        f"Time grows with the number of faces to the power of {summary['growth_exponent']} ({parts}; goal: 1.1)",
        f"{report['machine']}; written: {folder / 'bench.json'}, {folder / 'bench.png'}",
    ):
        console.print(text, soft_wrap=True)


def share_of_limit(rate: dict[str, Any]) -> str:
    """How much of the machine's multiplications a training step uses, in one line."""
    steps = ", ".join(
        f"{key.removeprefix('step_')} px {rate[key]:,.0f} GMAC/s ({share:.0%})"
        for key, share in rate["share_of_limit"].items()
    )
    return (
        f"Share of the limit: a matrix product {rate['matrix_product']:,.0f} GMAC/s, a 3 x 3 convolution "
        f"{rate['convolution']:,.0f} GMAC/s, our training step at {steps} of the faster"
    )


def ratio_chart(report: dict[str, Any], path: Path) -> None:
    """Draws how many times faster each thing is than the plain way, with the goals.

    Args:
        report: as it stands in `bench.json`.
        path: of the PNG file.
    """
    use_style("Agg")
    rows = report["rows"][::-1]
    figure, axes = new_axes(9, 0.55 * len(rows) + 1.2)
    places = range(len(rows))
    axes.barh(places, [row["ratio"] - 1 for row in rows], left=1, color=BLUE, height=0.6)
    for place, row in zip(places, rows, strict=True):
        axes.annotate(f" {row['ratio']:.1f} x", (row["ratio"], place), va="center", fontsize=11)
        if row["goal"]:
            axes.plot([row["goal"]] * 2, [place - 0.38, place + 0.38], color=ORANGE, linewidth=2.5)
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(0.9, max(row["ratio"] for row in rows) * 1.6)
    axes.set_xticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
    axes.set_yticks(list(places), labels=[row["what"] for row in rows])
    axes.set_xlabel(f"{report['machine']}; orange: the goal")
    axes.set_title("How many times as fast as the plain way?")
    with replacing(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


def main() -> None:
    """Measures, and prints the summary as JSON."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    summary = run_benchmark(Settings.read().runs_folder / "bench", Console(highlight=False))
    print(json.dumps(summary))


if __name__ == "__main__":
    call(main)
