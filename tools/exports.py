"""For maintainers: what each exported file costs, and how far its answers are from the model's own."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from utkface_mt.data.pixels import read_picture
from utkface_mt.util.runtime import describe_machine
from utkface_mt.evaluation.metrics import paired_difference, predictions_table, score
from utkface_mt.util.files import write_json
from utkface_mt.faces.model import BATCH, FaceModel, load_model
from utkface_mt.experiments.reference import REFERENCE
from utkface_mt.model.weights import BUNDLED_MODEL
from utkface_mt.experiments.workspace import Workspace
from utkface_mt.faces.export import PRECISIONS, SUFFIXES, export_model, write_graph
from utkface_mt.faces.export import AGE, FEMALE, exported_graph
from utkface_mt.faces.quantise import measure_ranges
from collections.abc import Callable
from pathlib import Path
import numpy as np
from utkface_mt.faces.export import AGE, FEMALE, INPUT
from utkface_mt.faces.quantise import quietly

CALIBRATION_FACES = 300
TIMED_CALLS = 50
EXPORTS = REFERENCE / "exports.json"


def measure_exports(workspace: Workspace, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Measures the ranges for int8, writes every file, and compares each with the bundled model on the test faces.

    Args:
        workspace: opened on UTKFace.
        progress: called with (done, total) after each file.

    Returns:
        What was written to `reference/exports.json`: `machine`, `n_test`, scores of the `keras` model, and `rows`
        with `format`, `precision`, `bytes`, `milliseconds` for one face on one processor, the largest differences
        `age_max_difference` in years and `probability_max_difference`, scores, and `age_mae_difference`, the paired
        difference to the bundled model with its 95 % interval.
    """
    model = load_model()
    _measure_ranges(workspace, model)
    faces = workspace.part("test")
    crops = _crops(workspace, workspace.positions("test"))
    answers = model.predict(list(crops))
    own = {AGE: answers["age"].to_numpy(), FEMALE: answers["probability_female"].to_numpy()}
    reference = predictions_table(faces, own[AGE], own[FEMALE])
    choices = [(to, precision) for to, precisions in PRECISIONS.items() for precision in precisions]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for to, precision in choices:
            path = export_model(to, Path(temporary, f"{precision}{SUFFIXES[to]}"), precision)
            row = _compare(path, crops, own, reference, faces)
            rows.append({"format": to, "precision": precision, **row})
            if progress:
                progress(len(rows), len(choices))
    report = {"machine": describe_machine(), "n_test": len(faces), "keras": score(reference), "rows": rows}
    write_json(EXPORTS, report)
    return report


def _measure_ranges(workspace: Workspace, model: FaceModel) -> None:
    positions = workspace.positions("train")
    crops = _crops(workspace, positions[:: max(1, len(positions) // CALIBRATION_FACES)])
    with tempfile.TemporaryDirectory() as temporary:
        for to in ("litert", "onnx"):
            path = write_graph(exported_graph(model), to, Path(temporary))
            measure_ranges(to, path, crops, BUNDLED_MODEL)


def _crops(workspace: Workspace, positions: np.ndarray) -> np.ndarray:
    paths = workspace.faces["path"].iloc[positions]
    return np.stack([np.asarray(read_picture(workspace.dataset.folder, path)) for path in paths])


def _compare(
    path: Path, crops: np.ndarray, own: Answers, reference: pd.DataFrame, faces: pd.DataFrame
) -> dict[str, Any]:
    run = open_exported(path)
    batches = [run(crops[first : first + BATCH]) for first in range(0, len(crops), BATCH)]
    answers = {name: np.concatenate([batch[name] for batch in batches]) for name in own}
    table = predictions_table(faces, answers[AGE].astype(np.float64), answers[FEMALE].astype(np.float64))
    paired = paired_difference(reference, table).loc["age_mae", ["difference", "low", "high"]]
    return {
        "bytes": _size(path),
        "milliseconds": round(_milliseconds(run, crops[:1]), 1),
        "age_max_difference": float(np.abs(answers[AGE] - own[AGE]).max().round(4)),
        "probability_max_difference": float(np.abs(answers[FEMALE] - own[FEMALE]).max().round(6)),
        **{name: round(value, 6) for name, value in score(table).items()},
        "age_mae_difference": (paired.round(4) + 0.0).tolist(),  # no minus before a zero
    }


def _size(path: Path) -> int:
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )


def _milliseconds(run: Callable[[np.ndarray], Answers], crop: np.ndarray) -> float:
    """The median time of one call, after some to warm up."""
    seconds = []
    for _ in range(TIMED_CALLS):
        started = time.perf_counter()
        run(crop)
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds[TIMED_CALLS // 5 :]))


Answers = dict[str, np.ndarray]


def open_exported(path: Path, threads: int = 1) -> Callable[[np.ndarray], Answers]:
    """Opens an exported model.

    Args:
        path: what `export_model` wrote: a folder, `.tflite` or `.onnx` file.
        threads: processors to use, for files.

    Returns:
        A function from crops, uint8 `[n, 200, 200, 3]`, to `age` and `probability_female`, float32 `[n]` each.
    """
    with quietly():
        if path.is_dir():
            return _saved_model(path)
        return _onnx(path, threads) if path.suffix == ".onnx" else _litert(path, threads)


def _saved_model(path: Path) -> Callable[[np.ndarray], Answers]:
    from utkface_mt.util.backend import tf

    loaded = tf.saved_model.load(str(path))
    return lambda crops: {name: value.numpy() for name, value in loaded.serve(tf.constant(crops)).items()}


def _litert(path: Path, threads: int) -> Callable[[np.ndarray], Answers]:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path), num_threads=threads).get_signature_runner()
    return lambda crops: {name: np.array(value) for name, value in runner(**{INPUT: crops}).items()}


def _onnx(path: Path, threads: int) -> Callable[[np.ndarray], Answers]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [AGE, FEMALE]
    return lambda crops: dict(zip(names, session.run(names, {INPUT: crops}), strict=True))
