"""The table from which the reference interpolates sigmoid and tanh of int16 numbers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_ONE_MORE = (
    4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43, 44, 45, 46, 49,
    50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255,
)  # fmt: skip
"""Entries that are one more in the reference's table than the rounded values."""


def sigmoid_table() -> NDArray[np.uint16]:
    """uint16[256]: 2^16 · sigmoid(n / 24), as `sigmoid_table_uint16` has it."""
    exact = [1.0 / (1.0 + math.exp(-n / 24)) for n in range(256)]
    table = np.array([math.floor(value * 65536 + 0.5) for value in exact], np.uint16)
    table[list(_ONE_MORE)] += 1
    return table
