"""An explicit PAD folded into a convolution: the kernels with paddings that SAME never asks for."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.ops.common import Pads
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, constant, options
from tests.kernels.weighted_models import distinct, random_weights

PADS = {
    "one side each": (1, 0, 0, 1),
    "as Keras before stride 2": (0, 1, 0, 1),
    "wider than the filter": (4, 5, 7, 3),
    "windows outside altogether": (9, 9, 9, 9),
}


def padded_model(kind: str, pads: tuple[int, int, int, int], same: bool) -> bytes:
    """PAD, then a 3x2 convolution of stride 2 with six filters, or a depthwise one."""
    channels = 6 if kind == "CONV_2D" else 3
    image = TensorSpec((1, 5, 4, 3), scale=0.1, zero_point=-9)
    top, bottom, left, right = pads
    height, width = 5 + top + bottom, 4 + left + right
    amounts = constant(np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32))
    wide = TensorSpec((1, height, width, 3), scale=0.1, zero_point=-9)
    rows, columns = (-(-height // 2), -(-width // 2)) if same else ((height - 3) // 2 + 1, (width - 2) // 2 + 1)
    output = TensorSpec((1, rows, columns, channels), scale=6.0, zero_point=5)
    shared = {"padding": 0 if same else 1, "strideH": 2, "strideW": 2}
    if kind == "CONV_2D":
        weights, table = random_weights((channels, 3, 2, 3)), options("Conv2DOptions", **shared)
    else:
        weights = random_weights((1, 3, 2, channels))
        table = options("DepthwiseConv2DOptions", depthMultiplier=1, **shared)
    bias = constant(np.arange(channels, dtype=np.int32) * 1000 - 3000, 0.01)
    return build_graph(
        [
            Node("PAD", options("PadOptions"), [image, amounts], [wide]),
            Node(kind, table, [wide, constant(weights, 0.1, axis=0), bias], [output]),
        ],
        [output],
    )


@pytest.mark.parametrize("same", [False, True], ids=["valid", "same"])
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
@pytest.mark.parametrize("name", PADS)
def test_folded_padding(name: str, kind: str, same: bool) -> None:
    model = padded_model(kind, PADS[name], same)
    (op,) = optimize(read_graph(model)).ops
    assert op.kind == kind
    assert distinct(assert_bit_exact(model, optimized=True)) > 8


def test_pads_add_up() -> None:
    graph = optimize(read_graph(padded_model("CONV_2D", (1, 0, 0, 1), same=True)))
    # 6 x 5 padded to SAME for a 3x2 filter of stride 2: one row below, one column to the right.
    assert graph.ops[0].options.pads == Pads(1, 1, 0, 2)
    assert make_plan(graph).steps[0].calls[0].kernel == "mcg_conv_2d_s8"
