"""The repository itself: layers, file sizes, notebooks' shape, the lock, and no trace of faces or machines."""

import ast
import hashlib
import json
import re
import subprocess
import tomllib
from pathlib import Path
from statistics import median

import nbformat
import papermill
import pytest
import yaml

from tools.publish import ABSOLUTE_PATH, MARK, pictures_digest
from tools.readme import PAGES, renewed
from utkface_mt.experiments.report import notebook_figures
from utkface_mt.experiments.rows import ROWS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "utkface_mt"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LAYERS = (
    *(
        "errors",
        "files",
        "locks",
        "streams",
        "labels",
        "environment",
        "backend",
        "config",
        "data",
        "model",
        "training",
        "evaluation",
    ),
    *("rows", "results", "measured", "learned", "workspace", "experiment", "ladder", "search_workers"),
    *("reproduce", "compare_runs", "inference", "photos", "bundle", "export", "figures", "measured_tables"),
    *("measured_figures", "report"),
    *("benchmark", "collect", "readme", "sequence", "publish"),
    "cli",
)
PARAMETERS = {"profile", "data", "weights", "limit", "epochs", "trials", "seed", "strategy"}
OWN_PARAMETERS = {"13_your_own_photo": {"photo"}}
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\n")


def _layer(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def _imported_layers(path: Path) -> set[str]:
    """The layers of this package that a module imports, at its top or inside functions."""
    found = set()
    place = ("utkface_mt", *path.relative_to(PACKAGE).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            parts = tuple(node.module.split(".")) if node.module else ()
            base = (*place[: -node.level], *parts) if node.level else parts
            if base[:1] == ("utkface_mt",):
                found |= {base[1]} if len(base) > 1 else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_modules_are_short_and_import_only_from_layers_before_their_own(path: Path):
    assert len(path.read_text().splitlines()) <= 300
    own = _layer(path)
    if own in ("__init__", "__main__"):
        return
    later = {name for name in _imported_layers(path) if name in LAYERS and LAYERS.index(name) > LAYERS.index(own)}
    assert own in LAYERS
    assert not later


def test_there_are_thirteen_notebooks_in_order():
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number:02d}" for number in range(1, 14)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def test_it_is_shaped_like_a_chapter(self, path: Path):
        cells = nbformat.read(path, as_version=4).cells
        prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
        code = [cell for cell in cells if cell.cell_type == "code"]
        lines = [len(cell.source.splitlines()) for cell in code]
        assert prose[0].startswith(f"# {int(path.name[:2])}. ")
        assert "**Question: " in prose[0]
        assert re.search(r"\*Reads\*.*\*Writes\*", prose[0], re.DOTALL)
        assert any(text.startswith("## What we learned") for text in prose)
        assert "## Next" in prose[-1]
        assert 600 <= sum(len(text.split()) for text in prose) <= 1500
        assert median(lines) <= 5
        assert max(lines) <= 30

    def test_its_parameters_are_literals_with_types_and_the_sample_is_the_default(self, path: Path):
        found = papermill.inspect_notebook(str(path))
        assert set(found) == PARAMETERS | OWN_PARAMETERS.get(path.stem, set())
        assert found["profile"]["default"] == '"sample"'
        for parameter in found.values():
            ast.literal_eval(parameter["default"])
            assert parameter["inferred_type_name"] in ("str", "int")
            assert parameter["help"]

    def test_its_outputs_are_those_of_a_clean_sample_run(self, path: Path):
        notebook = nbformat.read(path, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
        outputs = [output for cell in code for output in cell.outputs]
        assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
        assert "papermill" not in json.dumps(notebook.metadata)
        text = json.dumps([output.get("text", "") or output["data"].get("text/plain", "") for output in outputs])
        assert not ABSOLUTE_PATH.search(text)
        assert any("sample" in output.get("text", "") for output in outputs)

    def test_its_pictures_are_those_of_the_sample_run_and_lie_nowhere_else(self, path: Path):
        notebook = nbformat.read(path, as_version=4)
        assert notebook.metadata[MARK] == {"profile": "sample", "pictures": pictures_digest(notebook)}
        for cell in notebook.cells:
            assert not cell.get("attachments")
            text = cell.source if cell.cell_type == "markdown" else ""
            text += "".join("".join(output.get("data", {}).get("text/html", "")) for output in cell.get("outputs", []))
            assert "data:image" not in text
            assert "<svg" not in text

    def test_every_figure_is_there(self, path: Path):
        cells = nbformat.read(path, as_version=4).cells
        for cell in cells:
            if cell.cell_type == "code" and cell.source.rstrip().endswith(";"):
                assert any("image/png" in output.get("data", {}) for output in cell.outputs), cell.source

    def test_every_figure_answers_a_question(self, path: Path):
        assert all(figure.question for figure in notebook_figures(nbformat.read(path, as_version=4)))

    def test_nbval_compares_something(self, path: Path):
        cells = nbformat.read(path, as_version=4).cells
        checked = [cell for cell in cells if "nbval-check-output" in cell.metadata.get("tags", [])]
        assert checked
        assert all(cell.outputs and all(out.output_type == "stream" for out in cell.outputs) for cell in checked)


def test_the_notebooks_take_the_same_steps_as_the_ladder():
    for row in ROWS:
        if not row.change or row.name == "10_full_recipe":
            continue
        source = "\n".join(
            cell.source
            for cell in nbformat.read(ROOT / "notebooks" / f"{row.notebook}.ipynb", as_version=4).cells
            if cell.cell_type == "code"
        )
        call = next(
            node
            for node in ast.walk(ast.parse(source.replace(";\n", "\n").rstrip(";")))
            if isinstance(node, ast.Call) and ast.unparse(node.args[0] if node.args else node) == "previous.experiment"
        )
        assert {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords} == dict(row.change)
        assert f'require_row(workspace, "{row.previous}")' in source
        assert f'row="{row.name}"' in source


def test_the_lock_holds_what_pyproject_asks_for():
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = (ROOT / "requirements.lock").read_text()
    pinned: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", lock, re.MULTILINE):
        pinned.setdefault(name.replace("_", "-"), []).append(version)
    extras = project["optional-dependencies"]
    locked = [text for name, texts in extras.items() if name != "gpu" for text in texts]
    for text in [*project["dependencies"], *locked]:
        requirement = Requirement(text)
        versions = pinned[requirement.name.lower().replace("_", "-")]
        assert all(requirement.specifier.contains(version) for version in versions)
    blocks = re.split(r"^(?=[a-z0-9._-]+==)", lock, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    assert "../" not in lock


def test_make_conda_and_ci_install_from_the_same_lock():
    environment = (ROOT / "environment.yml").read_text()
    assert "requirements.lock" in environment
    assert "--require-hashes" in (ROOT / "Makefile").read_text()
    *packages, pip = yaml.safe_load(environment)["dependencies"]
    assert {package.split("=")[0] for package in packages} == {"python", "pip"}
    assert pip == {"pip": ["-r requirements.lock"]}
    workflow = "".join(path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml"))
    assert "make test" in workflow
    assert "make run" in workflow
    assert "pip install" not in workflow
    assert all(command in (ROOT / ".ci/run").read_text() for command in ("make run", "make test"))


@pytest.mark.skipif(TRACKED == [""], reason="not a git checkout")
def test_no_real_face_and_no_trace_of_a_machine_is_tracked():
    name = re.compile(r"\d{1,3}_[01]_[0-4]_\d{8,}.*\.(jpe?g|png)", re.IGNORECASE)
    assert not [path for path in TRACKED if name.search(path)]
    assert not [path for path in TRACKED if path.endswith((".jpg", ".jpeg")) and not path.startswith("images/")]
    trace = re.compile(r"(/(home/[a-z]|root/|Users/)|[A-Z]:\\\\Users)")
    for path in filter(None, TRACKED):
        file = ROOT / path
        if file.suffix in (".py", ".md", ".toml", ".yml", ".json", ".ipynb", ".lock", "") and file.is_file():
            assert path == "tests/test_repository.py" or not trace.search(file.read_text(errors="ignore")), path


def test_the_bundled_weights_are_those_that_are_described():
    path = PACKAGE / "model" / "drawn_faces_mobilenet_v2_035.weights.h5"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest in (PACKAGE / "model" / "WEIGHTS.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_tables_in_readme_and_docs_are_those_that_the_reference_gives(page: str):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "<!-- /" in text
    assert renewed(text) == text


@pytest.mark.parametrize("page", ["README.md", "docs/figures.md", "utkface_mt/reference/MODEL_CARD.md"])
def test_every_local_link_and_picture_of_a_page_exists(page: str):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert local
    assert not [link for link in local if not (path.parent / link).exists()]
