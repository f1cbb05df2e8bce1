"""What is installed: the package with its data, and nothing of the maintainers' tools."""

import ast
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_data(tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    shutil.copytree(ROOT / "utkface_mt", source / "utkface_mt", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tools", source / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "tools", source / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    wheel = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir"]
    subprocess.run([*wheel, tmp_path, source], check=True, capture_output=True)
    (path,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(path).namelist())
    package = {name for name in names if ".dist-info/" not in name}
    files = (file for file in (source / "utkface_mt").rglob("*") if file.is_file())
    assert package == {file.relative_to(source).as_posix() for file in files}
    assert {"utkface_mt/py.typed", "utkface_mt/experiments/templates/index.html"} <= package
    assert any(name.startswith("utkface_mt/model/pretrained/") and name.endswith(".h5") for name in package)
    assert "utkface_mt/reference/model/backbone.weights.h5" in package


def test_the_package_knows_nothing_of_the_tools():
    for path in (ROOT / "utkface_mt").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [module for module in modules if module.split(".")[0] == "tools"], path
