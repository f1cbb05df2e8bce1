"""Figures of what was measured on UTKFace hold the figures of `reference/`, and no face."""

from utkface_mt.experiments.reference import measured_rows
from utkface_mt.plots.measured import measured_curves, measured_differences, measured_ladder


def test_the_measured_ladder_and_its_differences_are_those_of_the_reference():
    rows = measured_rows()
    trained = [entry["age_mae"] for name, entry in rows.items() if name != "00_constant"]
    assert list(measured_ladder("05_fine_tune").axes[0].lines[0].get_xdata()) == trained
    names = ("06_sample_weights", "07_augmentation")
    shown = measured_differences(*names).axes[0].lines[0].get_xdata()
    assert list(shown) == [rows[name]["difference"]["age_mae"][0] for name in names]
    figures = (measured_ladder(), measured_differences(*names), measured_curves("03_baseline", "05_fine_tune"))
    assert not any(axes.images for figure in figures for axes in figure.axes)
