"""The table from which the reference interpolates sigmoid and tanh of int16 numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sigmoid_table() -> NDArray[np.uint16]:
    """uint16[256]: 2^16 · sigmoid(n / 24), as `sigmoid_table_uint16` has it.

    Between entries h apart a straight line falls short of a concave function, in the middle by h²/8 times its second
    derivative. The entries are raised by half of that, so that the error is as large above as below. The last one
    stands for everything beyond, and so is the largest number.
    """
    sigmoid = 1.0 / (1.0 + np.exp(-np.arange(256) / 24.0))
    bend = sigmoid * (1.0 - sigmoid) * (2.0 * sigmoid - 1.0)
    entries = np.floor(65536.0 * (sigmoid + bend / (24.0 * 24.0 * 16.0)) + 0.5)
    entries[-1] = 65535.0
    return entries.astype(np.uint16)
