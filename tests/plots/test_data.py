"""Figures of the data count every face once."""

from utkface_mt.data.dataset import Dataset
from utkface_mt.plots.data import age_distribution, face_grid, group_heatmap


def test_every_face_is_counted_in_every_figure(dataset: Dataset):
    faces = dataset.faces
    bars = age_distribution(faces).axes[0].patches
    assert sum(bar.get_height() for bar in bars) == len(faces)
    assert sum(int(text.get_text()) for text in group_heatmap(faces).axes[0].texts) == len(faces)


def test_faces_are_shown_with_their_labels(dataset: Dataset):
    shown = dataset.faces.head(3)
    titles = [axes.get_title() for axes in face_grid(dataset, shown, columns=2).axes if axes.images]
    assert [int(title.split(",")[0]) for title in titles] == shown["age"].tolist()
