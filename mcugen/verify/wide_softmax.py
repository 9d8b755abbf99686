"""SOFTMAX over many classes in int8, as docs/NUMERICS.md says it: a witness where TensorFlow Lite Micro has none.

The reference's process stops at a row in which so many logits are nearly equal that their exponentials add up to 512
and more, which takes 512 classes. Elsewhere both compute the same, which tests/verify/test_wide_softmax.py shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.numerics.fixed_point import one_over_one_plus
from mcugen.numerics.tables import softmax_exp_table

MANY = 512
"""Classes from which on the reference may stop."""

NAME = f"mcugen's own reference of SOFTMAX over {MANY} and more classes, at which TensorFlow Lite Micro may stop"


def is_wide_softmax(graph: Graph, op: Op) -> bool:
    """An int8 SOFTMAX at which the reference may stop."""
    if op.kind != "SOFTMAX" or not op.inputs or not op.outputs:
        return False
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    int8 = source.dtype is DType.INT8 and output.dtype is DType.INT8
    return int8 and source.quant is not None and bool(source.shape) and source.shape[-1] >= MANY


def wide_softmax(logits: NDArray[np.int8], beta: float, scale: float) -> NDArray[np.int8]:
    """Probabilities with scale 1/256 and zero point −128, of the shape of `logits`, along the last axis.

    Args:
        beta, scale: of the op, and of the logits; float32.

    Raises:
        OverflowError: beta · scale is not above 2^-26, which the reference refuses.
    """
    table = softmax_exp_table(beta, scale).astype(np.int64)
    rows = logits.reshape(-1, logits.shape[-1]).astype(np.int64)
    distances = rows.max(axis=1, keepdims=True) - rows
    within = distances < len(table)
    exponentials = np.where(within, table[np.minimum(distances, len(table) - 1)], 0)
    result = np.empty(rows.shape, np.int8)
    for n, row in enumerate(exponentials):
        total = int(_rounded(row, 12).sum())  # Q12, at least 1 · 2^19
        zeros = 32 - total.bit_length()
        reciprocal = one_over_one_plus((total << zeros) - (1 << 31))
        shift = 12 - zeros + 31 - 8
        products = (reciprocal * row + (1 << 30)) >> 31
        scaled = _rounded(products, shift) if shift <= 31 else np.zeros_like(row)
        result[n] = np.minimum(scaled - 128, 127)
    return result.reshape(logits.shape)


def _rounded(values: NDArray[Any], exponent: int) -> NDArray[Any]:
    """values / 2^exponent of values from 0 upwards, rounded half up, as rounding half away from zero does there."""
    return (values + (1 << exponent >> 1)) >> exponent
