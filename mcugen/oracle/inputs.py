"""Inputs to verify with when the user gives none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Tensor
from mcugen.ops.moving.gather import index_limit


def make_inputs(graph: Graph, samples: int, seed: int = 0) -> list[list[NDArray[Any]]]:
    """Seeded inputs that cover the whole range of the input type, the extremes among them.

    The first is uniformly random; the next are all lowest, all highest, all zero (the zero point), and lowest
    and highest in turn; the rest are random again, every other one in a narrow band around a random level, as
    real signals are. Inputs that ops take for indices stay within what can be picked. Float32 has no such limits:
    there the numbers are normally distributed, of standard deviation 1, the fourth is all zero, and every other one
    from the fifth on is larger or smaller.

    Returns:
        `samples` lists with one array per model input, in its shape and dtype.
    """
    generator = np.random.default_rng(seed)
    limits = {i: index_limit(graph, i) for i in graph.inputs}
    return [[_values(graph.tensor(i), n, generator, limits[i]) for i in graph.inputs] for n in range(samples)]


def _values(tensor: Tensor, number: int, generator: np.random.Generator, limit: int | None) -> NDArray[Any]:
    shape, dtype = tensor.shape, tensor.dtype
    if limit is not None:
        return generator.integers(0, limit, size=shape, endpoint=True).astype(dtype.numpy)
    if dtype is DType.FLOAT32:
        return _reals(shape, number, generator)
    if dtype is DType.BOOL:
        return generator.integers(0, 2, size=shape).astype(np.bool_)
    info = np.iinfo(dtype.numpy)
    low, high = int(info.min), int(info.max)
    if number == 1:
        return np.full(shape, low, dtype.numpy)
    if number == 2:
        return np.full(shape, high, dtype.numpy)
    if number == 3:
        return np.full(shape, tensor.zero_point if tensor.quant else 0, dtype.numpy)
    if number == 4:
        flat = np.where(np.arange(tensor.elements) % 2 == 0, low, high)
        return flat.astype(dtype.numpy).reshape(shape)
    if number > 4 and number % 2 == 0:
        width = (high - low) // 8
        level = int(generator.integers(low, high, endpoint=True))
        values = generator.integers(level - width, level + width, size=shape, endpoint=True)
        return np.clip(values, low, high).astype(dtype.numpy)
    return generator.integers(low, high, size=shape, endpoint=True).astype(dtype.numpy)


def _reals(shape: tuple[int, ...], number: int, generator: np.random.Generator) -> NDArray[np.float32]:
    scale = 1.0
    if number == 3:
        scale = 0.0
    elif number > 3 and number % 2 == 0:
        scale = 10.0 ** generator.uniform(-2, 1)
    return (scale * generator.normal(size=shape)).astype(np.float32)
