"""SUM, REDUCE_MAX, REDUCE_MIN, ARG_MAX, ARG_MIN, BATCH_MATMUL, L2_NORMALIZATION and CAST against the oracle."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from tests.kernels.many_ops import ZERO_POINTS, draw_scale, int8, int8_constant, prove, refusal
from tests.kernels.single_op import Node, TensorSpec, constant, options


def reduction(
    kind: str,
    shape: Sequence[int],
    axes: Sequence[int],
    keep: bool,
    source: TensorSpec | None = None,
    scale: float = 0.5,
    zero_point: int = 3,
) -> Node:
    reduced = {a % len(shape) for a in axes}
    output = tuple(1 if n in reduced else d for n, d in enumerate(shape) if keep or n not in reduced)
    source = source or TensorSpec(tuple(shape), scale=0.5, zero_point=3)
    return Node(
        kind,
        options("ReducerOptions", keepDims=keep),
        [source, constant(np.array(axes, np.int32))],
        [TensorSpec(output, scale=scale, zero_point=zero_point)],
    )


@pytest.mark.parametrize("kind", ["SUM", "REDUCE_MAX", "REDUCE_MIN"])
@pytest.mark.parametrize("keep", [True, False])
def test_each_subset_of_axes(kind: str, keep: bool) -> None:
    shape = (2, 3, 4, 5)
    subsets = [s for n in range(1, 5) for s in itertools.combinations(range(4), n)]
    prove([reduction(kind, shape, axes, keep) for axes in subsets], samples=2)


@pytest.mark.parametrize("seed", range(3))
def test_random_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    for _ in range(20):
        shape = tuple(int(d) for d in rng.integers(1, 8, rng.integers(1, 5)))
        axes = [int(a) for a in rng.integers(-len(shape), len(shape), rng.integers(1, 3))]
        source = int8(rng, shape)
        scale = float(np.float32(float(source.scale) * 10 ** rng.uniform(-1, 2)))  # type: ignore[arg-type]
        nodes.append(reduction("SUM", shape, axes, bool(rng.integers(2)), source, scale, int(rng.choice(ZERO_POINTS))))
    prove(nodes, seed=seed)


@pytest.mark.parametrize("kind", ["ARG_MAX", "ARG_MIN"])
def test_arg_extremes(kind: str) -> None:
    rng = np.random.default_rng(2)
    nodes = []
    for _ in range(12):
        shape = tuple(int(d) for d in rng.integers(1, 7, rng.integers(1, 5)))
        axis = int(rng.integers(-len(shape), len(shape)))
        output = tuple(d for n, d in enumerate(shape) if n != axis % len(shape))
        table = options("ArgMaxOptions" if kind == "ARG_MAX" else "ArgMinOptions", outputType=2)
        nodes.append(
            Node(kind, table, [int8(rng, shape), constant(np.array(axis, np.int32))], [TensorSpec(output, "int32")])
        )
    prove(nodes)


@pytest.mark.parametrize("adjoints", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("seed", range(2))
def test_batch_matmul(adjoints: tuple[bool, bool], seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    batches = [((), ()), ((3,), (3,)), ((2, 3), (2, 3)), ((2, 1), (2, 3)), ((1, 3), (2, 3)), ((2,), ()), ((1,), (1,))]
    for first, second in batches:
        m, k, n = (int(d) for d in rng.integers(1, 9, 3))
        shapes = [(*first, *((k, m) if adjoints[0] else (m, k))), (*second, *((n, k) if adjoints[1] else (k, n)))]
        a = int8(rng, shapes[0])
        b = int8_constant(rng, shapes[1]) if rng.integers(2) else int8(rng, shapes[1])
        natural = float(a.scale) * float(b.scale) * 60 * k**0.5  # type: ignore[arg-type]
        output = int8(
            rng, (*np.broadcast_shapes(first, second), m, n), float(np.float32(natural * rng.uniform(0.5, 4)))
        )
        nodes.append(
            Node("BATCH_MATMUL", options("BatchMatMulOptions", adjX=adjoints[0], adjY=adjoints[1]), [a, b], [output])
        )
    prove(nodes, seed=seed)


def test_l2_normalization() -> None:
    rng = np.random.default_rng(4)
    nodes = []
    for shape in [(1,), (7,), (4, 3), (2, 3, 5), (1, 2, 2, 64), (2, 300), (1, 2000)]:
        for zero_point in (-128, 0, 5, 127):
            source = TensorSpec(shape, scale=draw_scale(rng), zero_point=zero_point)
            nodes.append(
                Node("L2_NORMALIZATION", options("L2NormOptions"), [source], [TensorSpec(shape, scale=1 / 128)])
            )
    prove(nodes, samples=8)


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("int8", "int32"),
        ("int8", "float32"),
        ("bool", "int32"),
        ("bool", "float32"),
        ("int32", "float32"),
        ("bool", "int8"),
    ],
)
def test_casts(source: str, output: str) -> None:
    x, y = TensorSpec((3, 5), source), TensorSpec((3, 5), output)
    names = {"int8": 9, "int32": 2, "float32": 0, "bool": 6}
    cast = Node("CAST", options("CastOptions", inDataType=names[source], outDataType=names[output]), [x], [y])
    a, b = TensorSpec((4,), scale=0.5), TensorSpec((4,), scale=0.5)
    prove([cast, Node("RELU", None, [a], [b])])


def test_refusals() -> None:
    x = TensorSpec((4, 6), scale=0.5)
    axis = constant(np.array(2, np.int32))
    assert "quantized differently" in refusal(reduction("REDUCE_MAX", (4, 6), [0], True, scale=0.25))
    assert "overflows" in refusal(reduction("SUM", (4, 6), [0], True, scale=2.0**-24))
    assert "axis 2" in refusal(Node("ARG_MAX", None, [x, axis], [TensorSpec((4,), "int32")]))
    assert "output int64" in refusal(Node("ARG_MAX", None, [x, axis], [TensorSpec((4,), "int64")]))
    multiply = options("BatchMatMulOptions")
    assert "do not multiply" in refusal(Node("BATCH_MATMUL", multiply, [x, TensorSpec((4, 6), scale=0.1)], [x_like()]))
    assert "overflows" in refusal(
        Node("BATCH_MATMUL", multiply, [x, TensorSpec((6, 2), scale=0.1)], [TensorSpec((4, 2), scale=1e-9)])
    )
    assert "zero point 0" in refusal(Node("L2_NORMALIZATION", options("L2NormOptions"), [x], [x_like()]))
    assert "casts its bytes" in refusal(Node("CAST", None, [x], [TensorSpec((4, 6), "int32")]))
    assert "casts uint8 to int32" in refusal(
        Node("CAST", None, [TensorSpec((4, 6), "uint8")], [TensorSpec((4, 6), "int32")])
    )


def x_like() -> TensorSpec:
    return TensorSpec((4, 6), scale=0.5)
