"""Makes the model that comes with the package: a row's network, its weights in half precision.

With `--all-faces` the row's recipe is trained on all faces; interval and calibration are the row's even then.
"""

import shutil
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from utkface_mt.config import Experiment
from utkface_mt.data.labels import OLDEST, YOUNGEST, age_group
from utkface_mt.evaluation.calibration import FaceInterval, GenderCalibration
from utkface_mt.evaluation.explain import grad_cam
from utkface_mt.evaluation.metrics import score
from utkface_mt.experiments.derive import require_row
from utkface_mt.experiments.results import Result
from utkface_mt.experiments.run import load_network, predict_part, run
from utkface_mt.experiments.workspace import Workspace
from utkface_mt.faces.model import PARTS
from utkface_mt.model.age import prior
from utkface_mt.model.network import heads_of
from utkface_mt.model.predict import HEADS, mean_answers
from utkface_mt.model.weights import BUNDLED_MODEL
from utkface_mt.util.backend import keras
from utkface_mt.util.errors import UserError
from utkface_mt.util.files import file_digest, replacing, write_json

from .command import call, data_parser, workspace_of

LARGEST = 6_000_000  # bytes of both weight files
ATTRIBUTION_FACES = 500  # in the mean face: so many that it is nobody's


def bundle(workspace: Workspace, result: Result, folder: Path = BUNDLED_MODEL, all_faces: bool = False) -> pd.DataFrame:
    """Writes a row's network, or that of its recipe trained on all faces, into a folder.

    Returns:
        Scores on the validation faces (learnt, with `all_faces`) before and after rounding, a column each.

    Raises:
        UserError: if the row predicts no distribution, the files are too large, or a weight is too large.
    """
    experiment = result.experiment
    if experiment.age_head != "distribution":
        raise UserError(f"{result.row} predicts no age distribution, from which the intervals of the model come.")
    everything, faces = workspace, [workspace.faces.assign(part="train"), workspace.part("validation")]
    if all_faces:  # the validation faces say which epoch is kept
        everything = replace(workspace, faces=pd.concat(faces, ignore_index=True))
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch + 1, logs, flush=True))
    trained = run(everything, experiment, callbacks=[told])
    network = load_network(everything, trained)
    network.set_weights([np.asarray(weight, np.float16).astype(np.float32) for weight in network.get_weights()])
    if not all(np.isfinite(weight).all() for weight in network.get_weights()):
        raise UserError("A weight is too large for half precision; train the row again with weight decay.")
    after = predict_part(workspace, network, experiment, "validation")
    files = {part: folder / f"{part}.weights.h5" for part in PARTS}
    with tempfile.TemporaryDirectory() as name:  # what is too large takes nothing's place
        made = {part: Path(name) / file.name for part, file in files.items()}
        for part, model in zip(PARTS, (network.get_layer("backbone"), heads_of(network)), strict=True):
            save_halved(model, made[part])
        size = sum(file.stat().st_size for file in made.values())
        if size > LARGEST:
            limit = f"the package carries at most {LARGEST / 1e6:.0f} MB"
            raise UserError(f"The weights take {size / 1e6:.1f} MB; {limit}.")
        for part, file in files.items():
            with replacing(file) as temporary:
                shutil.copyfile(made[part], temporary)
    row, age_head = load_network(workspace, result), workspace.age_head(experiment)
    described = {
        "row": result.row,
        "profile": result.profile,
        "faces": len(everything.part("train")),
        "experiment": experiment.to_dict(),
        "age_scale": {"mean": age_head.mean, "deviation": age_head.deviation},
        **_fitted_interval(workspace, row, experiment),
        "calibration_slope": GenderCalibration.fit(predict_part(workspace, row, experiment, "calibration")).slope,
        "sha256": {part: file_digest(file) for part, file in files.items()},
        "bytes": size,
    }
    write_json(folder / "model.json", described)
    _write_attribution(workspace, network, experiment, folder / "attribution.npz")
    return pd.DataFrame({"single precision": trained.validation, "half precision": score(after)})


def _fitted_interval(workspace: Workspace, network: keras.Model, experiment: Experiment) -> dict[str, Any]:
    """The interval fitted to the calibration faces, and what it gives on the test faces, as `model.json` holds them."""

    def distributions(part: str) -> tuple[np.ndarray, np.ndarray]:
        rows = workspace.positions(part)
        answers = mean_answers(network, workspace.pixels(experiment), rows, experiment.flip_average)
        return answers["age"], workspace.faces["age"].to_numpy()[rows]

    share = prior(workspace.part("train")["age"].to_numpy()).round(6)
    interval = FaceInterval.fit(*distributions("calibration"), share.tolist())
    shares, ages = distributions("test")
    low, high = (ends.clip(YOUNGEST, OLDEST) for ends in interval.ends(shares))
    table = pd.DataFrame({"covered": (low <= ages) & (ages <= high), "width": high - low})
    groups = table.groupby(age_group(pd.Series(ages)), observed=True).mean()
    by_age = {str(group): row.round(4).to_dict() for group, row in groups.iterrows()}
    return {"interval": asdict(interval), "interval_on_test": {"all": table.mean().round(4).to_dict(), **by_age}}


def _write_attribution(workspace: Workspace, network: keras.Model, experiment: Experiment, path: Path) -> None:
    """Where the network looks on average: the mean of many test faces, and mean Grad-CAM of age and both classes."""
    rows = workspace.positions("test")
    pictures = np.asarray(workspace.pixels(experiment)[rows[:: max(1, len(rows) // ATTRIBUTION_FACES)]])
    head = workspace.age_head(experiment)
    batches = np.array_split(pictures, -(-len(pictures) // 32))
    heats = {task: [grad_cam(network, batch, task, head) for batch in batches] for task in (*HEADS, "male")}
    maps = {task: np.concatenate(parts).mean(axis=0).astype(np.float16) for task, parts in heats.items()}
    with replacing(path) as temporary:
        face = pictures.mean(axis=0).round().astype(np.uint8)  # nobody's, and fit to be shown
        np.savez_compressed(temporary, face=face, faces=len(pictures), **maps)


def save_halved(model: keras.Model, path: Path) -> None:
    """Writes a model's weights as half-precision numbers, compressed; Keras loads them like any others."""
    with replacing(path) as temporary, tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole.weights.h5")
        model.save_weights(whole)
        with h5py.File(whole) as source, h5py.File(temporary, "w", libver="latest") as target:
            source.visititems(lambda name, item: _copy(name, item, target))


def _copy(name: str, item: h5py.Group | h5py.Dataset, target: h5py.File) -> None:
    """Copies a data set of a weights file; floating-point numbers are halved, large sets packed."""
    if isinstance(item, h5py.Dataset):
        values = item[()]
        kind = np.float16 if np.issubdtype(values.dtype, np.floating) else values.dtype
        packing = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if values.nbytes > 16_000 else {}
        target.create_dataset(name, data=values.astype(kind), **packing)


def main() -> None:
    """Bundles a row of a run."""
    parser = data_parser(__doc__)
    parser.add_argument("row", help="such as 10_full_recipe")
    parser.add_argument("--all-faces", action="store_true", help="train its recipe on all faces")
    options = parser.parse_args()
    workspace = workspace_of(options)
    print(bundle(workspace, require_row(workspace, options.row), all_faces=options.all_faces).round(4).to_string())


if __name__ == "__main__":
    call(main)
