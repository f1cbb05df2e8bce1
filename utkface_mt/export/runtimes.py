"""Running what was exported, as its users would: LiteRT, ONNX Runtime, TensorFlow."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .graph import AGE, FEMALE, INPUT
from .precision import quietly

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
    from ..backend import tf

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
