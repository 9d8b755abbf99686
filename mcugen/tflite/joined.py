"""Outputs of a quantized model that are parts of one output of the float model: kept in the file, as metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import ModelError
from mcugen.tflite.fields import output_specs
from mcugen.tflite.schema import load_schema, printable
from mcugen.tflite.schema_types import ModelT
from mcugen.tflite.types import TensorSpec

METADATA = "mcugen.output_parts"
_HINT = "The file is corrupted: quantize the model again"


@dataclass(frozen=True)
class Joined:
    """One output of the float model: `count` outputs of the quantized one, joined along `axis` of their shape."""

    name: str
    axis: int
    count: int


def read_joined(model: ModelT) -> tuple[Joined, ...]:
    """The float model's outputs, in order; one per output where nothing was taken apart.

    Raises:
        ModelError: metadata of this name that does not fit the outputs.
    """
    specs = output_specs(model.subgraphs[0])
    entry = next((m for m in model.metadata or () if printable(m.name) == METADATA), None)
    if entry is None:
        return tuple(Joined(spec.name, 0, 1) for spec in specs)
    data = model.buffers[entry.buffer].data
    try:
        listed = json.loads(b"" if data is None else np.asarray(data, np.uint8).tobytes())["outputs"]
        found = tuple(Joined(printable(str(each["name"])), int(each["axis"]), int(each["count"])) for each in listed)
        if any(each.count < 1 for each in found) or sum(each.count for each in found) != len(specs):
            raise ValueError(f"parts of {len(specs)} outputs are miscounted")
        for each, parts in zip(found, _groups(specs, found), strict=True):
            shapes = {(*s.shape[: each.axis], *s.shape[each.axis + 1 :]) for s in parts}
            within = each.count == 1 or 0 <= each.axis < min(len(s.shape) for s in parts)
            if not within or len(shapes) > 1:
                raise ValueError(f"the parts of {each.name} have other shapes")
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise ModelError(f"does not fit the outputs: {error}", where=f"metadata {METADATA}", hint=_HINT) from None
    return found


def write_joined(model: ModelT, joined: Sequence[Joined]) -> None:
    """Note in a model which of its outputs are parts of one, in place."""
    schema = load_schema()
    listed = [{"name": each.name, "axis": each.axis, "count": each.count} for each in joined]
    content = json.dumps({"outputs": listed}).encode()
    model.buffers.append(schema.BufferT(data=np.frombuffer(content, np.uint8)))
    entry = schema.MetadataT(name=METADATA, buffer=len(model.buffers) - 1)
    model.metadata = [*(m for m in model.metadata or () if printable(m.name) != METADATA), entry]


def joined_specs(model: ModelT) -> tuple[TensorSpec, ...]:
    """The float model's outputs. One that was taken apart is float32 here: its parts have scales of their own."""
    specs, found = output_specs(model.subgraphs[0]), []
    joined = read_joined(model)
    for each, parts in zip(joined, _groups(specs, joined), strict=True):
        if each.count == 1:
            found.append(parts[0])
            continue
        shape = list(parts[0].shape)
        shape[each.axis] = sum(part.shape[each.axis] for part in parts)
        found.append(TensorSpec(each.name, tuple(shape), "float32"))
    return tuple(found)


def join(outputs: Sequence[NDArray[Any]], model: ModelT) -> tuple[NDArray[Any], ...]:
    """Real values (N, *shape) of a model's outputs as those of the float model's."""
    joined = read_joined(model)
    return tuple(
        parts[0] if each.count == 1 else np.concatenate(parts, axis=each.axis + 1)
        for each, parts in zip(joined, _groups(outputs, joined), strict=True)
    )


def _groups(items: Sequence[Any], joined: Sequence[Joined]) -> list[Sequence[Any]]:
    """The items of each."""
    ends = np.cumsum([each.count for each in joined]).tolist()
    return [items[end - each.count : end] for each, end in zip(joined, ends, strict=True)]
