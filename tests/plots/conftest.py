"""Figures are drawn without a screen, and closed."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_screen() -> Iterator[None]:
    """The style of the notebooks, drawn into files alone."""
    import matplotlib.pyplot as plt

    from utkface_mt.plots.style import use_style

    use_style("Agg")
    yield
    plt.close("all")
