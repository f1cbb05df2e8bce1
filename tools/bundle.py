"""For maintainers: turns a trained row into the model that comes with the package."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from utkface_mt.util.backend import keras
from utkface_mt.util.errors import UserError
from utkface_mt.evaluation.calibration import AgeInterval, GenderCalibration
from utkface_mt.evaluation.explain import TASKS, average_grad_cam, mean_face
from utkface_mt.evaluation.metrics import score
from utkface_mt.experiments.run import load_network, predict_part
from utkface_mt.util.files import file_digest, replacing, write_json
from utkface_mt.faces.model import PARTS, heads_of
from utkface_mt.model.weights import BUNDLED_MODEL
from utkface_mt.experiments.results import Result
from utkface_mt.experiments.workspace import Workspace

LARGEST = 6_000_000  # bytes of both weight files
ATTRIBUTION_FACES = 500  # in the mean face: so many that it is nobody's


def bundle(workspace: Workspace, result: Result, folder: Path = BUNDLED_MODEL) -> pd.DataFrame:
    """Writes a row's weights in half precision, with what is needed to use them.

    The weights are rounded first, and the interval and the calibration are fitted to what the rounded network
    predicts on the calibration faces.

    Args:
        workspace: the run that trained the row.
        result: the row.
        folder: where `model.json` and the two weight files go.

    Returns:
        Scores on the validation faces before and after rounding, a column each.

    Raises:
        UserError: if the files are larger than the package should carry, or a weight has no half-precision value.
    """
    network = load_network(workspace, result)
    before = predict_part(workspace, network, result.experiment, "validation")
    _round(network)
    after = predict_part(workspace, network, result.experiment, "validation")
    calibration = predict_part(workspace, network, result.experiment, "calibration")
    models = {"backbone": network.get_layer("backbone"), "heads": heads_of(network)}
    for part in PARTS:
        with replacing(folder / f"{part}.weights.h5") as temporary:
            models[part].save_weights(temporary)
            _halve(temporary)
    size = sum((folder / f"{part}.weights.h5").stat().st_size for part in PARTS)
    if size > LARGEST:
        raise UserError(f"The weights take {size / 1e6:.1f} MB; the package carries at most {LARGEST / 1e6:.0f} MB.")
    described = {
        "row": result.row,
        "seed": result.experiment.seed,
        "experiment": result.experiment.to_dict(),
        "age_scale": {"mean": workspace.scale.mean, "deviation": workspace.scale.deviation},
        "interval_half_width": AgeInterval.fit(calibration).half_width,
        "calibration_slope": GenderCalibration.fit(calibration).slope,
        "sha256": {part: file_digest(folder / f"{part}.weights.h5") for part in PARTS},
        "bytes": size,
    }
    write_json(folder / "model.json", described)
    _write_attribution(workspace, network, result, folder / "attribution.npz")
    return pd.DataFrame({"single precision": score(before), "half precision": score(after)})


def _write_attribution(workspace: Workspace, network: keras.Model, result: Result, path: Path) -> None:
    """Where the network looks on average: the mean of many test faces, and the mean Grad-CAM map of each task."""
    rows = workspace.positions("test")[:: max(1, len(workspace.positions("test")) // ATTRIBUTION_FACES)]
    pictures = np.asarray(workspace.pixels(result.experiment)[rows])
    maps = {task: average_grad_cam(network, pictures, task, result.experiment) for task in TASKS}
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            face=mean_face(pictures),
            faces=len(pictures),
            **{task: heat.astype(np.float16) for task, heat in maps.items()},
        )


def _round(network: keras.Model) -> None:
    """Rounds every weight to half precision.

    Raises:
        UserError: if one is too large for it.
    """
    rounded = [np.asarray(weight, np.float16).astype(np.float32) for weight in network.get_weights()]
    if not all(np.isfinite(weight).all() for weight in rounded):
        raise UserError("A weight is too large for half precision; train the row again with weight decay.")
    network.set_weights(rounded)


def _halve(path: Path) -> None:
    """Rewrites a weights file with half-precision numbers, compressed."""
    smaller = path.with_name(f"half-{path.name}")
    with h5py.File(path) as source, h5py.File(smaller, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            made = target.require_group(name) if isinstance(item, h5py.Group) else None
            if made is None:
                values = item[()]
                kind = np.float16 if np.issubdtype(values.dtype, np.floating) else values.dtype
                packing = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if values.ndim else {}
                made = target.create_dataset(name, data=values.astype(kind), **packing)
            for key, value in item.attrs.items():
                made.attrs[key] = value

        for key, value in source.attrs.items():
            target.attrs[key] = value
        source.visititems(copy)
    shutil.move(smaller, path)
