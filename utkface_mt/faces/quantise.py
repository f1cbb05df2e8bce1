"""Half precision and integers for exported files, by the makers' own tools.

In integers, an activation is a whole number times a scale, and the scale follows from how far that activation reaches.
The ranges were measured on training faces and lie beside the weights, so that no face is needed to write a file.
The first three convolutions stay in floating point: rounding their few weights costs most of what integers cost.
"""

import contextlib
import itertools
import json
import logging
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..util.errors import UserError
from ..util.files import file_digest, read_json
from ..util.runtime import stderr_to
from .model import PARTS

INPUT = "crops"  # the graph's only input
_BACKBONE = ".*/backbone_.*"  # parts of the graph, by the names of their tensors
_FIRST = ".*/backbone_[^;]*(Conv1|expanded_conv)_.*"
_HEADS = ".*/age_and_gender_[^;]*/(age|gender)_[0-9]*/MatMul.*"
_PREPARE = ".*/prepare_.*"
_FIRST_CONVOLUTIONS = 3


def required_ranges(to: str, folder: Path) -> dict[str, Any]:
    """The ranges that int8 needs, as `make exports` wrote them; a `UserError` if there are none for these weights."""
    path = folder / f"ranges-{to}.json"
    measured = read_json(path) if path.exists() else {}
    if measured.get("weights") != weights_of(folder):
        raise UserError(
            f"The ranges of this model's activations were not measured for {to}, so that int8 cannot be written. "
            "Choose --precision float16."
        )
    return measured["ranges"]


def lower(to: str, precision: str, path: Path, ranges: dict[str, Any]) -> Path:
    """Writes a smaller file, `float16` or `int8`, beside the one in single precision at `path`, and returns it.

    The format `to` is `litert` or `onnx`; for `int8` it needs the `ranges` that `required_ranges` gave.
    """
    lowered = path.with_name(f"{precision}{path.suffix}")
    with quietly():
        if to == "litert":
            found = {name: {end: np.array(of[end], np.float32) for end in of} for name, of in ranges.items()}
            quiet = {"enable_progress_bar": False, "enable_progress_report": False}
            lowered.write_bytes(litert_quantizer(path, precision).quantize(found or None, **quiet).quantized_model)
        elif precision == "float16":
            import onnx
            from onnxruntime.transformers.float16 import convert_float_to_float16

            model = onnx.load(path)
            backbone, heads = _onnx_parts(model.graph)
            kept = [node.name for node in model.graph.node if node.name not in backbone + heads]
            onnx.save(convert_float_to_float16(model, keep_io_types=True, node_block_list=kept), lowered)
        else:
            cache = path.with_name("ranges.json")
            cache.write_text(json.dumps(ranges))
            quantize_onnx(path, lowered, cache)
    return lowered


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keeps what converters write past Python off the screen: progress bars, hints for their developers."""
    with warnings.catch_warnings(action="ignore"), stderr_to(os.devnull):
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def number_names(path: Path) -> None:
    """Numbers the names in an ONNX file anew, so that the convolutions have the same names every time.

    The converter goes on counting through all that a process converts, and ranges are found by name. Each kind of
    name is counted by itself: the convolutions follow each other, while other nodes change places from run to run.
    """
    import onnx

    model = onnx.load(path)
    numbers: dict = defaultdict(lambda: defaultdict(itertools.count().__next__))  # by kind and by old number

    def numbered(name: str) -> str:
        return re.sub(r"^(.*?__)(\d+)", lambda found: f"{found[1]}{numbers[found[1]][found[2]]}", name)

    for node in model.graph.node:
        node.name = numbered(node.name)
        node.input[:] = [numbered(name) for name in node.input]
        node.output[:] = [numbered(name) for name in node.output]
    for value in (*model.graph.initializer, *model.graph.value_info):
        value.name = numbered(value.name)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.save(model, path)


def weights_of(folder: Path) -> str:
    """What tells the weights in a folder from others."""
    return "-".join(file_digest(folder / f"{part}.weights.h5")[:16] for part in PARTS)


def litert_quantizer(path: Path, precision: str) -> Any:
    """Google's quantizer, told what becomes what; of several lines that fit a tensor the last counts."""
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer

    operations, casting = qtyping.TFLOperationName, algorithm_manager.AlgorithmName.FLOAT_CASTING
    made = quantizer.Quantizer(str(path))
    if precision == "float16":
        made.add_weight_only_config(".*", operations.ALL_SUPPORTED, num_bits=16, algorithm_key=casting)
        return made
    made.add_static_config(_BACKBONE, operations.ALL_SUPPORTED, activation_num_bits=8, weight_num_bits=8)
    made.add_weight_only_config(_FIRST, operations.ALL_SUPPORTED, num_bits=16, algorithm_key=casting)
    made.add_weight_only_config(_HEADS, operations.FULLY_CONNECTED, num_bits=8)
    made.add_weight_only_config(_PREPARE, operations.FULLY_CONNECTED, num_bits=16, algorithm_key=casting)
    return made


def _onnx_parts(graph: Any) -> tuple[list[str], list[str]]:
    """The names of the backbone's nodes, which alone has convolutions, and of those with the heads' weights."""
    backbone = [
        node.name
        for node in graph.node
        if node.op_type in ("Conv", "Clip", "Pad") or (node.op_type == "Add" and re.match(_BACKBONE, node.name))
    ]
    return backbone, [node.name for node in graph.node if re.match(_HEADS, node.name)]


def quantize_onnx(path: Path, lowered: Path, cache: Path, crops: Sequence[np.ndarray] = ()) -> None:
    """ONNX Runtime's static quantisation; ranges are read from `cache`, or measured on `crops` and written there."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static

    graph = onnx.load(path).graph
    backbone, heads = _onnx_parts(graph)
    first = [node.name for node in graph.node if node.op_type == "Conv"][:_FIRST_CONVOLUTIONS]
    batches = ({INPUT: crop[None]} for crop in crops)
    quantize_static(
        str(path),
        str(lowered),
        SimpleNamespace(get_next=lambda: next(batches, None)),  # a `CalibrationDataReader`
        nodes_to_quantize=[name for name in backbone if name not in first] + heads,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibration_cache_path=str(cache),
    )
