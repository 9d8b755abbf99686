"""Outputs whose parts differ in size: boxes in pixels beside scores from 0 to 1, which one scale rounds to 0 or 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcugen.ops.common import fused_activation_name
from mcugen.tflite import fields as flat
from mcugen.tflite.joined import Joined
from mcugen.tflite.schema import type_name
from mcugen.tflite.schema_types import ModelT, OperatorT

_FAR = 16.0
"""Parts whose largest magnitudes are further apart lose four bits and more to the largest one."""
_MOST_COLUMNS = 64


@dataclass(frozen=True)
class Parts:
    """Where the parts of an output lie: `sizes` along `axis` of its shape. `layer` joins them."""

    axis: int
    sizes: tuple[int, ...]
    layer: str = ""

    def cut(self, values: NDArray[np.generic]) -> list[NDArray[np.generic]]:
        """The parts of values (N, *shape)."""
        return np.split(values, np.cumsum(self.sizes)[:-1], axis=self.axis + 1)

    def name(self, number: int, rank: int) -> str:
        """Where a part lies in an output of so many dimensions, as NumPy writes it: [..., 0:4]."""
        start = sum(self.sizes[:number])
        after = rank - self.axis - 1
        return f"[..., {start}:{start + self.sizes[number]}{', :' * after}]"


def output_parts(model: ModelT) -> tuple[Parts | None, ...]:
    """Per output of a float model: the tensors that its last op joins; None where it joins none."""
    main = model.subgraphs[0]
    found: list[Parts | None] = []
    for output in flat.ints(main.outputs):
        op = _join_of(model, output)
        parts = None
        if op is not None:
            axis = int(op.builtinOptions.axis) % len(flat.shape_of(main.tensors[output]))
            sizes = tuple(flat.shape_of(main.tensors[i])[axis] for i in flat.ints(op.inputs))
            parts = Parts(axis, sizes, flat.layer_of(flat.name_of(main.tensors[output], output)))
        found.append(parts)
    return tuple(found)


def far_apart(values: NDArray[np.generic], parts: Parts) -> bool:
    """Whether the parts of an output's values (N, *shape) need scales of their own."""
    sizes = [float(np.abs(part).max(initial=0)) for part in parts.cut(values)]
    known = [size for size in sizes if size > 0]
    return len(known) > 1 and max(known) > _FAR * min(known)


def columns(values: NDArray[np.generic]) -> Parts | None:
    """Runs of columns of an output's values (N, *shape) that are as large as its largest, and of those that are not."""
    if values.ndim < 2 or not 2 <= values.shape[-1] <= _MOST_COLUMNS or not values.size:
        return None
    sizes = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
    small = _FAR * sizes < sizes.max()
    edges = [0, *(np.flatnonzero(np.diff(small)) + 1).tolist(), len(small)]
    return Parts(values.ndim - 2, tuple(int(n) for n in np.diff(edges))) if len(edges) > 2 else None


def take_apart(model: ModelT, outputs: Sequence[NDArray[np.generic]]) -> tuple[tuple[Joined, ...], Mapping[int, int]]:
    """Make outputs of the parts of those outputs that need it, in place.

    Args:
        model: a float model, not merged.
        outputs: what its outputs are on samples, (N, *shape) each.

    Returns:
        The outputs as they were; and the new positions of the ops that stay, by the old ones.
    """
    main = model.subgraphs[0]
    ids: list[int] = []
    joined: list[Joined] = []
    gone: set[int] = set()
    for output, parts, values in zip(flat.ints(main.outputs), output_parts(model), outputs, strict=True):
        op = _join_of(model, output)
        name = flat.name_of(main.tensors[output], output)
        members = () if op is None else flat.ints(op.inputs)
        once = len(set(members)) == len(members) and not set(members) & {*ids, *flat.ints(main.outputs)}
        if op is None or parts is None or not once or not far_apart(values, parts):
            ids.append(output)
            joined.append(Joined(name, 0, 1))
            continue
        gone.add(id(op))
        ids += members
        joined.append(Joined(name, parts.axis, len(members)))
    if gone:
        main.outputs = np.array(ids, np.int32)
        model.signatureDefs = None  # they name outputs that are no more
    stay = [(n, op) for n, op in enumerate(main.operators) if id(op) not in gone]
    main.operators = [op for _, op in stay]
    return tuple(joined), {old: new for new, (old, _) in enumerate(stay)}


def _join_of(model: ModelT, output: int) -> OperatorT | None:
    """The op that joins an output, and only that, of tensors that ops compute."""
    main = model.subgraphs[0]
    for op in main.operators:
        if flat.ints(op.outputs) != (output,) or flat.kind_of(model, op) != "CONCATENATION":
            continue
        tensors = [main.tensors[i] for i in flat.ints(op.inputs)]
        computed = {i for other in main.operators for i in flat.ints(other.outputs)}
        plain = fused_activation_name(op.builtinOptions.fusedActivationFunction) == "NONE"
        read = any(output in flat.ints(other.inputs) for other in main.operators)
        if plain and not read and set(flat.ints(op.inputs)) <= computed and len(tensors) > 1:
            return op if all(type_name(t.type) == "float32" for t in tensors) else None
    return None
