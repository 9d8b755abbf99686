"""What convolutions and fully connected layers refuse, and how they say it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mcugen.errors import McugenError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import TensorSpec, build_model, constant, options

WEIGHTS = constant(np.ones((4, 3, 3, 2), np.int8), [0.1] * 4)
BIAS = constant(np.zeros(4, np.int32), [0.01] * 4)
IMAGE = TensorSpec((1, 5, 5, 2), scale=0.1)
OUTPUT = TensorSpec((1, 5, 5, 4), scale=0.2)

DEPTHWISE_WEIGHTS = constant(np.ones((1, 3, 3, 4), np.int8), [0.1] * 4, axis=3)
DENSE_WEIGHTS = constant(np.ones((4, 50), np.int8), 0.1)
DENSE_OUTPUT = TensorSpec((1, 4), scale=0.2)


def refusal(inputs: list[TensorSpec | None], output: TensorSpec = OUTPUT, kind: str = "CONV_2D", **fields: Any) -> str:
    table = {
        "CONV_2D": "Conv2DOptions",
        "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
        "FULLY_CONNECTED": "FullyConnectedOptions",
    }[kind]
    given = {"strideH": 1, "strideW": 1, **fields} if kind != "FULLY_CONNECTED" else fields
    with pytest.raises(McugenError) as caught:
        make_plan(read_graph(build_model(kind, options(table, **given), inputs, [output])))
    assert f"op 0 {kind}" in str(caught.value) or caught.value.where.startswith("tensor ")
    return str(caught.value)


def test_the_base_model_is_accepted() -> None:
    for inputs in ([IMAGE, WEIGHTS, BIAS], [IMAGE, WEIGHTS, None], [IMAGE, WEIGHTS]):
        model = build_model("CONV_2D", options("Conv2DOptions", strideH=1, strideW=1), inputs, [OUTPUT])
        assert make_plan(read_graph(model)).macs == 25 * 4 * 18


def test_types() -> None:
    # The input's type decides what is demanded of the others.
    assert "is uint8, not int8" in refusal([replace(IMAGE, dtype="uint8"), WEIGHTS, BIAS])
    assert "is int8, not int16" in refusal([replace(IMAGE, dtype="int16"), WEIGHTS, BIAS])
    assert "not float32" in refusal([replace(IMAGE, dtype="float32", scale=None), WEIGHTS, BIAS])
    assert 'the filter "t1" is int16' in refusal([IMAGE, constant(np.ones((4, 3, 3, 2), np.int16), 0.1), BIAS])
    assert "the bias" in refusal([IMAGE, WEIGHTS, constant(np.zeros(4, np.int8), 0.1)])


def test_quantization() -> None:
    assert "has no quantization" in refusal([replace(IMAGE, scale=None), WEIGHTS, BIAS])
    assert "scale of zero" in refusal([IMAGE, WEIGHTS, BIAS], replace(OUTPUT, scale=0.0))
    assert "has 4 scales, but inputs and outputs have one" in refusal(
        [IMAGE, WEIGHTS, BIAS], replace(OUTPUT, scale=[0.1] * 4, zero_point=[0] * 4, axis=3)
    )
    assert 'the filter "t1" has no quantization' in refusal([IMAGE, replace(WEIGHTS, scale=None), BIAS])
    assert "zero point of 2, not 0" in refusal([IMAGE, replace(WEIGHTS, zero_point=[0, 0, 2, 0]), BIAS])
    along_width = replace(WEIGHTS, scale=[0.1] * 3, zero_point=[0] * 3, axis=2)
    assert "quantized along axis 2" in refusal([IMAGE, along_width, BIAS])
    assert "quantized along axis 1, its output channels lie along axis 0" in refusal(
        [TensorSpec((1, 50), scale=0.1), replace(DENSE_WEIGHTS, scale=[0.1] * 50, axis=1)],
        DENSE_OUTPUT,
        "FULLY_CONNECTED",
    )


def test_weights_must_be_constant() -> None:
    computed = TensorSpec((4, 3, 3, 2), scale=0.1)
    assert "the filter" in refusal([IMAGE, computed, BIAS])
    assert "the bias" in refusal([IMAGE, WEIGHTS, TensorSpec((4,), "int32", 0.01)])


def test_shapes() -> None:
    assert "output has shape [1, 4, 5, 4]" in refusal([IMAGE, WEIGHTS, BIAS], replace(OUTPUT, shape=(1, 4, 5, 4)))
    assert "one entry for each of 4" in refusal([IMAGE, WEIGHTS, constant(np.zeros(3, np.int32), 0.01)])
    assert "not an NHWC image" in refusal([replace(IMAGE, shape=(5, 5, 2)), WEIGHTS, BIAS])
    assert "into groups" in refusal([replace(IMAGE, shape=(1, 5, 5, 3)), WEIGHTS, BIAS])
    small = refusal([replace(IMAGE, shape=(1, 2, 5, 2)), WEIGHTS], replace(OUTPUT, shape=(1, 1, 3, 4)), padding=1)
    assert "larger than the input" in small
    far = refusal([IMAGE, WEIGHTS, BIAS], padding=0, dilationHFactor=1 << 30, dilationWFactor=1 << 30)
    assert "more than kernels can count" in far
    assert "below 1" in refusal([IMAGE, WEIGHTS, BIAS], strideH=0)
    assert "depth multiplier 3" in refusal(
        [IMAGE, DEPTHWISE_WEIGHTS, BIAS], kind="DEPTHWISE_CONV_2D", depthMultiplier=3
    )
    dense = [TensorSpec((1, 49), scale=0.1), DENSE_WEIGHTS]
    assert "rows of 50" in refusal(dense, DENSE_OUTPUT, "FULLY_CONNECTED")
    two_rows = [TensorSpec((2, 50), scale=0.1), DENSE_WEIGHTS]
    assert "do not give" in refusal(two_rows, DENSE_OUTPUT, "FULLY_CONNECTED")


def test_options() -> None:
    assert "activation is TANH" in refusal([IMAGE, WEIGHTS, BIAS], fusedActivationFunction=4)
    assert "shuffled" in refusal(
        [TensorSpec((1, 50), scale=0.1), DENSE_WEIGHTS], DENSE_OUTPUT, "FULLY_CONNECTED", weightsFormat=1
    )
    assert "too small for RELU6" in refusal(
        [IMAGE, WEIGHTS, BIAS], replace(OUTPUT, scale=1e-30), fusedActivationFunction=3
    )


def test_accumulators_that_could_overflow() -> None:
    huge = constant(np.full(4, (1 << 31) - 1, np.int32), 0.01)
    assert "accumulator can reach 2^31.0" in refusal([IMAGE, WEIGHTS, huge])
