"""In which units a quantized model takes its features: kept in the file, as metadata that runtimes do not look at."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mcugen.errors import ModelError
from mcugen.graph.types import Units
from mcugen.tflite.schema import load_schema, printable, type_name
from mcugen.tflite.schema_types import ModelT, TensorT

METADATA = "mcugen.input_units"
_TYPES = ("int8", "int16")
_HINT = "The file is corrupted: quantize the model again"


def read_units(model: ModelT) -> tuple[Units | None, ...]:
    """Per input of the model, the units of its features; None where it takes what its scale says.

    Raises:
        ModelError: metadata of this name that does not fit the inputs.
    """
    main = model.subgraphs[0]
    tensors = [main.tensors[int(i)] for i in (main.inputs if main.inputs is not None else ())]
    entry = next((m for m in model.metadata or () if printable(m.name) == METADATA), None)
    if entry is None:
        return (None,) * len(tensors)
    data = model.buffers[entry.buffer].data
    try:
        listed = json.loads(b"" if data is None else np.asarray(data, np.uint8).tobytes())["inputs"]
        if len(listed) != len(tensors):
            raise ValueError(f"{len(listed)} entries for {len(tensors)} inputs")
        return tuple(_read(given, tensor) for given, tensor in zip(listed, tensors, strict=True))
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise ModelError(f"does not fit the inputs: {error}", where=f"metadata {METADATA}", hint=_HINT) from None


def write_units(model: ModelT, units: Sequence[Units | None]) -> None:
    """Note in a model the units of its inputs' features, in place."""
    if not any(units):
        return
    schema = load_schema()
    listed = [None if given is None else {"offset": given.offset, "size": given.size} for given in units]
    content = json.dumps({"inputs": listed}, allow_nan=False).encode()
    model.buffers.append(schema.BufferT(data=np.frombuffer(content, np.uint8)))
    entry = schema.MetadataT(name=METADATA, buffer=len(model.buffers) - 1)
    model.metadata = [*(m for m in model.metadata or () if printable(m.name) != METADATA), entry]


def _read(given: Any, tensor: TensorT) -> Units | None:
    if given is None:
        return None
    offset, size = (np.asarray(given[key], np.float64) for key in ("offset", "size"))
    elements = math.prod(int(d) for d in (tensor.shape if tensor.shape is not None else ()))
    scales = tensor.quantization.scale if tensor.quantization is not None else None
    if type_name(tensor.type) not in _TYPES or scales is None or len(scales) != 1:
        raise ValueError("the input is not quantized")
    if offset.ndim != 1 or offset.shape != size.shape or not len(size) or elements % len(size):
        raise ValueError(f"{offset.size} offsets and {size.size} sizes for {elements} values")
    with np.errstate(over="ignore", under="ignore"):
        narrow = offset.astype(np.float32), size.astype(np.float32)
        steps = np.abs(narrow[1] * np.float32(scales[0]))
    normal = np.isfinite(steps) & (steps >= np.finfo(np.float32).tiny)
    if not np.isfinite(narrow[0]).all() or not normal.all():
        raise ValueError("a number that float32 cannot hold")
    return Units(tuple(map(float, narrow[0])), tuple(map(float, narrow[1])))
