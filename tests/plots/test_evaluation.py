"""Figures of scores show the numbers that they were given."""

from dataclasses import replace

from utkface_mt.config import Experiment
from utkface_mt.experiments.results import Result
from utkface_mt.plots.evaluation import ladder_chart


def _row(name: str, error: float) -> Result:
    scores = {"age_mae": error, "gender_accuracy": 0.9}
    ci = {"age_mae": [error - 1, error + 2], "gender_accuracy": [0.88, 0.91]}
    return replace(Result("key", Experiment(), "sample", [], 1.0), row=name, title=name, test=scores, ci=ci)


def test_the_ladder_shows_every_row_with_its_interval_and_the_published_score_beside_it():
    rows = [_row("03_baseline", 9.0), _row("05_fine_tune", 6.0)]
    left, _ = ladder_chart(rows, {"05_fine_tune": {"age_mae": 5.5, "gender_accuracy": 0.92}}).axes
    points, *_, published = (line for line in left.lines if len(line.get_xdata()))
    assert list(points.get_xdata()) == [9.0, 6.0]
    assert list(published.get_xdata()) == [5.5]
    assert published.get_ydata()[0] == points.get_ydata()[1]
    ends = sorted(float(end) for segment in left.collections[0].get_segments() for end in segment[:, 0])
    assert ends == [5.0, 8.0, 8.0, 11.0]
    assert [label.get_text() for label in left.get_yticklabels()] == ["03_baseline", "05_fine_tune"]
