"""What goes to PyPI: the package with its data, nothing of the maintainers' tools, and a page whose links work."""

import ast
import re
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tools.wheel import build, with_whole_links
from utkface_mt.util.errors import UserError

ROOT = Path(__file__).parents[2]
URL = "https://github.com/owner/name"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, as it is built for PyPI."""
    folder = tmp_path_factory.mktemp("dist")
    build(folder, URL)
    assert len(list(folder.glob("*.tar.gz"))) == 1
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_data(wheel: zipfile.ZipFile):
    package = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = (file for file in (ROOT / "utkface_mt").rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    assert package == {file.relative_to(ROOT).as_posix() for file in files}
    assert {"utkface_mt/py.typed", "utkface_mt/experiments/templates/index.html"} <= package
    assert any(name.startswith("utkface_mt/model/pretrained/") and name.endswith(".h5") for name in package)
    assert "utkface_mt/reference/model/backbone.weights.h5" in package


@pytest.mark.slow
def test_on_pypi_every_link_of_the_readme_leads_to_what_it_leads_to_in_the_repository(wheel: zipfile.ZipFile):
    (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    page = message_from_bytes(wheel.read(metadata)).get_payload()
    targets = re.findall(r"\]\(([^)]*)\)", page)
    assert len(targets) == len(re.findall(r"\]\(", (ROOT / "README.md").read_text(encoding="utf-8"))) > 30
    inside = [target.removeprefix(URL + "/") for target in targets if target.startswith(URL)]
    assert all(target.startswith("https://") for target in targets)
    for kind, head, place in (target.split("/", 2) for target in inside):
        assert (kind == "raw") == (place.startswith("images/"))
        assert head == "HEAD"
        assert (ROOT / place).exists()


def test_links_that_are_whole_or_on_the_page_stay():
    page = "[a](docs/a.md#part) [b](https://b.org/x) [c](#c) ![d](images/d.png) [e](mailto:e@f.org)"
    assert with_whole_links(page, URL) == (
        f"[a]({URL}/blob/HEAD/docs/a.md#part) [b](https://b.org/x) [c](#c) ![d]({URL}/raw/HEAD/images/d.png) "
        "[e](mailto:e@f.org)"
    )


@pytest.mark.parametrize("url", ["", "github.com/owner/name", "https://github.com/owner", "https://github.com/a b/c"])
def test_what_is_no_address_of_a_repository_is_refused(url: str, tmp_path: Path):
    with pytest.raises(UserError, match="should be the repository's address"):
        build(tmp_path / "dist", url)
    assert not (tmp_path / "dist").exists()


def test_the_package_knows_nothing_of_the_tools():
    for path in (ROOT / "utkface_mt").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [module for module in modules if module.split(".")[0] == "tools"], path
