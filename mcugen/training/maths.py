"""exp and log of float32 in a fixed order of float32 operations, so that C gives the same bits.

The polynomials are those of the Cephes library (S. Moshier, expf and logf).
`firmware/train/mcg_train_maths.h` does the same, operation by operation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_F = np.float32
Floats = NDArray[np.float32]

_LOG2E, _LN2_HIGH, _LN2_LOW = _F(1.44269504), _F(0.693359375), _F(-2.12194440e-4)
_EXP = tuple(
    _F(c)
    for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_LOG = tuple(
    _F(c)
    for c in (
        7.0376836292e-2,
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    )
)
_SQRT_HALF = _F(0.70710678)
_LOWEST = _F(-87.0)


def exp(x: Floats) -> Floats:
    """e^x for x ≤ 0; 0 below −87, where float32's normal numbers end. NaN stays NaN."""
    low = ~(x >= _LOWEST)
    safe = np.where(low, _F(0), x)
    n = np.trunc(safe * _LOG2E - _F(0.5))
    r = safe - n * _LN2_HIGH
    r = r - n * _LN2_LOW
    y = np.full_like(r, _EXP[0])
    for c in _EXP[1:]:
        y = y * r + c
    y = y * (r * r) + r
    y = y + _F(1)
    y = y * ((n.astype(np.int32) + 127) << 23).view(np.float32)
    return np.where(low, np.where(np.isnan(x), x, _F(0)), y).astype(np.float32)


def log(x: Floats) -> Floats:
    """ln x of positive normal numbers."""
    bits = x.view(np.int32)
    n = ((bits >> 23) - 126).astype(np.float32)
    m = ((bits & 0x007FFFFF) | 0x3F000000).view(np.float32)  # [0.5, 1)
    low = m < _SQRT_HALF
    n = np.where(low, n - _F(1), n)
    r = np.where(low, (m + m) - _F(1), m - _F(1))
    z = r * r
    y = np.full_like(r, _LOG[0])
    for c in _LOG[1:]:
        y = y * r + c
    y = y * r
    y = y * z
    y = y + n * _LN2_LOW
    y = y - _F(0.5) * z
    y = r + y
    made: Floats = (y + n * _LN2_HIGH).astype(np.float32)
    return made


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + e^−x)."""
    e = exp(-np.abs(x))
    made: Floats = (np.where(x >= 0, _F(1), e) / (_F(1) + e)).astype(np.float32)
    return made
