"""The command line: quick, exact about what was wrong, and never a traceback unless asked."""

import json
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from utkface_mt.cli import main
from utkface_mt.config import Settings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "missing"], "There is no dataset at missing"),
        (["run", "--profile", "cpu"], "is for UTKFace: give the data"),
        (["run", "--data", "missing"], "There is no dataset at"),
        (["run", "--only", "77"], "There is no notebook '77'"),
        (["run", "--weights", "missing.weights.h5"], "weights='missing.weights.h5'"),
        (["search", "--workers", "0"], "workers=0 should be 1 or more"),
        (["results", "missing"], "There are no results in missing"),
        (["run", "--seed", "4294967296"], "seed=4294967296 should be"),
        (["evaluate", ""], "There is no dataset at"),
        (["check", "sample", "--csv="], "--csv is for --labels"),
    ],
)
def test_mistakes_get_one_message_and_no_traceback(
    arguments: list[str], message: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    runs.mkdir()
    monkeypatch.chdir(runs)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert "Traceback" not in error


def test_debug_shows_the_traceback(tmp_path: Path, runs: Path, capsys: pytest.CaptureFixture):
    assert main(["check", str(tmp_path / "missing"), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_unknown_profiles_and_verbs_are_wrong_calls(capsys: pytest.CaptureFixture):
    for arguments in (["run", "--profile", "gpu"], ["dance"], [], ["run", "--limit", "many"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    assert "sample" in capsys.readouterr().err


def test_run_and_search_have_a_flag_for_every_setting(capsys: pytest.CaptureFixture):
    for verb in ("run", "search"):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        told = capsys.readouterr().out
        flags = {"studies": "storage"}
        names = {entry.name for entry in fields(Settings)} - ({"rank"} if verb == "search" else set())
        assert all(f"--{flags.get(name, name)}" in told for name in names)  # a study's workers are processes


@pytest.mark.slow
def test_check_ranks_suspicious_labels_and_writes_them(
    faces_folder: Path, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    target = tmp_path / "labels.csv"
    assert main(["check", str(faces_folder), "--labels", "--csv", str(target), "--json"]) == 0
    told = capsys.readouterr()
    counts, table = json.loads(told.out), pd.read_csv(target)
    assert counts["faces"] == len(table)
    assert counts["suspicious_ages"] == (table["age_suspicion"] >= 0.5).sum()
    assert "UTKFace's own faces" in told.err
    target.write_text("somebody's notes")
    ranked = ["check", str(faces_folder), "--labels", "--csv", str(target)]
    assert main(ranked) == 1
    assert "replace it by --force" in capsys.readouterr().err
    assert main([*ranked, "--force"]) == 0
    assert pd.read_csv(target).equals(table)
    capsys.readouterr()
    assert main(["check", str(faces_folder), "--csv", str(target)]) == 1
    assert "--csv is for --labels" in capsys.readouterr().err


def test_check_prints_the_report_and_json(
    faces_folder: Path, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert main(["check", str(faces_folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["files"] == report["usable"] + len(report["quarantined"])
    assert main(["check", str(faces_folder)]) == 0
    assert "999 is outside 1 to 116" in capsys.readouterr().out
    (tmp_path / "faces").mkdir()
    for number, face in enumerate(sorted(faces_folder.glob("2*_0_*_*"))[:3]):
        shutil.copy(face, tmp_path / "faces" / ("\x1b[2J.jpg" if number == 0 else face.name))
    assert main(["check", str(tmp_path / "faces")]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_place_that_cannot_be_written_to_is_named(
    faces_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("UTKFACE_MT_RUNS", str(tmp_path / "file"))
    assert main(["check", str(faces_folder)]) == 1
    assert "Cannot write to" in capsys.readouterr().err


@pytest.mark.parametrize("code", ["import utkface_mt", "import utkface_mt.cli as c; c._parser()"])
def test_starting_up_imports_no_tensorflow(code: str):
    check = f"{code}; import sys; sys.exit('tensorflow' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_the_module_runs_as_a_command():
    done = subprocess.run([sys.executable, "-m", "utkface_mt", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("utkface_mt ")
