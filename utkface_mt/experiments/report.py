"""The page that a run ends with: table, ladder, every figure with its question, executed notebooks, settings."""

import base64
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment, FileSystemLoader, select_autoescape
from nbconvert import HTMLExporter

from ..util.files import write_text
from ..util.runtime import version_line
from .results import SAMPLE_NOTE, Result, ResultStore, results_table

TEMPLATES = Path(__file__).parent / "templates"
QUESTION = re.compile(r"[^.!?:]*\?")


@dataclass(frozen=True)
class NotebookFigure:
    """A figure of a notebook, as base64 PNG, and the question it answers."""

    question: str
    png: str


@dataclass(frozen=True)
class NotebookLink:
    """A notebook as the page lists it."""

    name: str
    title: str
    page: str
    figures: list[NotebookFigure]


def write_report(folder: Path, profile: str, ladder_chart: Callable[[list[Result]], Any]) -> Path:
    """Writes `index.html` and, beside each executed notebook, its HTML. Neither takes anything from the network.

    Args:
        folder: the run's folder.
        profile: its profile.
        ladder_chart: draws the rows: a figure that can be saved.

    Returns:
        The path of `index.html`.
    """
    rows = ResultStore(folder).rows()
    notebooks = sorted((folder / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    links = [_notebook_page(path) for path in notebooks if not path.name.endswith(".failed.ipynb")]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["html"]))
    table = results_table(rows)
    page = environment.get_template("index.html").render(
        profile=profile,
        note=SAMPLE_NOTE if profile == "sample" else "",
        columns=list(table.columns),
        rows=table.to_numpy().tolist(),
        chart=_as_base64(ladder_chart(rows)) if rows else "",
        notebooks=links,
        figures=any(link.figures for link in links),
        versions=version_line(),
        **(_last_row(rows[-1]) if rows else {"facts": {"profile": profile}}),
    )
    target = folder / "index.html"
    write_text(target, page)
    return target


def _last_row(row: Result) -> dict[str, Any]:
    """What the page says of the last row: its scores as large figures, and how it was made."""
    scores = [
        _score(row, "age_mae", "mean absolute error of age", 1, ".2f", "years"),
        _score(row, "age_within_5", "ages within five years", 100, ".1f", "%"),
        _score(row, "gender_accuracy", "gender accuracy", 100, ".1f", "%"),
    ]
    facts = {"profile": row.profile, "machine": row.machine, "seed": row.experiment.seed, **row.versions}
    facts |= {name.replace("_", " "): value for name, value in row.experiment.to_dict().items()}
    return {"scores": scores, "last": row.title, "n_test": f"{row.n_test:,}", "command": row.command, "facts": facts}


def _score(row: Result, name: str, title: str, factor: int, form: str, unit: str) -> dict[str, str]:
    low, high = (factor * end for end in row.ci[name])
    return {
        "name": title,
        "value": f"{factor * row.test[name]:{form}} {unit}",
        "interval": f"{low:{form}} to {high:{form}}",
    }


def _notebook_page(path: Path) -> NotebookLink:
    """Exports one executed notebook, unless its page is newer than itself."""
    target = path.with_suffix(".html")
    notebook = nbformat.read(path, as_version=4)
    if not target.exists() or target.stat().st_mtime < path.stat().st_mtime:
        exporter = HTMLExporter(template_name="notebook", extra_template_basedirs=[str(TEMPLATES)])
        html, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": path.stem}})
        write_text(target, html)
    title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    return NotebookLink(path.stem, title, f"notebooks/{target.name}", notebook_figures(notebook))


def notebook_figures(notebook: nbformat.NotebookNode) -> list[NotebookFigure]:
    """The figures of a notebook, each with the question asked last before it."""
    figures, question = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            question = last_question(cell.source) or question
            continue
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                figures.append(NotebookFigure(question, output["data"]["image/png"].replace("\n", "")))
    return figures


def last_question(markdown: str) -> str:
    """The last question in a piece of prose, without its marks; nothing if there is none."""
    paragraphs = [" ".join(text.split()).lstrip("#- ") for text in re.split(r"\n\s*\n|\n(?=#)|(?<=\?)\n", markdown)]
    found = [question for text in paragraphs for question in QUESTION.findall(text)]
    question = re.sub(r"[*`]", "", found[-1]).strip() if found else ""
    return question[:1].upper() + question[1:]


def _as_base64(figure: Any) -> str:
    """A figure as base64 PNG."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return base64.b64encode(picture.getvalue()).decode()
