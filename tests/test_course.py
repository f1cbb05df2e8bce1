"""The chapters: every part of the frame is there, the mechanism is asserted, exercises have solutions that run."""

import re
from pathlib import Path
from statistics import median

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PARTS = (
    "The idea",
    "The mechanism",
    "The experiment",
    "On UTKFace",
    "Pitfalls",
    "Exercises",
    "What we learned",
    "Next",
)
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def _parts(path: Path) -> dict[str, list[nbformat.NotebookNode]]:
    """The cells of each part, by the part's heading; those before the first have none."""
    parts: dict[str, list[nbformat.NotebookNode]] = {"": []}
    current = ""
    for cell in nbformat.read(path, as_version=4).cells:
        whole = cell.cell_type != "markdown"
        for piece in (
            [cell] if whole else map(nbformat.v4.new_markdown_cell, re.split(r"^(?=## )", cell.source, flags=re.M))
        ):
            if not whole and (found := re.match(r"## (.+)$", piece.source, re.MULTILINE)):
                current = found[1].strip()
            parts.setdefault(current, []).append(piece)
    return parts


def _code(cells: list[nbformat.NotebookNode]) -> str:
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestChapter:
    def test_it_has_every_part_in_order(self, path: Path):
        cells = nbformat.read(path, as_version=4).cells
        headings = re.findall(
            r"^## (.+)$", "\n".join(c.source for c in cells if c.cell_type == "markdown"), re.MULTILINE
        )
        assert [heading for heading in headings if heading in PARTS] == list(PARTS)
        assert cells[0].source.startswith(f"# {int(path.name[:2])}. ")
        assert "**Question: " in cells[0].source
        assert re.search(r"\*Reads\*.*\*Writes\*", cells[0].source, re.DOTALL)

    def test_it_is_as_long_as_a_chapter_and_its_cells_are_short(self, path: Path):
        cells = nbformat.read(path, as_version=4).cells
        lines = [len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code"]
        assert 900 <= sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown") <= 2000
        assert median(lines) <= 6
        assert max(lines) <= 30

    def test_the_mechanism_is_asserted(self, path: Path):
        assert re.search(r"^\s*(assert |np\.testing\.assert)", _code(_parts(path)["The mechanism"]), re.MULTILINE)

    def test_figures_have_captions_that_say_where_they_were_measured(self, path: Path):
        parts = _parts(path)
        shown = [output for cell in parts["On UTKFace"] for output in cell.get("outputs", [])]
        captions = [output.metadata.get("caption", "") for output in shown if "image/png" in output.get("data", {})]
        assert any(caption.startswith("UTKFace") for caption in captions)
        for cells in parts.values():
            outputs = [output for cell in cells for output in cell.get("outputs", [])]
            assert all(output.metadata.get("caption") for output in outputs if "image/png" in output.get("data", {}))

    def test_the_row_stands_in_the_measured_ladder(self, path: Path):
        if path.name[:2] in ("01", "02", "13"):
            pytest.skip("it has no row")
        assert "measured_ladder(" in _code(_parts(path)["On UTKFace"])

    def test_at_least_two_cells_are_compared(self, path: Path):
        cells = nbformat.read(path, as_version=4).cells
        compared = [cell for cell in cells if "nbval-check-output" in cell.metadata.get("tags", [])]
        assert len(compared) >= 2
        assert all(cell.outputs and all(out.output_type == "stream" for out in cell.outputs) for cell in compared)

    def test_there_are_three_exercises_with_solutions(self, path: Path):
        prose = "\n".join(cell.source for cell in _parts(path)["Exercises"])
        assert [number for number in "1234" if re.search(rf"^{number}\. ", prose, re.MULTILINE)] == ["1", "2", "3"]
        assert f"(../docs/solutions/{path.stem}.md)" in prose
        solutions = (ROOT / "docs" / "solutions" / f"{path.stem}.md").read_text(encoding="utf-8")
        assert len(CODE.findall(solutions)) == 3

    def test_its_links_lead_somewhere_and_to_its_neighbours(self, path: Path):
        prose = "\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")
        local = [link for link in re.findall(r"\]\(([^)#\s]+)", prose) if "://" not in link]
        assert not [link for link in local if not (path.parent / link).exists()]
        place = NOTEBOOKS.index(path)
        neighbours = NOTEBOOKS[max(0, place - 1) : place] + NOTEBOOKS[place + 1 : place + 2]
        assert all(neighbour.name in "\n".join(c.source for c in _parts(path)["Next"]) for neighbour in neighbours)


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "solutions").glob("*.md")), ids=lambda path: path.stem)
def test_solutions_run_and_show_what_they_say(path: Path, workspace):
    for block in CODE.findall(path.read_text(encoding="utf-8")):
        assert "assert" in block
        exec(compile(block, path.name, "exec"), {"workspace": workspace, "__name__": path.stem})
