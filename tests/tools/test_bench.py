"""The benchmark: ways take turns, growth is read off rightly, and every promised figure is there."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.bench import Amounts, run_benchmark
from tools.bench_data import COPY_EVERY, growth_exponent, varied
from tools.bench_training import alternate
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
    predicted=(2, 30),
)
PROMISED = {"train_64", "step_64", "train_32", "step_32", "frozen_baseline", "input_over_step", "cached_input"}
PROMISED |= {"scaling_strong", "scaling_weak", "single_inference", "index_seconds", "index_peak_mb", "growth_exponent"}
PROMISED |= {"predict_photos", "predict_crops", "first_answer_seconds", "megabytes_a_step"}


def test_ways_take_turns_and_the_first_turn_does_not_count():
    calls = []
    seconds = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b") or 0.5}, turns=3)
    assert calls == ["a", "b"] * 4
    assert len(seconds["a"]) == 3
    assert seconds["b"] == [0.5] * 3


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_the_growth_exponent_is_the_power(power: float):
    counts = [1000, 5000, 20000]
    assert growth_exponent(counts, [3e-5 * count**power for count in counts]) == pytest.approx(power)


def test_varied_faces_are_repeatable_and_differ():
    picture = Image.fromarray(draw_batch(1, seed=0)[0][0])
    assert np.array_equal(varied(picture, 1), varied(picture, 1))
    assert np.abs(np.asarray(varied(picture, 1), float) - np.asarray(varied(picture, 2), float)).mean() > 10


@pytest.mark.slow
def test_the_whole_benchmark_writes_table_figure_and_every_promised_number(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    summary = run_benchmark(tmp_path, TINY)
    assert set(summary) == PROMISED
    assert all(value > 0 for name, value in summary.items() if name != "growth_exponent")
    report = json.loads((tmp_path / "bench.json").read_text())
    assert report["summary"] == summary
    assert [entry["faces"] for entry in report["preparation"]] == [320, 400, 500]
    assert report["preparation"][-1]["clusters"] == 500 // COPY_EVERY
    assert summary["index_peak_mb"] < 400  # without TensorFlow, which has no part in it
    rate = report["multiply_add_rate"]
    limit = max(rate["matrix_product"], rate["convolution"])
    for key, share in rate["share_of_limit"].items():
        assert share == pytest.approx(rate[key] / limit, abs=0.02)
    assert [report["predict"][what]["faces"] for what in ("photos", "crops")] == [2, 30]
    assert not (tmp_path / "scratch").exists()
    shown = capsys.readouterr().out
    assert "model.predict" in shown
    assert f"matrix product {rate['matrix_product']:.0f}, convolution {rate['convolution']:.0f}" in shown
    assert f"{rate['step_64']:.0f} at 64 px ({rate['share_of_limit']['step_64']:.0%} of the limit)" in shown
