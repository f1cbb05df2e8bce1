"""Runs side by side: what is compared with what, and that differences are those of the same faces."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from utkface_mt.cli import main
from utkface_mt.experiments.compare import OTHER_FACES, compare_runs, open_run, readable
from utkface_mt.config import Experiment
from utkface_mt.util.errors import UserError
from utkface_mt.evaluation.metrics import COLUMNS, intervals, paired_difference, score
from utkface_mt.experiments.reference import measured_entries
from utkface_mt.experiments.results import Result, ResultStore


def _predictions(noise: float, first_file: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(4)
    ages = generator.integers(1, 90, 80)
    guess = np.clip(generator.normal(0.5, 0.3, 80), 0, 1)
    columns = ([f"{first_file + i}.jpg" for i in range(80)], range(80), 0, ages, ages + noise, guess > 0.4, guess)
    table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    return table.astype({"gender_true": int})


def _run(folder: Path, noise: dict[str, float], first_file: int = 0) -> Path:
    store = ResultStore(folder)
    for row, error in noise.items():
        table = _predictions(error, first_file)
        result = Result(row, Experiment(), "sample", [], {}, 1.0, row=row, notebook=row, title=row, final=True)
        result = replace(result, n_test=80, test=score(table), ci=intervals(table))
        store.save_predictions(row, "test", table)
        store.save(result)
    return folder


def test_one_run_compares_each_row_with_the_row_before(tmp_path: Path):
    run = open_run(str(_run(tmp_path / "one", {"05_fine_tune": 9.0, "06_sample_weights": 6.0})))
    first, second = compare_runs([run])
    assert first["difference"] == {}
    assert second["compared_with"].endswith("05_fine_tune")
    expected = paired_difference(_predictions(9.0), _predictions(6.0)).loc["age_mae"].tolist()
    assert second["difference"]["age_mae"] == pytest.approx(expected)
    assert second["difference"]["age_mae"][0] == pytest.approx(-3)


def test_several_runs_compare_the_same_rows_and_never_different_faces(tmp_path: Path):
    one = open_run(str(_run(tmp_path / "one", {"05_fine_tune": 9.0})))
    two = open_run(str(_run(tmp_path / "two", {"05_fine_tune": 7.0, "07_augmentation": 6.0})))
    other = open_run(str(_run(tmp_path / "other", {"05_fine_tune": 1.0}, first_file=1000)))
    table = compare_runs([one, two, other])
    assert [entry["compared_with"] != "" for entry in table] == [False, True, False, True]
    assert table[1]["difference"]["age_mae"][0] == pytest.approx(-2)
    assert table[3]["difference"] is None
    assert readable(table)["change of age MAE"].tolist()[3] == OTHER_FACES


@pytest.mark.slow
def test_the_command_prints_table_markdown_and_json(tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture):
    folder = str(_run(tmp_path / "one", {"05_fine_tune": 9.0, "06_sample_weights": 6.0}))
    assert main(["results", folder, "--json"]) == 0
    assert [entry["row"] for entry in json.loads(capsys.readouterr().out)] == ["05_fine_tune", "06_sample_weights"]
    assert main(["results", folder, "--markdown"]) == 0
    assert "-3.00" in capsys.readouterr().out
    assert main(["results"]) == 0  # nothing was run here: the reference is shown
    printed = capsys.readouterr().out
    assert all(entry["experiment"] in printed for entry in measured_entries())
    assert main(["results", str(tmp_path / "nowhere")]) == 1
    assert "There are no results in" in capsys.readouterr().err


def test_the_reference_is_a_run_and_a_name_that_is_none_is_told():
    with pytest.raises(UserError, match="reference"):
        open_run("cpu_of_somebody")
    table = compare_runs([open_run("reference")])
    measured = {entry["experiment"]: entry for entry in measured_entries() if not entry["repeat"]}
    for entry in table:
        assert ("difference" in measured[entry["row"]]) == bool(entry["compared_with"])
        if entry["compared_with"]:
            assert entry["difference"]["age_mae"] == pytest.approx(
                measured[entry["row"]]["difference"]["age_mae"], abs=1e-5
            )
