"""When a result counts as the oracle's: equal bytes, or for what is computed in float32 nearly equal numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op

RELATIVE = 1e-5
ABSOLUTE = 1e-6
"""|device − oracle| may be ABSOLUTE + RELATIVE · |oracle|. C libraries round exp, tanh and the like differently."""

_MOVES = frozenset(
    {
        "ASSIGN_VARIABLE",
        "BATCH_TO_SPACE_ND",
        "BROADCAST_TO",
        "CONCATENATION",
        "DEPTH_TO_SPACE",
        "DYNAMIC_UPDATE_SLICE",
        "EMBEDDING_LOOKUP",
        "EXPAND_DIMS",
        "FILL",
        "GATHER",
        "GATHER_ND",
        "MIRROR_PAD",
        "PACK",
        "PAD",
        "PADV2",
        "READ_VARIABLE",
        "RESHAPE",
        "RESIZE_NEAREST_NEIGHBOR",
        "REVERSE_V2",
        "SELECT_V2",
        "SHAPE",
        "SLICE",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TRANSPOSE",
        "UNPACK",
        "ZEROS_LIKE",
    }
)
"""Operators that leave float32 values as they are."""


@dataclass(frozen=True)
class Difference:
    """How a result differs from the oracle's.

    Attributes:
        same_bits: no byte differs.
        accepted: it counts as equal.
        differing: elements that do not count as equal.
        max_abs_diff: largest difference; infinite where one of the two alone is infinite or NaN.
        worst: largest difference as a part of what is allowed; 0 where bytes are compared.
    """

    same_bits: bool
    accepted: bool
    differing: int
    max_abs_diff: float
    worst: float


def compare(got: NDArray[Any], want: NDArray[Any], *, tolerant: bool) -> Difference:
    """A result against the oracle's.

    Args:
        tolerant: both are float32, and nearly equal numbers count as equal. Infinities and NaN count as equal to
            themselves alone.
    """
    if got.shape != want.shape or got.dtype != want.dtype:
        raise AssertionError(f"outputs {got.dtype}{got.shape} and {want.dtype}{want.shape} cannot be compared")
    if got.tobytes() == want.tobytes():
        return Difference(True, True, 0, 0.0, 0.0)
    a, b = got.astype(np.float64), want.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):  # infinity less itself, which is the same
        distance = np.where(same, 0.0, np.abs(a - b))
    distance[np.isnan(distance)] = np.inf
    largest = float(distance.max())
    if not tolerant:
        # Also where numbers are equal and bytes are not, as with 0.0 and -0.0.
        differing = _differing_bytes(got, want)
        return Difference(False, False, differing, largest, 0.0)
    allowed = ABSOLUTE + RELATIVE * np.abs(np.where(np.isfinite(b), b, 0.0))
    parts = distance / allowed
    differing = int(np.count_nonzero(parts > 1.0))
    return Difference(False, differing == 0, differing, largest, float(parts.max()))


def _differing_bytes(got: NDArray[Any], want: NDArray[Any]) -> int:
    """Elements of which any byte differs."""
    rows = (np.ascontiguousarray(array).reshape(array.size, 1).view(np.uint8) for array in (got, want))
    first, second = rows
    return int(np.count_nonzero((first != second).any(axis=1)))


def tolerant_tensors(graph: Graph) -> frozenset[int]:
    """The float32 tensors that depend on arithmetic in float32.

    Those of a quantized model that are only dequantized and moved are not among them: their bytes must be equal.
    """
    found: set[int] = set()
    computes = any(_computes(graph, op) for op in graph.ops)
    for op in graph.ops:
        if not (_computes(graph, op) or found.intersection(op.inputs) or (computes and op.kind == "READ_VARIABLE")):
            continue
        found.update(i for i in op.outputs if graph.tensor(i).dtype is DType.FLOAT32)
    return frozenset(found)


def _computes(graph: Graph, op: Op) -> bool:
    return op.kind not in _MOVES and _any_float(graph, op.inputs) and _any_float(graph, op.outputs)


def _any_float(graph: Graph, ids: Iterable[int]) -> bool:
    return any(i >= 0 and graph.tensor(i).dtype is DType.FLOAT32 for i in ids)
