"""Runs the sample sequence and writes its outputs, without traces of the machine, into `notebooks/`."""

import argparse
import re

import nbformat
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from rich.console import Console

from utkface_mt.config import REFERENCE, Settings, repository_root
from utkface_mt.experiments.notebooks import run_notebooks
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import digest, replacing, write_json
from utkface_mt.util.runtime import describe_machine

from .command import call

SAMPLE_RUN = REFERENCE / "sample_run.json"  # how long each notebook took with the sample
MARK = "utkface_mt"  # in a notebook's metadata: what its outputs were made with
PICTURE_KINDS = ("image/png", "image/jpeg", "image/svg+xml", "image/gif", "image/webp", "application/pdf")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/])/(?:[\w.+-]+/)+[\w.+-]+")


def clean(notebook: NotebookNode, name: str) -> NotebookNode:
    """Removes what papermill and the kernel add to an executed notebook: injected cells, timings, paths, error streams.

    Raises:
        UserError: if an output holds an absolute path.
    """
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    count = 0
    for number, cell in enumerate(notebook.cells):
        tags = [tag for tag in cell.metadata.get("tags", []) if not tag.startswith("papermill")]
        cell.metadata = NotebookNode({"tags": tags} if tags else {})
        cell.id = f"{name[:2]}-{number:02d}"
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.outputs:
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)  # its state is not kept
            if "execution_count" in output:
                output.execution_count = count
            printed = output.get("text", "") + output.get("data", {}).get("text/plain", "")
            if found := ABSOLUTE_PATH.search(printed):
                raise UserError(f"{name}, cell {count} prints the path {found.group()}; print its name instead.")
    mark = NotebookNode({"profile": "sample", "pictures": pictures_digest(notebook)})
    notebook.metadata = NotebookNode({"kernelspec": KERNEL, "language_info": {"name": "python"}, MARK: mark})
    return CoalesceStreamsPreprocessor().preprocess(notebook, {})[0]  # prints that arrived in pieces


def pictures_digest(notebook: NotebookNode) -> str:
    """A digest of all pictures in a notebook's outputs.

    It is kept in the notebook's metadata. JupyterLab keeps metadata and replaces outputs: pictures of another run,
    which may show real faces, do not fit it.
    """
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output.get("data", {}).get(kind, "") for output in outputs for kind in PICTURE_KINDS]
    return digest(["".join(picture).strip() for picture in pictures if picture])


def main() -> None:
    """Runs the sample sequence afresh and writes its cleaned outputs into `notebooks/`.

    How long each notebook took is written into `reference/sample_run.json`. If one is refused, none is written.
    """
    argparse.ArgumentParser(description=__doc__).parse_args()
    folder = run_notebooks(Settings.read(profile="sample"), Console(highlight=False), fresh=True)
    seconds, cleaned = {}, {}
    for target in sorted((repository_root() / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        notebook = nbformat.read(folder / "notebooks" / target.name, as_version=4)
        seconds[target.stem] = round(notebook.metadata["papermill"]["duration"])
        cleaned[target] = clean(notebook, target.name)
    for target, notebook in cleaned.items():
        with replacing(target) as temporary:
            nbformat.write(notebook, temporary)
    write_json(SAMPLE_RUN, {"machine": describe_machine(), "seconds": seconds})


if __name__ == "__main__":
    call(main)
