"""Measures what each exported file costs, and how far its answers are from the bundled model's own.

Renews the ranges that int8 needs, beside the bundled weights, and `reference/exports.json`.
"""

import os
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import track

from utkface_mt.config import REFERENCE
from utkface_mt.data.pixels import read_picture
from utkface_mt.evaluation.metrics import paired_difference, predictions_table, score
from utkface_mt.experiments.workspace import Workspace
from utkface_mt.faces.export import AGE, FEMALE, INPUT, PRECISIONS, SUFFIXES, export_model, exported_graph, write_graph
from utkface_mt.faces.model import BATCH, FaceModel, load_model
from utkface_mt.faces.quantise import litert_quantizer, quantize_onnx, quietly, weights_of
from utkface_mt.model.weights import BUNDLED_MODEL
from utkface_mt.util.backend import tf
from utkface_mt.util.files import read_json, write_json
from utkface_mt.util.runtime import describe_machine

from .command import call, data_parser, rounded, workspace_of

CALIBRATION_FACES = 300
TIMED_CALLS = 50

Answers = dict[str, np.ndarray]


def measure_exports(workspace: Workspace) -> dict[str, Any]:
    """Writes every file and compares it with the bundled model on the test faces: what `exports.json` holds."""
    model = load_model()
    train = workspace.positions("train")
    measure_ranges(model, _crops(workspace, train[:: max(1, len(train) // CALIBRATION_FACES)]))
    faces, crops = workspace.part("test"), _crops(workspace, workspace.positions("test"))
    answers = model.predict(crops)
    reference = predictions_table(faces, answers[AGE].to_numpy(), answers[FEMALE].to_numpy())
    choices = [(to, precision) for to, precisions in PRECISIONS.items() for precision in precisions]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for to, precision in track(choices, "Exporting and comparing"):
            path = export_model(to, Path(temporary, f"{precision}{SUFFIXES[to]}"), precision)
            rows.append({"format": to, "precision": precision, **_compare(path, crops, reference, faces)})
    return {"machine": describe_machine(), "n_test": len(faces), "keras": score(reference), "rows": rows}


def measure_ranges(model: FaceModel, crops: np.ndarray) -> None:
    """Measures how far activations reach with training faces, uint8 `[n, 200, 200, 3]`, and keeps it by the weights."""
    with tempfile.TemporaryDirectory() as temporary, quietly():
        lite, onnx = (write_graph(exported_graph(model), to, Path(temporary)) for to in ("litert", "onnx"))
        batches = {"serving_default": [{INPUT: crop[None]} for crop in crops]}
        found = litert_quantizer(lite, "int8").calibrate(batches, num_threads=os.cpu_count() or 1)
        cache = Path(temporary, "ranges.json")
        quantize_onnx(onnx, onnx.with_name("int8.onnx"), cache, crops)
        reach = {name: {end: np.asarray(of[end]).tolist() for end in of} for name, of in found.items()}
        ranges = {"litert": reach, "onnx": read_json(cache)}
    for to, measured in ranges.items():
        described = {"faces": len(crops), "weights": weights_of(BUNDLED_MODEL), "ranges": measured}
        write_json(BUNDLED_MODEL / f"ranges-{to}.json", described)


def _crops(workspace: Workspace, positions: np.ndarray) -> np.ndarray:
    paths = workspace.faces["path"].iloc[positions]
    return np.stack([np.asarray(read_picture(workspace.dataset.folder, path)) for path in paths])


def _compare(path: Path, crops: np.ndarray, reference: pd.DataFrame, faces: pd.DataFrame) -> dict[str, Any]:
    run = open_exported(path)
    batches = [run(crops[first : first + BATCH]) for first in range(0, len(crops), BATCH)]
    answers = {name: np.concatenate([batch[name] for batch in batches]).astype(np.float64) for name in (AGE, FEMALE)}
    table = predictions_table(faces, answers[AGE], answers[FEMALE])
    paired = paired_difference(reference, table).loc["age_mae", ["difference", "low", "high"]]
    seconds = timeit.repeat(lambda: run(crops[:1]), number=1, repeat=TIMED_CALLS)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {
        "bytes": sum(file.stat().st_size for file in files),
        "milliseconds": round(1000 * median(seconds[TIMED_CALLS // 5 :]), 1),  # after some calls to warm up
        "age_max_difference": float((table[AGE] - reference[AGE]).abs().max().round(4)),
        "probability_max_difference": float((table[FEMALE] - reference[FEMALE]).abs().max().round(6)),
        **rounded(score(table)),
        "age_mae_difference": (paired.round(4) + 0.0).tolist(),  # no minus before a zero
    }


def open_exported(path: Path) -> Callable[[np.ndarray], Answers]:
    """Opens what `export_model` wrote: crops uint8 `[n, 200, 200, 3]` to `age` and `probability_female`, `[n]` each."""
    with quietly():
        return {".tflite": _litert, ".onnx": _onnx}.get(path.suffix, _saved_model)(path)


def _saved_model(path: Path) -> Callable[[np.ndarray], Answers]:
    loaded = tf.saved_model.load(str(path))
    return lambda crops: {name: value.numpy() for name, value in loaded.serve(tf.constant(crops)).items()}


def _litert(path: Path) -> Callable[[np.ndarray], Answers]:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path), num_threads=1).get_signature_runner()
    return lambda crops: {name: np.array(value) for name, value in runner(**{INPUT: crops}).items()}


def _onnx(path: Path) -> Callable[[np.ndarray], Answers]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda crops: dict(zip((AGE, FEMALE), session.run([AGE, FEMALE], {INPUT: crops}), strict=True))


def main() -> None:
    """Measures the exports with the faces the bundled model was trained and tested on."""
    write_json(REFERENCE / "exports.json", measure_exports(workspace_of(data_parser(__doc__).parse_args())))


if __name__ == "__main__":
    call(main)
