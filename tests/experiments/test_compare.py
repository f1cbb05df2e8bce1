"""Runs side by side: what is compared with what, and that differences are those of the same faces."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from utkface_mt.cli import main
from utkface_mt.evaluation.metrics import paired_difference
from utkface_mt.experiments.compare import OTHER_FACES, compare_runs, open_run, readable
from utkface_mt.experiments.reference import SHOWN, measured_entries
from utkface_mt.util.errors import UserError


def test_one_run_compares_each_row_with_the_row_before(finished_run: Callable, predictions: Callable, tmp_path: Path):
    run = open_run(str(finished_run(tmp_path / "one", {"05_fine_tune": 9.0, "06_sample_weights": 6.0})), tmp_path)
    first, second = compare_runs([run])
    assert first["difference"] == {}
    assert second["compared_with"].endswith("05_fine_tune")
    expected = paired_difference(predictions(9.0), predictions(6.0)).loc["age_mae"].tolist()
    assert second["difference"]["age_mae"] == pytest.approx(expected)
    assert second["difference"]["age_mae"][0] == pytest.approx(-3)


def test_several_runs_compare_the_same_rows_and_never_different_faces(finished_run: Callable, tmp_path: Path):
    one = open_run(str(finished_run(tmp_path / "one", {"05_fine_tune": 9.0})), tmp_path)
    two = open_run(str(finished_run(tmp_path / "two", {"05_fine_tune": 7.0, "07_augmentation": 6.0})), tmp_path)
    other = open_run(str(finished_run(tmp_path / "other", {"05_fine_tune": 1.0}, first_file=1000)), tmp_path)
    table = compare_runs([one, two, other])
    assert [entry["compared_with"] != "" for entry in table] == [False, True, False, True]
    assert table[1]["difference"]["age_mae"][0] == pytest.approx(-2)
    assert table[3]["difference"] is None
    assert readable(table)["change of age MAE"].tolist()[3] == OTHER_FACES


def test_the_command_prints_table_markdown_and_json(
    finished_run: Callable, tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture
):
    folder = str(finished_run(tmp_path / "one", {"05_fine_tune": 9.0, "06_sample_weights": 6.0}))
    assert main(["results", folder, "--json"]) == 0
    assert [entry["row"] for entry in json.loads(capsys.readouterr().out)] == ["05_fine_tune", "06_sample_weights"]
    for form in ([], ["--markdown"]):
        assert main(["results", folder, *form]) == 0
        assert "-3.00" in capsys.readouterr().out
    assert main(["results", str(tmp_path / "missing")]) == 1
    assert "There are no results in" in capsys.readouterr().err


def test_where_nothing_was_run_the_reference_is_shown_with_its_differences(runs: Path, capsys: pytest.CaptureFixture):
    assert main(["results", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    rows = [entry for entry in measured_entries() if entry["profile"] == SHOWN and not entry["repeat"]]
    measured = {entry["experiment"]: entry for entry in rows}
    assert [entry["row"] for entry in table] == list(measured)
    for entry in table:
        assert ("difference" in measured[entry["row"]]) == bool(entry["compared_with"])
        if entry["compared_with"]:
            difference = measured[entry["row"]]["difference"]["age_mae"]
            assert entry["difference"]["age_mae"] == pytest.approx(difference, abs=1e-5)
    for profile in ("cpu", "full"):
        assert {result.profile for result in open_run(f"reference-{profile}", runs).rows.values()} == {profile}
    with pytest.raises(UserError, match=r"There are no results in .*Runs with results: reference, reference-cpu"):
        open_run("cpu_of_somebody", runs)
