"""Layers whose input is a constant: the reference computes them at every inference, and so do we."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcugen.ops.base import Target
from tests.kernels.case_sets import DSP, PORTABLE
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, constant, options

IMAGE = (1, 6, 5, 8)


def image(dtype: str) -> TensorSpec:
    rng = np.random.default_rng(5)
    limit = 127 if dtype == "int8" else 32767
    values = rng.integers(-limit, limit, IMAGE, endpoint=True).astype(dtype)
    return constant(values, 0.05, -5 if dtype == "int8" else 0)


def weights(*shape: int) -> TensorSpec:
    values = np.random.default_rng(6).integers(-127, 127, shape, endpoint=True).astype(np.int8)
    return constant(values, 0.01)


def layer(kind: str, dtype: str) -> tuple[str, Any, list[TensorSpec], TensorSpec]:
    def out(*shape: int) -> TensorSpec:
        return TensorSpec(shape, dtype, 0.4 if dtype == "int8" else 0.003, 3 if dtype == "int8" else 0)

    x = image(dtype)
    convolution = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    if kind == "CONV_2D":
        return kind, options("Conv2DOptions", **convolution), [x, weights(4, 3, 3, 8)], out(1, 6, 5, 4)
    if kind == "DEPTHWISE_CONV_2D":
        made = options("DepthwiseConv2DOptions", depthMultiplier=1, **convolution)
        return kind, made, [x, weights(1, 3, 3, 8)], out(*IMAGE)
    if kind == "FULLY_CONNECTED":
        return kind, options("FullyConnectedOptions"), [x, weights(4, 240)], out(1, 4)
    if kind == "TRANSPOSE_CONV":
        shape = constant(np.array([1, 12, 10, 4], np.int32))
        made = options("TransposeConvOptions", strideH=2, strideW=2)
        return kind, made, [shape, weights(4, 3, 3, 8), x], out(1, 12, 10, 4)
    return (
        kind,
        options("Pool2DOptions", strideH=1, strideW=1, filterHeight=2, filterWidth=2),
        [x],
        TensorSpec(IMAGE, dtype, x.scale, x.zero_point),
    )


KINDS = ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "MAX_POOL_2D", "AVERAGE_POOL_2D"]


@pytest.mark.parametrize("target", [PORTABLE, DSP], ids=["portable", "dsp"])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_the_reference(kind: str, dtype: str, target: Target) -> None:
    """What depends on a constant alone is added to a real input."""
    op, made, inputs, output = layer(kind, dtype)
    x = TensorSpec(output.shape, dtype, 0.05 if dtype == "int8" else 0.002)
    total = TensorSpec(output.shape, dtype, 0.5 if dtype == "int8" else 0.005)
    adding = Node("ADD", options("AddOptions", potScaleInt16=False), [x, output], [total])
    assert_bit_exact(build_graph([Node(op, made, inputs, [output]), adding], [total]), target=target, optimized=True)
