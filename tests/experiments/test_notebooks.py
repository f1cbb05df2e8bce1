"""The sequence: parameters checked first, failures told, successes kept, a second run goes on."""

import io
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from utkface_mt.config import Settings
from utkface_mt.experiments import notebooks as sequence
from utkface_mt.experiments.notebooks import choose_notebooks, notebook_parameters, run_notebooks, stamps_of
from utkface_mt.util.errors import UserError
from utkface_mt.util.locks import holding

PARAMETERS = 'profile: str = "sample"\ndata: str = "sample"\nseed: int = 0\nlimit: int = 0\noverrides: str = ""'
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def _notebook(folder: Path, name: str, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})
    parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook.cells = [nbformat.v4.new_markdown_cell(f"# {name}"), parameters, *map(nbformat.v4.new_code_cell, cells)]
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose notebooks the test writes."""
    monkeypatch.setattr(sequence, "repository_root", lambda: tmp_path)
    return tmp_path


def _run(data: Path, runs: Path, **options) -> str:
    output = io.StringIO()
    settings = Settings(data=str(data), runs=str(runs))
    run_notebooks(settings, Console(file=output, width=200), **options)
    return output.getvalue()


def test_a_failure_is_told_successes_are_kept_a_second_run_goes_on_and_a_fresh_one_starts_over(
    repository: Path, faces_folder: Path, tmp_path: Path
):
    counter, runs = tmp_path / "count", tmp_path / "runs"
    _notebook(repository / "notebooks", "01_one", f"open({str(counter)!r}, 'a').write('x');")
    _notebook(repository / "notebooks", "02_two", "print('before')", "value = {}['missing']")
    with pytest.raises(UserError, match=r"02_two.ipynb, cell 4: KeyError: 'missing'"):
        _run(faces_folder, runs)
    done = runs / "sample" / "notebooks"
    assert {path.name for path in done.glob("*.ipynb")} == {"01_one.ipynb", "02_two.failed.ipynb"}
    _notebook(repository / "notebooks", "02_two", "print('mended')")
    output = _run(faces_folder, runs)
    assert "01_one: up to date" in output
    assert "02_two: " in output
    assert "02_two: up to date" in _run(faces_folder, runs, first="02")
    assert "02_two: up to date" in _run(faces_folder, runs)
    assert counter.read_text() == "x"
    assert {path.name for path in done.glob("*.ipynb")} == {"01_one.ipynb", "02_two.ipynb"}
    _run(faces_folder, runs, fresh=True, only="01")
    assert counter.read_text() == "xx"
    assert (runs / "sample-before-1" / "notebooks" / "02_two.ipynb").exists()
    assert [path.name for path in done.glob("*.ipynb")] == ["01_one.ipynb"]


def test_what_was_made_from_an_outdated_notebook_is_made_again(repository: Path, faces_folder: Path, tmp_path: Path):
    for name in ("01_one", "02_two"):
        _notebook(repository / "notebooks", name)
    _run(faces_folder, tmp_path / "runs")
    _notebook(repository / "notebooks", "01_one", "print('changed')")
    _run(faces_folder, tmp_path / "runs", only="02")
    assert "02_two: up to date" not in _run(faces_folder, tmp_path / "runs")
    assert "02_two: up to date" in _run(faces_folder, tmp_path / "runs")


@pytest.mark.slow
def test_a_kernel_that_dies_is_told_with_its_notebook(repository: Path, faces_folder: Path, tmp_path: Path):
    _notebook(repository / "notebooks", "01_one", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(UserError, match=r"01_one.ipynb: its kernel died.*01_one.failed.ipynb"):
        _run(faces_folder, tmp_path / "runs")


def test_unknown_and_wrongly_typed_parameters_stop_before_anything_runs(
    repository: Path, faces_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for parameters, said in (
        (PARAMETERS.replace("limit", "limt"), "no parameter 'limit'"),
        (PARAMETERS.replace("limit: int = 0", 'limit: str = ""'), "limit=0 should be of type str"),
    ):
        monkeypatch.setattr(sys.modules[__name__], "PARAMETERS", parameters)
        _notebook(repository / "notebooks", "01_one")
        with pytest.raises(UserError, match=said):
            _run(faces_folder, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_second_run_is_refused_while_the_first_one_works_and_kernels_say_whose_they_are(
    repository: Path, faces_folder: Path, tmp_path: Path
):
    runs = tmp_path / "runs"
    opened = "from pathlib import Path; from utkface_mt.util.locks import join_run, _kept\n"
    opened += f"join_run(Path({str(runs / 'sample')!r})); print('locks held:', len(_kept))"
    _notebook(repository / "notebooks", "01_one", opened)
    command = "import sys, time; from pathlib import Path; from utkface_mt.util.locks import holding, lock_path\n"
    command += "with holding(lock_path(Path(sys.argv[1])), 'running'): print('held', flush=True); time.sleep(60)"
    first = subprocess.Popen([sys.executable, "-c", command, str(runs / "sample")], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"Process {first.pid} has been running since"):
            _run(faces_folder, runs)
        assert not (runs / "sample").exists()
    finally:
        first.kill()
        first.communicate()
    output = _run(faces_folder, runs)
    assert f"Process {first.pid} has been running since" in output
    assert "was killed; this run goes on" in output
    cells = nbformat.read(runs / "sample" / "notebooks" / "01_one.ipynb", as_version=4).cells
    assert cells[-1].outputs[0].text == "locks held: 1\n"


def test_a_fresh_run_leaves_the_folder_to_a_search_that_trains_in_it(
    repository: Path, faces_folder: Path, tmp_path: Path
):
    _notebook(repository / "notebooks", "01_one", "1 + 1")
    trained = tmp_path / "runs" / "sample" / "experiments" / "a1" / "training.lock"
    with holding(trained, "training"), pytest.raises(UserError, match=f"Process {os.getpid()} has been training since"):
        _run(faces_folder, tmp_path / "runs", fresh=True)
    assert trained.exists()


@pytest.mark.slow
def test_a_cell_that_takes_too_long_is_stopped_and_named(repository: Path, faces_folder: Path, tmp_path: Path):
    _notebook(repository / "notebooks", "01_one", "import time; time.sleep(60)")
    with pytest.raises(UserError, match=r"01_one.ipynb: a cell took longer than 2 s"):
        _run(faces_folder, tmp_path / "runs", cell_timeout=2)


def test_notebooks_are_chosen_by_number(repository: Path):
    for name in ("01_one", "02_two", "03_three"):
        _notebook(repository / "notebooks", name)
    assert [path.stem for path in choose_notebooks(first="2")] == ["02_two", "03_three"]
    assert [path.stem for path in choose_notebooks(only="02")] == ["02_two"]
    for number in ("07", "023"):
        with pytest.raises(UserError, match=f"no notebook '{number}'"):
            choose_notebooks(only=number)


def test_a_change_reruns_the_notebook_and_those_after_it(tmp_path: Path):
    notebooks = [_notebook(tmp_path, name, "1") for name in ("01_one", "02_two", "03_three")]
    first = stamps_of(notebooks, ["inputs"])
    assert stamps_of(notebooks, ["inputs"]) == first
    _notebook(tmp_path, "02_two", "2")
    second, other = stamps_of(notebooks, ["inputs"]), stamps_of(notebooks, ["others"])
    assert [second[name] == first[name] for name in first] == [True, False, False]
    assert other["01_one"] != first["01_one"]


@given(
    limit=st.integers(0, 999),
    seed=st.integers(0, 9),
    epochs=st.integers(0, 9),
    weights=st.sampled_from(["", "none"]),
    tensorboard=st.booleans(),
)
def test_a_notebook_reads_the_settings_that_it_is_given(**given):
    settings = Settings(data="some/faces.zip", profile="cpu", **given)
    parameters = notebook_parameters(settings)
    assert set(parameters) == {"profile", "data", "seed", "limit", "overrides"}
    assert asdict(Settings.read(**json.loads(json.dumps(parameters)))) == asdict(settings)
