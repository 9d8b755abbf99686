"""What layers with a state share: rows of weights in fours, and kernels that differ in their products alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PRODUCTS_BOUND = (1 << 31) - 1
"""What an accumulator may reach."""

_ROWS = 4


def rows_in_fours(rows: NDArray[Any]) -> NDArray[Any]:
    """[rows, depth] with rows of zeros up to a multiple of four."""
    missing = -rows.shape[0] % _ROWS
    return np.concatenate([rows, np.zeros((missing, rows.shape[1]), rows.dtype)])
