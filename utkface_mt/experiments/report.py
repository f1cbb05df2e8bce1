"""The page that a run ends with: ladder, table, every figure with its caption, executed notebooks, settings."""

import base64
import io
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment, FileSystemLoader, select_autoescape
from nbconvert import HTMLExporter

from ..util.files import write_text
from ..util.runtime import version_line
from .reference import published_rows
from .results import SAMPLE_NOTE, Result, ResultStore

TEMPLATES = Path(__file__).parent / "templates"
NOTEBOOK_LINK = re.compile(r"\[([^\]]+)\]\((\d\d_\w+)\.ipynb\)")
REPOSITORY_LINK = re.compile(r"\[([^\]]+)\]\(\.\./([^)]+)\)")
LadderChart = Callable[[list[Result], dict[str, dict[str, float]]], Any]


def write_report(folder: Path, profile: str, ladder_chart: LadderChart) -> Path:
    """Writes `index.html`, whose path it returns, and, beside each executed notebook of the run's folder, its HTML.

    Neither takes anything from the network. `ladder_chart` draws rows, with published scores beside them, as a figure
    that can be saved.
    """
    rows = ResultStore(folder).rows()
    notebooks = sorted((folder / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    links = [_notebook_page(path) for path in notebooks if not path.name.endswith(".failed.ipynb")]
    published = {} if profile == "sample" else published_rows()
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["html"]))
    page = environment.get_template("index.html").render(
        profile=profile,
        note=SAMPLE_NOTE if profile == "sample" else "",
        rows=[_table_row(row, published) for row in rows],
        published=bool(published),
        ladder=_ladder(rows, published, ladder_chart) if rows else None,
        notebooks=links,
        figures=any(link["figures"] for link in links),
        versions=version_line(),
        **(_last_row(rows[-1]) if rows else {"facts": {"profile": profile}}),
    )
    write_text(target := folder / "index.html", page)
    return target


def _ladder(rows: list[Result], published: dict[str, dict[str, float]], ladder_chart: LadderChart) -> dict[str, Any]:
    """The picture that the page opens with. The constant answer, far off at one side, stands in the table only."""
    picture = io.BytesIO()
    shown = [row for row in rows if row.history]
    ladder_chart(shown or rows, published).savefig(picture, format="png", dpi=110)
    beside = " Diamonds: the published figures." if published else ""
    caption = f"Age error and gender accuracy, row by row, with 95 % intervals.{beside}"
    return _figure(caption, base64.b64encode(picture.getvalue()).decode())


def _table_row(row: Result, published: dict[str, dict[str, float]]) -> dict[str, Any]:
    """A line of the table: row, age and gender first, each score with its interval; the rest after them."""
    theirs, shares = published.get(row.row), [row.test[name] for name in ("age_within_5", "gender_f1_weighted")]
    rest = [f"{row.test['age_rmse']:.2f}", *(f"{100 * share:.1f}" for share in shares)]
    return {
        "title": row.title,
        "age": _value(row, "age_mae", 1, ".2f"),
        "gender": _value(row, "gender_accuracy", 100, ".1f"),
        "published_age": f"{theirs['age_mae']:.2f}" if theirs else "–",
        "published_gender": f"{100 * theirs['gender_accuracy']:.0f}" if theirs else "–",
        "rest": [*rest, row.notebook[:2], f"{row.seconds:.0f}"],
    }


def _value(row: Result, name: str, factor: int, form: str) -> dict[str, str]:
    low, high = (factor * end for end in row.ci[name])
    return {"value": f"{factor * row.test[name]:{form}}", "interval": f"{low:{form}} to {high:{form}}"}


def _last_row(row: Result) -> dict[str, Any]:
    """What the page says of the last row: its scores as large figures, and how it was made."""
    scores = [
        {"name": "mean absolute error of age", "unit": "years", **_value(row, "age_mae", 1, ".2f")},
        {"name": "ages within five years", "unit": "%", **_value(row, "age_within_5", 100, ".1f")},
        {"name": "gender accuracy", "unit": "%", **_value(row, "gender_accuracy", 100, ".1f")},
    ]
    facts = {"profile": row.profile, "machine": row.machine, "seed": row.experiment.seed, **row.versions}
    facts |= {name.replace("_", " "): value for name, value in row.experiment.to_dict().items()}
    return {"scores": scores, "last": row.title, "n_test": f"{row.n_test:,}", "command": row.command, "facts": facts}


def _notebook_page(path: Path) -> dict[str, Any]:
    """Exports one executed notebook, unless its page is newer than all that it may link; returns how it is listed."""
    target = path.with_suffix(".html")
    notebook = nbformat.read(path, as_version=4)
    if not target.exists() or target.stat().st_mtime < max(one.stat().st_mtime for one in path.parent.glob("*.ipynb")):
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = _links_of_a_run(cell.source, path.parent)
        exporter = HTMLExporter(template_name="notebook", extra_template_basedirs=[str(TEMPLATES)])
        html, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": path.stem}})
        write_text(target, html)
    title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    figures = notebook_figures(notebook)
    return {"name": path.stem, "title": title, "page": f"notebooks/{target.name}", "figures": figures}


def _links_of_a_run(markdown: str, folder: Path) -> str:
    """Links as they hold beside the executed notebooks: to their pages; what lies in the repository is named only."""

    def to_page(link: re.Match) -> str:
        return f"[{link[1]}]({link[2]}.html)" if (folder / f"{link[2]}.ipynb").exists() else link[1]

    return REPOSITORY_LINK.sub(r"\1 (`\2`)", NOTEBOOK_LINK.sub(to_page, markdown))


def notebook_figures(notebook: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """The figures of a notebook with the captions that `plots.style.show` put beside them; empty without one."""
    return [
        _figure(output.metadata.get("caption", ""), output["data"]["image/png"].replace("\n", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


def _figure(caption: str, png: str) -> dict[str, Any]:
    """A picture, base64 PNG, as the page shows it: with width and height in pixels, as the PNG's header says."""
    return {"caption": caption, "png": png, "size": struct.unpack(">II", base64.b64decode(png[:44])[16:24])}
