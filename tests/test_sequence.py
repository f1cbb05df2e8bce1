"""The sequence: parameters checked first, failures told, successes kept, a second run resumes."""

import io
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from rich.console import Console

from utkface_mt.experiments import notebooks as sequence
from utkface_mt.util.errors import UserError
from tools.publish import KERNEL, MARK, clean, pictures_digest
from utkface_mt.experiments.report import write_report
from utkface_mt.experiments.notebooks import SequenceOptions, Stamps, check_parameters, choose_notebooks, run_sequence

PARAMETERS = "\n".join(
    [
        'profile: str = "sample"',
        'data: str = "sample"',
        'weights: str = ""',
        "limit: int = 0",
    ]
)


def _notebook(folder: Path, name: str, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})
    parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook.cells = [nbformat.v4.new_markdown_cell(f"# {name}"), parameters, *map(nbformat.v4.new_code_cell, cells)]
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sequence, "repository_root", lambda: tmp_path)
    return tmp_path


def _run(faces_folder: Path, **options) -> str:
    output = io.StringIO()
    run_sequence(SequenceOptions(data=str(faces_folder), **options), Console(file=output, width=200))
    return output.getvalue()


def test_a_failure_is_told_successes_are_kept_and_a_second_run_resumes(
    repository: Path, runs: Path, faces_folder: Path, tmp_path: Path
):
    counter = tmp_path / "count"
    _notebook(repository / "notebooks", "01_one", f"open({str(counter)!r}, 'a').write('x');", "print(profile)")
    broken = _notebook(repository / "notebooks", "02_two", "print('before')", "value = {}['missing']")
    with pytest.raises(UserError, match=r"02_two.ipynb, cell 4: KeyError: 'missing'"):
        _run(faces_folder)
    done = runs / "sample" / "notebooks"
    assert (done / "01_one.ipynb").exists()
    assert not (done / "02_two.ipynb").exists()
    assert (done / "02_two.failed.ipynb").exists()
    broken.unlink()
    _notebook(repository / "notebooks", "02_two", "print('mended')")
    output = _run(faces_folder)
    assert "01_one: up to date" in output
    assert counter.read_text() == "x"
    assert "02_two: " in output
    assert not (done / "02_two.failed.ipynb").exists()
    index = (runs / "sample" / "index.html").read_text()
    assert 'href="notebooks/01_one.html"' in index
    assert (done / "01_one.html").exists()


@pytest.mark.slow
def test_a_second_run_is_refused_while_the_first_one_works(repository: Path, runs: Path, faces_folder: Path):
    _notebook(repository / "notebooks", "01_one", "print(1)")
    command = "import sys, time; from pathlib import Path; from utkface_mt.locks import holding, lock_path\n"
    command += "with holding(lock_path(Path(sys.argv[1])), 'running'): print('held', flush=True); time.sleep(60)"
    first = subprocess.Popen([sys.executable, "-c", command, str(runs / "sample")], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"Process {first.pid} has been running since"):
            _run(faces_folder)
        assert not (runs / "sample").exists()
    finally:
        first.kill()
        first.communicate()
    assert f"Process {first.pid} has been running since" in (output := _run(faces_folder))
    assert "was killed; this run goes on" in output


@pytest.mark.slow
def test_the_kernels_of_a_run_say_that_they_belong_to_it(repository: Path, runs: Path, faces_folder: Path):
    opened = "from utkface_mt.workspace import open_workspace; open_workspace(profile, data);"
    locked = "from utkface_mt import locks; print('locks held:', len(locks._kept))"
    _notebook(repository / "notebooks", "01_one", opened, locked)
    _run(faces_folder)
    cells = nbformat.read(runs / "sample" / "notebooks" / "01_one.ipynb", as_version=4).cells
    assert cells[-1].outputs[0].text == "locks held: 1\n"


