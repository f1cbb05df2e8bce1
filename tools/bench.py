"""Measures this package against the plain way of doing the same, turn by turn, on drawn faces.

Writes `runs/bench/bench.json`; the last line of the output is the summary as JSON.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from utkface_mt.config import Settings
from utkface_mt.data.dataset import open_dataset
from utkface_mt.data.pixels import open_pixels
from utkface_mt.drawn_faces.sample import draw_batch
from utkface_mt.util.files import write_json
from utkface_mt.util.runtime import describe_machine, library_versions

from . import bench_training as training
from .bench_data import PARTS, apart, growth_exponent, measure_predict, seconds_to_first_answer, write_faces
from .bench_training import BATCH
from .command import call
from .readme import performance

PASSES = 3  # of a training step: forward, and back to the weights and to the inputs of each layer
INPUT_WAY = "our training step, which it has to keep ahead of"


@dataclass(frozen=True)
class Amounts:
    """How much is measured; by default what takes some minutes on two cores."""

    image_sizes: tuple[int, int] = (224, 128)  # of the two training comparisons, in pixels: the larger first
    width: float = 1.0  # of MobileNetV2
    steps: tuple[int, int] = (3, 8)  # training steps in a turn, at either size
    turns: int = 4  # how often each way is timed
    faces: int = 256  # pictures of the frozen baseline; a multiple of 32
    pictures: int = 2048  # of the input comparison
    calls: int = 20  # single predictions in a turn
    drawn: int = 300  # faces that are drawn; all others are made from them
    indexed: int = 24_000  # faces of the index that is timed against the clock
    growth: tuple[int, ...] = (1_000, 5_000, 20_000)  # numbers of faces between which growth is measured
    predicted: tuple[int, int] = (1_000, 2_005)  # photos and crops that `predict` looks at


def run_benchmark(folder: Path, amounts: Amounts) -> dict[str, Any]:
    """Measures everything, writes `bench.json` into a folder, and returns the summary."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as name:
        scratch = Path(name)
        rows, rates = _measure_training(amounts)
        rows += _measure_predictions(amounts)
        print(f"Drawing {amounts.drawn} faces and making {amounts.indexed:,} of them ...", flush=True)
        drawn, _ = draw_batch(amounts.drawn, seed=0)
        faces = write_faces(drawn, scratch / "faces", amounts.indexed)
        rows.append(_measure_input(faces, scratch, amounts))
        counts, place, size = (*amounts.growth, amounts.indexed), scratch / "prepared", amounts.image_sizes[1]
        preparation = [apart("prepare", faces, place / str(count), count, size) for count in counts]
        print("Predicting {:,} photos and {:,} crops ...".format(*amounts.predicted), flush=True)
        predicted = measure_predict(drawn, scratch, *amounts.predicted)
        first = median(seconds_to_first_answer(scratch / "photos" / "0.jpg") for _ in range(amounts.turns))
    report = _report(rows, rates, preparation, predicted, first)
    write_json(folder / "bench.json", report)
    print(performance(report), f"Written: {folder / 'bench.json'}", sep="\n\n")
    return report["summary"]


def _row(key: str, what: str, plain_way: str, amount: int, seconds: dict) -> dict[str, Any]:
    """A line of the table: two ways, `plain` and `ours`, in pictures a second, and their ratio."""
    middle = {way: median(values) for way, values in seconds.items()}
    return {
        "key": key,
        "what": what,
        "plain_way": plain_way,
        **{way: round(amount / value, 1) for way, value in middle.items()},
        "ratio": round(middle["plain"] / middle["ours"], 2),
        "seconds": {way: [round(value, 4) for value in values] for way, values in seconds.items()},
    }


