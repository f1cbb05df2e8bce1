"""The Makefile: what users give reaches the programs as it was given, and `make help` tells of every target."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AWKWARD = [
    "my faces/UTKFace.zip",
    "it's $5/faces.zip",
    '$(HOME)/${x}/"q"/`id`.zip',
    "a  b",
    "#1;ls & true",
    "naïve*.zip",
]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment that counts as set up, whose interpreter writes down its arguments instead of running them."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" > '{tmp_path}/arguments'\necho \"$*\" >> '{tmp_path}/calls'\n")
    python.chmod(0o755)
    (tmp_path / ".installed").touch()
    return tmp_path


def arguments(venv: Path, *words: str, **environment: str) -> list[str]:
    """What the program is called with by `make WORDS`."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--silent", f"VENV={venv}", *words]
    subprocess.run(command, cwd=ROOT, env=unset | environment, check=True, capture_output=True)
    return (venv / "arguments").read_text(encoding="utf-8").split("\0")[:-1]


@pytest.mark.parametrize("path", AWKWARD)
def test_a_path_is_one_argument_whatever_it_is_like(venv: Path, path: str):
    run = arguments(venv, "run", f"DATA={path}", f"WEIGHTS={path}", "LIMIT=9", "PROFILE=cpu")
    assert run[:3] == ["-m", "utkface_mt", "run"]
    assert run[3:] == ["--profile", "cpu", "--data", path, "--weights", path, "--limit", "9"]
    assert arguments(venv, "run", DATA=path)[3:] == ["--data", path]
    row = arguments(venv, "reproduce", f"ROW={path}", f"DATA={path}", "SEED=2")
    assert row == ["-m", "tools.reproduce", path, "--data", path, "--seed", "2"]


def test_what_is_not_given_is_left_to_the_program(venv: Path):
    assert arguments(venv, "run") == ["-m", "utkface_mt", "run"]
    assert arguments(venv, "run", 'ARGS=--epochs 3 --runs "my runs"')[3:] == [
        *("--epochs", "3", "--runs", "my runs"),
    ]
    awkward = arguments(venv, "run", """ARGS=--runs 'it"s $(HOME) $5' --data "a  b's" """)
    assert awkward[3:] == ["--runs", 'it"s $(HOME) $5', "--data", "a  b's"]


def test_workers_are_started_with_the_same_addresses(venv: Path):
    told = arguments(venv, "workers", "N=3", "DATA=my faces")  # of the process that came last
    assert told[:5] == ["-m", "utkface_mt", "run", "--data", "my faces"]
    assert told[5:7] == ["--workers", "127.0.0.1:29500,127.0.0.1:29501,127.0.0.1:29502"]
    ranks = [call.rsplit("--rank ")[1].strip() for call in (venv / "calls").read_text().splitlines()]
    assert sorted(ranks) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("target", "tool"),
    [
        ("bench", "bench"),
        ("notebooks", "publish"),
        ("readme", "readme"),
        ("backbones", "backbones"),
        ("pretrain", "pretrain"),
        ("collect PROFILE=full", "collect --profile full"),
        ("bundle ROW=10_full_recipe DATA=d WEIGHTS=w", "bundle 10_full_recipe --data d --weights w"),
        ("bundle ROW=10_full_recipe DATA=d ALL=1", "bundle 10_full_recipe --data d --all-faces"),
        ("margins DATA=d", "margins --data d"),
        ("label-audit DATA=d", "label_audit --data d"),
        ("exports DATA=d PROFILE=full", "exports --data d --profile full"),
    ],
)
def test_every_tool_has_a_target(venv: Path, target: str, tool: str):
    assert arguments(venv, *target.split()) == ["-m", *f"tools.{tool}".split()]
    assert (ROOT / "tools" / f"{tool.split()[0]}.py").exists()


def test_help_lists_every_target():
    # `make test` runs this below another make, which would add lines of its own about the folder.
    command = ["make", "--no-print-directory", "help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert {line.split()[0] for line in told.splitlines()} == set(phony.replace("\\", " ").split())
