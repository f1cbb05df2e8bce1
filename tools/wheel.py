"""Builds what goes to PyPI into `runs/dist`, with links on its page that lead into the repository.

The README's links are relative, as a repository wants them; on PyPI there is nothing beside the page that they could
lead to.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from utkface_mt.config import Settings, repository_root
from utkface_mt.util.errors import UserError

from .command import call

COPIED = ("utkface_mt", "tools", "tests", "pyproject.toml", "README.md", "LICENSE")  # pyproject.toml says what is taken
RELATIVE = re.compile(r"(?<=\]\()(?![a-z]+:|#)[^)\s]+")  # the target of a link that is neither whole nor on the page
BUILD = "import sys; from setuptools.build_meta import build_{0}; build_{0}(sys.argv[1])"
PICTURES = (".png", ".jpg", ".svg")


def with_whole_links(page: str, url: str) -> str:
    """The Markdown of a page at the top of the GitHub repository `url`, fit to be shown elsewhere."""

    def whole(target: re.Match) -> str:
        kind = "raw" if Path(target[0]).suffix in PICTURES else "blob"
        return f"{url}/{kind}/HEAD/{target[0]}"

    return RELATIVE.sub(whole, page)


def build(folder: Path, url: str) -> None:
    """Builds wheel and source archive into a folder, from a copy of the working tree.

    Raises:
        UserError: if `url` is no address of a repository.
    """
    if not re.fullmatch(r"https://[^/\s]+/[^/\s]+/[^/\s]+", url):
        raise UserError(f"URL={url!r} should be the repository's address, like https://github.com/OWNER/REPOSITORY.")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        for source in map(repository_root().joinpath, COPIED):
            copy, left_out = Path(name) / source.name, shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, copy, ignore=left_out) if source.is_dir() else shutil.copy(source, copy)
        page = Path(name) / "README.md"
        page.write_text(with_whole_links(page.read_text(encoding="utf-8"), url), encoding="utf-8")
        for kind in ("sdist", "wheel"):
            command = [sys.executable, "-c", BUILD.format(kind), folder.resolve()]
            subprocess.run(command, cwd=name, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Builds both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="where the repository is public, like https://github.com/OWNER/REPOSITORY")
    folder = Settings.read().runs_folder / "dist"
    build(folder, parser.parse_args().url.rstrip("/"))
    print(f"Built in {folder}.")


if __name__ == "__main__":
    call(main)
