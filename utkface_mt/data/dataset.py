"""A dataset opened: its face table, its clusters, its defects; made once and kept by the content's fingerprint."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..config import TRAINING_VERSION
from ..util.errors import UserError
from ..util.files import digest, read_json, write_json, write_table
from .duplicates import cluster_faces
from .fetch import fetch
from .index import build_index, list_pictures


@dataclass(frozen=True)
class Dataset:
    """Faces and where they lie."""

    folder: Path  # of the pictures; never written to
    fingerprint: str  # digest of the content (names and bytes), the key of everything derived from it
    faces: pd.DataFrame  # the usable ones: `path`, `file`, `age`, `gender`, `race`, `sha256`, `cluster`
    quarantined: pd.DataFrame  # files that are not used, with columns `path` and `problem`
    storage: Path  # for what is derived from this dataset


def open_dataset(source: str, storage: Path) -> Dataset:
    """Opens a dataset, as `fetch` knows it, reading its pictures the first time only; `storage` keeps what was made.

    Raises:
        UserError: if the source cannot be read or holds no usable face.
    """
    folder = fetch(source, storage / "datasets")
    pictures = list_pictures(folder)
    place = storage / "listings" / digest([str(folder.resolve()), pictures, TRAINING_VERSION])
    if not (place / "fingerprint.json").exists():
        table, greys = build_index(folder, [path for path, _, _ in pictures])
        _write(table, greys, place, source)
    fingerprint = read_json(place / "fingerprint.json")
    as_written: Any = {"keep_default_na": False, "lineterminator": "\n"}  # a name may hold other ends of lines
    faces = pd.read_csv(place / "faces.csv.gz", dtype={"path": str, "file": str, "sha256": str}, **as_written)
    quarantined = pd.read_csv(place / "quarantined.csv.gz", **as_written)
    return Dataset(folder, fingerprint, faces, quarantined, storage / fingerprint)


def _write(table: pd.DataFrame, greys: np.ndarray, listing: Path, source: str) -> None:
    """Writes what was found into a folder: equal faces may lie under other paths elsewhere."""
    usable = (table["problem"] == "").to_numpy()
    faces, quarantined = table[usable].drop(columns="problem"), table.loc[~usable, ["path", "problem"]]
    if faces.empty:
        reasons = "; ".join((quarantined["path"] + ": " + quarantined["problem"]).head(3))
        raise UserError(
            f"None of the {len(quarantined)} pictures of {source} is a usable UTKFace crop ({reasons}). "
            "Give the aligned and cropped faces, 200 x 200 pixels, named AGE_GENDER_RACE_TIME.jpg.chip.jpg."
        )
    fingerprint = hashlib.sha256("\n".join(table["file"] + " " + table["sha256"]).encode()).hexdigest()[:16]
    faces = faces.assign(cluster=cluster_faces(faces["sha256"], greys[usable]))
    for name, part in (("quarantined", quarantined), ("faces", faces)):
        write_table(listing / f"{name}.csv.gz", part)
    write_json(listing / "fingerprint.json", fingerprint)  # last: what stands beside it is whole


def data_report(dataset: Dataset) -> dict[str, Any]:
    """What the data report says, fit for JSON; conflicting groups are byte-identical files whose labels differ."""
    faces = dataset.faces
    identical = faces[faces.duplicated("sha256", keep=False)].groupby("sha256")
    clusters = faces["cluster"].value_counts()
    return {
        "files": len(faces) + len(dataset.quarantined),
        "usable": len(faces),
        "quarantined": dataset.quarantined.set_axis(["file", "reason"], axis=1).to_dict("records"),
        "byte_identical_groups": identical.ngroups,
        "byte_identical_files": int(identical.size().sum()),
        "near_duplicate_clusters": int((clusters > 1).sum()),
        "near_duplicate_files": int(clusters[clusters > 1].sum()),
        "conflicting_age_groups": int((identical["age"].nunique() > 1).sum()),
        "conflicting_gender_groups": int((identical["gender"].nunique() > 1).sum()),
        "fingerprint": dataset.fingerprint,
    }