@pytest.mark.slow
def test_a_cell_that_takes_too_long_is_stopped_and_named(repository: Path, runs: Path, faces_folder: Path):
    _notebook(repository / "notebooks", "01_one", "import time; time.sleep(60)")
    with pytest.raises(UserError, match=r"01_one.ipynb: a cell took longer than 2 s"):
        _run(faces_folder, cell_timeout=2)


def test_unknown_and_wrongly_typed_parameters_stop_before_anything_runs(
    repository: Path, runs: Path, faces_folder: Path
):
    notebook = _notebook(repository / "notebooks", "01_one")
    with pytest.raises(UserError, match="no parameter 'limt'"):
        _run(faces_folder, parameters={"limt": 5})
    with pytest.raises(UserError, match="limit='5' should be of type int"):
        _run(faces_folder, parameters={"limit": "5"})
    assert not runs.exists()
    check_parameters(notebook, {"limit": 5})


def test_notebooks_are_chosen_by_number(repository: Path):
    for name in ("01_one", "02_two", "03_three"):
        _notebook(repository / "notebooks", name)
    assert [path.stem for path in choose_notebooks(SequenceOptions(first="2"))] == ["02_two", "03_three"]
    assert [path.stem for path in choose_notebooks(SequenceOptions(only="02"))] == ["02_two"]
    with pytest.raises(UserError, match="no notebook '07'"):
        choose_notebooks(SequenceOptions(only="07"))


def test_a_change_reruns_the_notebook_and_those_after_it(repository: Path, tmp_path: Path):
    folder = repository / "notebooks"
    notebooks = [_notebook(folder, name, "1") for name in ("01_one", "02_two", "03_three")]
    path = tmp_path / "stamps.json"
    first = Stamps(path, ["inputs"])
    for notebook in notebooks:
        stamp, current = first.advance(notebook)
        assert not current
        first.record(notebook, stamp)
    _notebook(folder, "02_two", "2")
    second, other = Stamps(path, ["inputs"]), Stamps(path, ["others"])
    assert [second.advance(notebook)[1] for notebook in notebooks] == [True, False, False]
    assert not other.advance(notebooks[0])[1]


def test_a_fresh_run_puts_the_earlier_one_aside(repository: Path, runs: Path, faces_folder: Path):
    _notebook(repository / "notebooks", "01_one", "print(1)")
    _run(faces_folder)
    (runs / "sample" / "precious.txt").write_text("kept")
    _run(faces_folder, fresh=True)
    assert (runs / "sample-before-1" / "precious.txt").read_text() == "kept"
    assert not (runs / "sample" / "precious.txt").exists()


def test_cleaning_removes_traces_and_refuses_paths():
    notebook = nbformat.v4.new_notebook(metadata={"papermill": {"duration": 3}})
    stream = nbformat.v4.new_output("stream", name="stderr", text="noise")
    shown = nbformat.v4.new_output("stream", text="12 faces")
    notebook.cells = [
        nbformat.v4.new_code_cell("a = 1", execution_count=5, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("a = 2", execution_count=6, metadata={"tags": ["injected-parameters"]}),
        nbformat.v4.new_code_cell("print(a)", execution_count=9, outputs=[stream, shown]),
    ]
    cleaned = clean(notebook, "01_one")
    assert [cell.execution_count for cell in cleaned.cells] == [1, 2]
    assert "papermill" not in cleaned.metadata
    mark = cleaned.metadata[MARK]["pictures"]
    figure = nbformat.v4.new_output("display_data", data={"image/png": "cGljdHVyZQ=="})
    assert pictures_digest(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[figure])])) != mark
    assert [output.name for output in cleaned.cells[1].outputs] == ["stdout"]
    cleaned.cells[1].outputs[0].text = "written to /somewhere/deep/file.csv"
    with pytest.raises(UserError, match="prints the path"):
        clean(cleaned, "01_one")


def test_a_report_without_rows_is_still_a_page(tmp_path: Path):
    page = write_report(tmp_path, "sample").read_text()
    assert page.startswith("<!doctype html>")
    assert "drawn sample faces" in page
