"""The page that a run ends with: the table, the ladder as a chart, links to the executed notebooks."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import nbformat
from jinja2 import Environment, PackageLoader, select_autoescape
from nbconvert import HTMLExporter

from .environment import version_line
from .files import write_text
from .results import SAMPLE_NOTE, Result, ResultStore, results_table


@dataclass(frozen=True)
class NotebookLink:
    """A notebook as the page lists it."""

    name: str
    title: str
    page: str


def write_report(folder: Path, profile: str) -> Path:
    """Writes `index.html` and, beside each executed notebook, its HTML.

    Args:
        folder: the run's folder.
        profile: its profile.

    Returns:
        The path of `index.html`.
    """
    rows = ResultStore(folder).rows()
    notebooks = sorted((folder / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    links = [_notebook_page(path) for path in notebooks if not path.name.endswith(".failed.ipynb")]
    environment = Environment(loader=PackageLoader("utkface_mt"), autoescape=select_autoescape(["html"]))
    table = results_table(row.table_row() for row in rows)
    page = environment.get_template("index.html").render(
        profile=profile,
        note=SAMPLE_NOTE if profile == "sample" else "",
        columns=list(table.columns),
        rows=table.to_numpy().tolist(),
        chart=_ladder_chart(rows),
        notebooks=links,
        command=rows[-1].command if rows else "",
        versions=version_line(),
    )
    target = folder / "index.html"
    write_text(target, page)
    return target


def _notebook_page(path: Path) -> NotebookLink:
    """Exports one executed notebook, unless its page is newer than itself."""
    target = path.with_suffix(".html")
    notebook = nbformat.read(path, as_version=4)
    if not target.exists() or target.stat().st_mtime < path.stat().st_mtime:
        html, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook, {"metadata": {"name": path.stem}})
        write_text(target, html)
    title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    return NotebookLink(path.stem, title, f"notebooks/{target.name}")


def _ladder_chart(rows: list[Result]) -> str:
    """The ladder chart as base64 PNG, or nothing without rows."""
    if not rows:
        return ""
    matplotlib.use("Agg")
    from .figures.evaluation import ladder_chart
    from .figures.style import use_style

    use_style()
    picture = io.BytesIO()
    ladder_chart(rows).savefig(picture, format="png", dpi=110)
    return base64.b64encode(picture.getvalue()).decode()
