"""The tables of README, docs and model card are those that the reference gives."""

from pathlib import Path

import pytest

from tools.readme import BLOCKS, pages, renewed


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_no_table_has_drifted(page: Path):
    text = page.read_text(encoding="utf-8")
    assert renewed(text) == text


def test_every_table_that_is_made_is_shown():
    text = "".join(page.read_text(encoding="utf-8") for page in pages())
    assert [name for name in BLOCKS if f"<!-- {name} -->" not in text] == []


def test_only_blocks_change_and_an_unknown_one_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(BLOCKS, "seeds", lambda: "| a |")
    page = "before <!-- a remark -->\n<!-- seeds -->\nold\nlines\n<!-- /seeds -->\nafter"
    assert renewed(page) == "before <!-- a remark -->\n<!-- seeds -->\n| a |\n<!-- /seeds -->\nafter"
    with pytest.raises(KeyError, match="unheard-of"):
        renewed("<!-- unheard-of -->\n<!-- /unheard-of -->")


@pytest.mark.slow
def test_every_figure_can_be_drawn_and_is_the_one_in_images(tmp_path: Path):
    import numpy as np
    from PIL import Image

    from tools.figures import draw
    from utkface_mt.config import repository_root

    for path in draw(tmp_path):
        with Image.open(path) as new, Image.open(repository_root() / "images" / path.name) as committed:
            assert new.size == committed.size, path.name
            difference = np.abs(np.asarray(new.convert("L"), float) - np.asarray(committed.convert("L"), float))
            assert difference.mean() < 2, path.name
