"""Figures of the data show faces with their labels."""

from utkface_mt.data.dataset import Dataset
from utkface_mt.plots.data import face_grid


def test_faces_are_shown_with_their_labels(dataset: Dataset):
    shown = dataset.faces.head(3)
    titles = [axes.get_title() for axes in face_grid(dataset, shown, columns=2).axes if axes.images]
    assert [int(title.split(",")[0]) for title in titles] == shown["age"].tolist()
