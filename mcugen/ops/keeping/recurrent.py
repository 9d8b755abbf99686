"""What layers with a state share: rows of weights in fours, and kernels that differ in their products alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.ops.base import Constant, KernelCall

PRODUCTS_BOUND = (1 << 31) - 1
"""What an accumulator may reach."""

_ROWS = 4


def rows_in_fours(rows: NDArray[Any]) -> NDArray[Any]:
    """[rows, depth] with rows of zeros up to a multiple of four."""
    missing = -rows.shape[0] % _ROWS
    return np.concatenate([rows, np.zeros((missing, rows.shape[1]), rows.dtype)])


def by_dsp(call: KernelCall) -> KernelCall:
    """The same call with the products of mcg_four_rows_s8_dsp.h: rows of whole words, those of four side by side.

    The weights that it is about are the constants `<name>_weights` whose rows a parameter `<name>_row` describes.
    """
    params = dict(call.params)
    constants = []
    for constant in call.constants:
        row = constant.role.replace("_weights", "_row")
        if row != constant.role and row in params:
            values = _side_by_side(constant.values.reshape(-1, constant.values.shape[-1]))
            params[row] = values.shape[1]
            constant = Constant(constant.role, values, f"{constant.note}; words of four rows side by side")
        constants.append(constant)
    return replace(
        call,
        kernel=f"{call.kernel}_dsp",
        params=tuple(params.items()),
        constants=tuple(constants),
        variant="dsp",
    )


def _side_by_side(rows: NDArray[Any]) -> NDArray[Any]:
    """[rows, bytes of whole words], the words of every four rows in turn."""
    count, depth = rows.shape
    words = -(-depth // 4)
    padded = np.zeros((count, words * 4), rows.dtype)
    padded[:, :depth] = rows
    in_turn = padded.reshape(-1, _ROWS, words, 4).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(in_turn).reshape(count, words * 4)
