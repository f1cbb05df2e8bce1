"""What is committed of an executed notebook."""

import nbformat
import pytest

from tools.publish import MARK, clean, pictures_digest
from utkface_mt.util.errors import UserError


def executed(text: str = "12 faces") -> nbformat.NotebookNode:
    """A notebook as papermill leaves it."""
    notebook = nbformat.v4.new_notebook(metadata={"papermill": {"duration": 3}})
    noise = nbformat.v4.new_output("stream", name="stderr", text="noise of /some/library.py")
    shown = nbformat.v4.new_output("stream", text=text)
    notebook.cells = [
        nbformat.v4.new_code_cell("a = 1", execution_count=5, metadata={"tags": ["parameters"], "papermill": {}}),
        nbformat.v4.new_code_cell("a = 2", execution_count=6, metadata={"tags": ["injected-parameters"]}),
        nbformat.v4.new_code_cell("print(a)", execution_count=9, outputs=[noise, shown]),
    ]
    return notebook


def with_picture(data: str) -> nbformat.NotebookNode:
    figure = nbformat.v4.new_output("display_data", data={"image/png": data})
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[figure])])


def test_cleaning_removes_the_traces_of_a_run():
    cleaned = clean(executed(), "01_one")
    assert [cell.execution_count for cell in cleaned.cells] == [1, 2]
    assert [cell.id for cell in cleaned.cells] == ["01-00", "01-01"]
    assert cleaned.cells[0].metadata == {"tags": ["parameters"]}
    assert [output.name for output in cleaned.cells[1].outputs] == ["stdout"]
    assert set(cleaned.metadata) == {"kernelspec", "language_info", MARK}
    nbformat.validate(cleaned)


@pytest.mark.parametrize("path", ["/somewhere/deep/file.csv", "see '/srv/faces'", "[/var/x-1/y.z]"])
def test_a_printed_path_is_refused(path: str):
    with pytest.raises(UserError, match="cell 2 prints the path /"):
        clean(executed(f"written to {path}"), "01_one")


@pytest.mark.parametrize(
    "text", ["https://example.org/a/b", "runs/sample/index.html", "3/4 of the faces", "age/gender"]
)
def test_what_is_no_absolute_path_may_be_printed(text: str):
    assert clean(executed(text), "01_one").cells[1].outputs[0].text == text


def test_pictures_of_another_run_are_told_by_their_digest():
    mark = clean(with_picture("cGljdHVyZQ=="), "01_one").metadata[MARK]
    assert mark == {"profile": "sample", "pictures": pictures_digest(with_picture("cGljdHVyZQ==\n"))}
    assert mark["pictures"] != pictures_digest(with_picture("b3RoZXI="))
