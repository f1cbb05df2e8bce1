"""For maintainers: the committed notebooks carry the outputs of a sample run, without traces of the machine."""

import re

import nbformat
from nbformat import NotebookNode
from rich.console import Console

from .config import repository_root, runs_root
from .errors import UserError
from .files import replacing
from .sequence import SequenceOptions, run_sequence

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/])/(?:[\w.+-]+/)+[\w.+-]+")


def publish_notebooks(console: Console) -> None:
    """Runs the sample sequence and writes its cleaned outputs into `notebooks/`.

    Raises:
        UserError: if an output holds an absolute path.
    """
    run_sequence(SequenceOptions(), console)
    for executed in sorted((runs_root() / "sample" / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        target = repository_root() / "notebooks" / executed.name
        if target.exists():
            notebook = clean(nbformat.read(executed, as_version=4), executed.name)
            with replacing(target) as temporary:
                nbformat.write(notebook, temporary)


def clean(notebook: NotebookNode, name: str) -> NotebookNode:
    """Removes what papermill and the kernel add: injected cells, timings, paths, error streams.

    Args:
        notebook: an executed notebook; it is changed.
        name: for the message.

    Returns:
        The notebook, its execution counts from 1 on.

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
            if "execution_count" in output:
                output.execution_count = count
            if found := ABSOLUTE_PATH.search(_text(output)):
                raise UserError(f"{name}, cell {count} prints the path {found.group()}; print its name instead.")
    notebook.metadata = NotebookNode({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    return notebook


def _text(output: NotebookNode) -> str:
    """The plain text of an output."""
    return output.get("text", "") + output.get("data", {}).get("text/plain", "")
