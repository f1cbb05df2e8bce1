"""The benchmark: ways take turns, every promised figure is there, and growth is read off rightly."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from tools.bench_faces import COPY_EVERY, varied
from tools.bench_preparation import growth_exponent
from tools.bench import Amounts, run_benchmark
from tools.bench_training import Times, alternate
from utkface_mt.drawn_faces.sample import draw_batch

TINY = Amounts(
    image_sizes=(64, 32),
    width=0.35,
    steps=(1, 2),
    turns=1,
    faces=32,
    pictures=64,
    calls=2,
    drawn=40,
    indexed=500,
    growth=(320, 400),
)
PROMISED = ("train_64", "train_32", "frozen_baseline", "input_over_step", "cached_input", "single_inference")


def test_ways_take_turns_and_the_first_turn_does_not_count():
    calls = []
    seconds = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b") or 0.5}, turns=3)
    assert calls == ["a", "b"] * 4
    assert len(seconds["a"]) == 3
    assert seconds["b"] == [0.5] * 3


def test_a_ratio_is_of_the_medians():
    assert Times([3.0, 100.0, 4.0], [2.0, 2.0, 0.1]).ratio == 2


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_the_growth_exponent_is_the_power(power: float):
    counts = [1000, 5000, 20000]
    assert growth_exponent(counts, [3e-5 * count**power for count in counts]) == pytest.approx(power)


def test_varied_faces_are_repeatable_and_differ():
    picture = Image.fromarray(draw_batch(1, seed=0)[0][0])
    assert np.array_equal(varied(picture, 1), varied(picture, 1))
    assert np.abs(np.asarray(varied(picture, 1), float) - np.asarray(varied(picture, 2), float)).mean() > 10


@pytest.mark.slow
def test_the_whole_benchmark_writes_table_figure_and_every_promised_number(runs: Path):
    console = Console(record=True, width=200)
    summary = run_benchmark(console, TINY)
    assert set(PROMISED) <= set(summary)
    assert all(summary[key] > 0 for key in (*PROMISED, "index_seconds", "index_peak_mb"))
    assert np.isfinite(summary["growth_exponent"])
    report = json.loads((runs / "bench" / "bench.json").read_text())
    assert report["summary"] == summary
    assert [entry["faces"] for entry in report["preparation"]] == [320, 400, 500]
    assert report["preparation"][-1]["clusters"] == 500 // COPY_EVERY
    assert Image.open(runs / "bench" / "bench.png").width > 500
    assert not (runs / "bench" / "scratch").exists()
    assert "model.predict" in console.export_text()
