"""Every command that README and docs show is executed: here for real, or by CI, which the test checks."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from utkface_mt.drawn_faces.photo import drawn_photo

ROOT = Path(__file__).parents[1]
FENCES = re.compile(r"^ *```bash\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
ELSEWHERE = {  # what a test cannot run, and what stands for it
    "conda env create -f environment.yml": "test_repository.py: the environment installs the lock alone",
    "conda activate utkface_mt": "as above",
    "pip install --no-deps --no-build-isolation -e .": "the Makefile's `setup` runs the same line",
    "python -m utkface_mt run": "`make run` is this line",
    ".venv/bin/pip install 'tensorflow[and-cuda]==2.21.0'": "needs a GPU; the version is the lock's, checked below",
}
PLACES = {  # what a reader puts in the place of these words
    "path/to/photos": "photos",
    "path/to/crops": "crops",
    "path/to/utkface_crops": "crops",
    "path/to/utkface.zip": "utkface.zip",
    "journal:/shared/study.log": "journal:study.log",
}
SHORTER = {  # added, so that a command that takes hours on UTKFace takes seconds on drawn faces, without a download
    "search": ["--weights", "none", "--epochs", "1", "--trials", "2", "--limit", "120"],
    "run": ["--limit", "200", "--epochs", "1"],
}


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _commands() -> list[str]:
    blocks = [block for page in PAGES for block in FENCES.findall(page.read_text(encoding="utf-8"))]
    lines = [line.split("    #")[0].split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


COMMANDS = list(dict.fromkeys(_commands()))
INLINE = [found for page in PAGES for found in re.findall(r"`(make [^`<]+)`", page.read_text(encoding="utf-8"))]
MAKE = [command for command in COMMANDS if command.startswith("make ")]
APART = [command for command in COMMANDS if re.search(r"\$all|10\.0\.0\.|^run=", command)]  # experiments/test_follow.py
OURS = [
    command for command in COMMANDS if re.match(r"\.venv/bin/(utkface-mt|python -m utkface_mt)\b(?!.*\$all)", command)
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, faces_folder: Path) -> Path:
    """A folder with what the README's placeholders stand for."""
    desk = tmp_path_factory.mktemp("desk")
    (desk / "photos").mkdir()
    drawn_photo().save(desk / "photos" / "three.jpg")
    shutil.copytree(faces_folder, desk / "crops")
    shutil.make_archive(str(desk / "utkface"), "zip", faces_folder)
    return desk


def test_every_command_is_executed_somewhere():
    papermill = [command for command in COMMANDS if command.startswith(".venv/bin/papermill")]
    assert set(COMMANDS) == {*MAKE, *OURS, *papermill, *ELSEWHERE, *APART}
    lock = (ROOT / "requirements.lock").read_text()
    assert "tensorflow==2.21.0 " in lock


@pytest.mark.parametrize("command", dict.fromkeys([*MAKE, *INLINE]))
def test_what_make_is_asked_for_exists_and_what_matters_is_run_by_ci(command: str):
    dry = subprocess.run(
        [*shlex.split(command), "--dry-run", "--always-make"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "pip install" in dry.stdout or ".venv/bin/" in dry.stdout
    if command in ("make run", "make test"):
        assert command in (ROOT / ".ci/run").read_text().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("command", OURS)
def test_our_commands_do_what_the_readme_says(command: str, desk: Path, monkeypatch: pytest.MonkeyPatch):
    words = shlex.split(command)[1:]
    verb = words[0] if words[0] != "-m" else words[2]
    arguments = [PLACES.get(word, word) for word in words[words.index(verb) :]]
    monkeypatch.chdir(desk)
    monkeypatch.setenv("UTKFACE_MT_RUNS", str(desk / "runs"))
    if arguments[1:] == ["reference-cpu", "cpu"]:
        arguments = ["results", "reference-cpu"]  # no run of UTKFace is at hand
    from utkface_mt.cli import main

    before = dict(os.environ)
    some_cannot_be_read = verb == "predict" and "crops" in arguments  # the drawn folder holds two broken pictures
    assert main([*arguments, *SHORTER.get(verb, [])]) == (3 if some_cannot_be_read else 0)
    assert [name for name in os.environ if name.startswith("UTKFACE_MT") and name not in before] == []
    for option in ("--csv", "--annotate", "--out"):
        if option in arguments:
            assert (desk / arguments[arguments.index(option) + 1]).exists()


@pytest.mark.slow
def test_papermill_runs_a_notebook_as_the_readme_says(desk: Path, monkeypatch: pytest.MonkeyPatch):
    (command,) = [command for command in COMMANDS if command.startswith(".venv/bin/papermill")]
    monkeypatch.setenv("UTKFACE_MT_RUNS", str(desk / "papermill"))
    words = [str(desk / word) if word == "out.ipynb" else word for word in shlex.split(command)[1:]]
    words = [word.replace("07_augmentation", "01_eda") for word in words]  # the quickest; all of them run in `make run`
    program = Path(sys.executable).with_name("papermill")
    subprocess.run([program, *words], cwd=ROOT, check=True, capture_output=True)
    assert (desk / "out.ipynb").exists()


def test_every_picture_is_shown_on_a_page():
    places = [(page, place) for page in PAGES for place in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text())]
    assert {(page.parent / place).resolve() for page, place in places} == set((ROOT / "images").resolve().iterdir())