def _measure_training(amounts: Amounts) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Lines of the table, and rates in GMAC/s: of plain operations, of our steps, and their share of the faster.

    With the rates stands what one of two processes sends in a step.
    """
    rows, rate, shares = [], training.measure_limit(amounts.turns), {}
    limit = max(rate.values())
    for size, steps in zip(amounts.image_sizes, amounts.steps, strict=True):
        print(f"Training at {size} pixels ...", flush=True)
        seconds, multiply_adds = training.measure_training(size, amounts.width, steps, amounts.turns)
        title, plain = f"training, all layers, {size} px", "keras.applications in model.fit, arrays in memory"
        train, step = ({"plain": seconds["plain"], "ours": seconds[name]} for name in ("train", "step"))
        rows.append(_row(f"train_{size}", f"{title}, augmented", plain, steps * BATCH, train))
        rows.append(_row(f"step_{size}", f"{title}, step alone", plain, steps * BATCH, step))
        rate[f"step_{size}"] = PASSES * multiply_adds * steps * BATCH / median(seconds["step"]) / 1e9
        shares[f"step_{size}"] = round(rate[f"step_{size}"] / limit, 3)
    keeps_up = {"plain": seconds["train"], "ours": seconds["input"]}  # of the smaller size: less time for the input
    rows.append(_row("input_over_step", f"augmented input, {size} px", INPUT_WAY, steps * BATCH, keeps_up))
    what, way = f"two processes on a core each, {{}} scaling, {size} px", "one process on one core"
    scaling, sent = training.measure_scaling(size, amounts.width, 3 * steps)
    rows += [_row(f"scaling_{kind}", what.format(kind), way, 1, took) for kind, took in scaling.items()]
    rate = {name: round(value, 1) for name, value in rate.items()}
    return rows, {"multiply_add_rate": {**rate, "share_of_limit": shares}, "megabytes_a_step": round(sent / 1e6, 2)}


def _measure_predictions(amounts: Amounts) -> list[dict[str, Any]]:
    size, epochs = amounts.image_sizes[1], training.BASELINE_EPOCHS
    baseline = training.measure_frozen_baseline(size, amounts.width, amounts.faces, amounts.turns)
    what, way = f"frozen baseline, {epochs} epochs, {size} px", "every epoch through the backbone"
    rows = [_row("frozen_baseline", what, way, amounts.faces * epochs, baseline)]
    single = training.measure_single_inference(size, amounts.width, amounts.calls, amounts.turns)
    what, way = f"one picture at a time, {size} px", "model.predict"
    return [*rows, _row("single_inference", what, way, amounts.calls, single)]


def _measure_input(faces: Path, scratch: Path, amounts: Amounts) -> dict[str, Any]:
    size, few = amounts.image_sizes[1], scratch / "few"
    few.mkdir()
    for path in sorted(faces.iterdir())[: amounts.pictures]:
        (few / path.name).hardlink_to(path)
    dataset = open_dataset(str(few), scratch / "storage")
    times = training.measure_cached_input(few, open_pixels(dataset, dataset.faces, size), amounts.turns)
    what, way = f"an epoch's pictures, {size} px", "decoding the JPEG files in every epoch"
    return _row("cached_input", what, way, amounts.pictures, times)


def _report(rows: list[dict], rates: dict, preparation: list[dict], predicted: dict, first: float) -> dict[str, Any]:
    """What was measured, fit for JSON."""
    *grown, indexed = preparation
    counts = [entry["faces"] for entry in grown]
    exponents = {part: round(growth_exponent(counts, [entry[part] for entry in grown]), 3) for part in PARTS}
    total = growth_exponent(counts, [sum(entry[part] for part in PARTS) for entry in grown])
    summary = {row["key"]: row["ratio"] for row in rows}
    summary |= {"index_seconds": round(indexed["index"], 1), "index_peak_mb": round(indexed["peak_mb"])}
    summary |= {f"predict_{what}": round(entry["faces_a_second"], 1) for what, entry in predicted.items()}
    summary |= {"first_answer_seconds": round(first, 2), "megabytes_a_step": rates["megabytes_a_step"]}
    return {
        "machine": describe_machine(),
        "versions": library_versions(),
        "rows": rows,
        **rates,
        "preparation": preparation,
        "growth": exponents,
        "predict": predicted,
        "summary": {**summary, "growth_exponent": round(total, 3)},
    }


def main() -> None:
    """Measures, and prints the summary as JSON."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(json.dumps(run_benchmark(Settings.read().runs_folder / "bench", Amounts())))


if __name__ == "__main__":
    call(main)
