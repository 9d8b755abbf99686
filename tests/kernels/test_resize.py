"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR against the oracle: growing, shrinking, every alignment."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.many_ops import prove, refusal
from tests.kernels.single_op import Node, TensorSpec, constant, options

SIZES = [(1, 1), (1, 5), (2, 4), (3, 6), (3, 7), (4, 2), (5, 3), (7, 5), (6, 1), (10, 23), (13, 4)]
ALIGNMENTS = [(False, False), (True, False), (False, True)]


def node(kind: str, height: tuple[int, int], width: tuple[int, int], alignment: tuple[bool, bool], dtype: str) -> Node:
    quant = {"scale": 0.5, "zero_point": -7} if dtype == "int8" else {}
    x = TensorSpec((2, height[0], width[0], 3), dtype, **quant)  # type: ignore[arg-type]
    y = TensorSpec((2, height[1], width[1], 3), dtype, **quant)  # type: ignore[arg-type]
    table = "ResizeBilinearOptions" if kind == "RESIZE_BILINEAR" else "ResizeNearestNeighborOptions"
    opts = options(table, alignCorners=alignment[0], halfPixelCenters=alignment[1])
    return Node(kind, opts, [x, constant(np.array([height[1], width[1]], np.int32))], [y])


@pytest.mark.parametrize("alignment", ALIGNMENTS)
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("RESIZE_BILINEAR", "int8"), *(("RESIZE_NEAREST_NEIGHBOR", d) for d in ("int8", "int16", "float32"))],
)
def test_sizes(kind: str, dtype: str, alignment: tuple[bool, bool]) -> None:
    prove([node(kind, h, SIZES[-1 - n], alignment, dtype) for n, h in enumerate(SIZES)])


@pytest.mark.parametrize("kind", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
def test_random_sizes(kind: str) -> None:
    rng = np.random.default_rng(3)
    nodes = []
    for _ in range(20):
        sizes = [(int(a), int(b)) for a, b in rng.integers(1, 24, (2, 2))]
        nodes.append(node(kind, sizes[0], sizes[1], ALIGNMENTS[int(rng.integers(3))], "int8"))
    prove(nodes)


def test_both_alignments_of_nearest() -> None:
    prove([node("RESIZE_NEAREST_NEIGHBOR", (3, 7), (5, 2), (True, True), "int8")])


def test_refusals() -> None:
    good = node("RESIZE_BILINEAR", (2, 4), (2, 4), (False, False), "int8")
    assert "both kinds" in refusal(node("RESIZE_BILINEAR", (2, 4), (2, 4), (True, True), "int8"))
    assert "computed by the model" in refusal(
        Node(good.op, good.options, [good.inputs[0], TensorSpec((2,), "int32")], good.outputs)
    )
    wrong = constant(np.array([4, 5], np.int32))
    assert "is expected" in refusal(Node(good.op, good.options, [good.inputs[0], wrong], good.outputs))
    assert "quantized differently" in refusal(
        Node(good.op, good.options, good.inputs, [TensorSpec((2, 4, 4, 3), scale=0.25, zero_point=-7)])
    )
