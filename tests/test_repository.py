"""The repository itself: rooms and their order, notebooks as published, the lock, no trace of faces or machines."""

import ast
import hashlib
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml

from tools.publish import ABSOLUTE_PATH, MARK, pictures_digest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "utkface_mt"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PARAMETERS = {"profile", "data", "seed", "limit", "overrides"}
OWN_PARAMETERS = {"13_your_own_photo": {"photo"}}
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split("\n")
PAGES = [path.relative_to(ROOT).as_posix() for pattern in ("*.md", "docs/**/*.md") for path in ROOT.glob(pattern)]
PAGES += ["utkface_mt/reference/MODEL_CARD.md", "utkface_mt/reference/README.md"]
ROOMS = (  # from below; siblings side by side import nothing from each other
    ("util",),
    ("config",),
    ("drawn_faces",),
    ("data",),
    ("model",),
    ("training", "evaluation"),
    ("experiments", "faces"),
    ("plots",),
    ("cli",),
)
FRAME = ("__init__", "__main__", "__version__")


def _imports(path: Path) -> Iterator[tuple[str, str]]:
    """What a module imports from the package or from `tools`, at its top or inside functions: (room, name)."""
    place = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            named = tuple(node.module.split(".")) if node.module else ()
            base = (*place[: -node.level], *named) if node.level else named
            found = [(*base, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found = [tuple(alias.name.split(".")) for alias in node.names]
        else:
            continue
        for parts in found:
            if parts[0] == "utkface_mt":
                yield (parts[1] if len(parts) > 1 else "__init__"), parts[-1]
            elif parts[0] == "tools":
                yield "tools", parts[-1]


def test_imports_go_down_only_and_rooms_are_few():
    height = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
    names = {path.stem for path in PACKAGE.iterdir() if path.name[0] not in "._" and path.name != "py.typed"}
    assert set(height) <= names
    assert len(names) <= 12
    for path in sorted(PACKAGE.rglob("*.py")):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for room, name in _imports(path):
            below = height.get(room, 99) < height.get(own, 99)
            allowed = room == own or below or room in FRAME
            if own == "drawn_faces":
                allowed = room in (own, "util")
            assert allowed, f"{path.relative_to(ROOT)} imports {name} from {room}"


def test_an_experiment_is_read_where_it_is_run_and_nowhere_below():
    for room in ("data", "model", "training", "evaluation", "faces"):
        for path in (PACKAGE / room).rglob("*.py"):
            assert "Experiment" not in {name for _, name in _imports(path)}, path


def test_there_are_thirteen_notebooks_in_order():
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number:02d}" for number in range(1, 14)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
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
    path = PACKAGE / "model" / "pretrained" / "drawn_faces_mobilenet_v2_035.weights.h5"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest in path.with_name("WEIGHTS.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_every_local_link_and_picture_of_a_page_exists(page: str):
    path = ROOT / page
    links = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert not [link for link in local if not (path.parent / link).exists()]


def test_every_promise_names_a_test_that_exists():
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## What is promised")[1].split("\n## ")[0]
    cells = [line.split("|")[-2] for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(cells) > 20
    for cell in cells:
        files = [ROOT / "tests" / name for name in re.findall(r"[\w/]+\.py", cell)]
        assert files
        text = "".join(path.read_text(encoding="utf-8") for path in files)
        for name in re.findall(r"\b(?:test_\w+|Test\w+)\b(?!\.py)", cell):
            assert re.search(rf"(def|class) {name}\b", text), name
