"""The page at the end: a page even without rows, with every figure and its caption, and every notebook."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from utkface_mt.experiments.report import write_report
from utkface_mt.experiments.results import SAMPLE_NOTE
from utkface_mt.plots.evaluation import ladder_chart
from utkface_mt.plots.style import use_style

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="


def test_a_report_without_rows_is_still_a_page(tmp_path: Path):
    page = write_report(tmp_path, "sample", ladder_chart).read_text()
    assert page.startswith("<!doctype html>")
    assert SAMPLE_NOTE in page


@pytest.mark.parametrize("profile", ["sample", "cpu"])
def test_rows_figures_captions_and_notebooks_are_on_the_page(profile: str, finished_run: Callable, tmp_path: Path):
    use_style("Agg")
    finished_run(tmp_path, {"03_baseline": 9.0, "05_fine_tune": 6.0})
    caption = "Drawn sample: *who* is in the data."
    figure = nbformat.v4.new_output("display_data", data={"image/png": PIXEL}, metadata={"caption": caption})
    cells = [
        nbformat.v4.new_markdown_cell("# 1. Faces\n\nNext: [the split](02_split.ipynb)."),
        nbformat.v4.new_code_cell("grid()", outputs=[figure], execution_count=1),
    ]
    (tmp_path / "notebooks").mkdir()
    for name in ("01_eda.ipynb", "02_split.failed.ipynb"):
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / name)
    page = write_report(tmp_path, profile, ladder_chart).read_text()
    assert page.count("<figure") == 2  # the ladder, and the notebook's
    for expected in (PIXEL, caption, 'href="notebooks/01_eda.html"', "9.00", "6.00", "1. Faces"):
        assert expected in page
    assert (SAMPLE_NOTE in page) is (profile == "sample")
    assert ("published" in page) is (profile == "cpu")
    assert 'src="http' not in page
    first = tmp_path / "notebooks" / "01_eda.html"
    assert "Next: the split." in first.read_text()
    nbformat.write(nbformat.v4.new_notebook(cells=cells[:1]), tmp_path / "notebooks" / "02_split.ipynb")
    write_report(tmp_path, profile, ladder_chart)
    assert 'Next: <a href="02_split.html">the split</a>.' in first.read_text()  # once there is such a page
