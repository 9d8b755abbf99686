"""Joins many one-op cases into one model, so that one compilation proves them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcugen.errors import UnsupportedOpError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, build_model

ZERO_POINTS = (-128, 127, 0, -1, 5, -77)


def draw_scale(rng: np.random.Generator, low: float = -3, high: float = 1) -> float:
    """A float32 scale, its exponent to base 10 uniform between the limits."""
    return float(np.float32(10.0 ** rng.uniform(low, high)))


def int8(rng: np.random.Generator, shape: Sequence[int], scale: float | None = None) -> TensorSpec:
    """An int8 tensor of a random scale (unless given) and zero point, extremes included."""
    zero_point = int(rng.choice(ZERO_POINTS))
    return TensorSpec(tuple(shape), scale=draw_scale(rng) if scale is None else scale, zero_point=zero_point)


def int8_constant(rng: np.random.Generator, shape: Sequence[int]) -> TensorSpec:
    data = rng.integers(-128, 128, tuple(shape), dtype=np.int64).astype(np.int8)
    return TensorSpec(tuple(shape), scale=draw_scale(rng), zero_point=int(rng.choice(ZERO_POINTS)), data=data)


def prove(nodes: Sequence[Node], samples: int = 4, seed: int = 0) -> None:
    """All nodes side by side in one model equal the oracle bit for bit."""
    assert_bit_exact(build_graph(nodes, [n.outputs[0] for n in nodes]), samples, seed=seed)


def refusal(node: Node) -> str:
    """The message with which a one-op model is refused."""
    model = build_model(node.op, node.options, node.inputs, node.outputs)
    try:
        make_plan(read_graph(model))
    except UnsupportedOpError as error:
        return str(error)
    raise AssertionError(f"{node.op} was not refused")
