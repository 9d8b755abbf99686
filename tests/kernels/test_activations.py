"""RELU, RELU6, LOGISTIC and TANH against the oracle, over all 256 inputs and many scales."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.many_ops import ZERO_POINTS, draw_scale, prove, refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph

ALL_VALUES = np.arange(-128, 128, dtype=np.int8)
FIXED_OUTPUT = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
SCALES = [2.0**-28, 2.0**-20, 1e-5, 0.01, 1 / 16, 0.0625001, 0.1, 0.125, 0.5, 1.0, 2.0, 14.9, 15.0, 16.0, 1e4, 2.0**34]


def node(kind: str, scale: float, zero_point: int, output_scale: float = 0.0, output_zero_point: int = 0) -> Node:
    if kind == "RELU6":
        output_scale, output_zero_point = scale, zero_point
    elif kind in FIXED_OUTPUT:
        output_scale, output_zero_point = FIXED_OUTPUT[kind]
    source = TensorSpec((256,), scale=scale, zero_point=zero_point)
    return Node(kind, None, [source], [TensorSpec((256,), scale=output_scale, zero_point=output_zero_point)])


def prove_all_values(nodes: list[Node]) -> None:
    model = build_graph(nodes, [n.outputs[0] for n in nodes])
    assert_bit_exact(model, [[ALL_VALUES] * len(nodes)])


@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH", "RELU6"])
def test_chosen_scales(kind: str) -> None:
    scales = [s for s in SCALES if kind != "RELU6" or s > 1e-7]
    prove_all_values([node(kind, s, z) for s in scales for z in (-128, 0, 127)])


@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH", "RELU6", "RELU"])
@pytest.mark.parametrize("seed", range(2))
def test_random_scales(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    for _ in range(40):
        scale = draw_scale(rng, -5, 2)
        output_scale = float(np.float32(scale * 10 ** rng.uniform(-3, 3)))
        nodes.append(node(kind, scale, int(rng.choice(ZERO_POINTS)), output_scale, int(rng.choice(ZERO_POINTS))))
    prove_all_values(nodes)


@pytest.mark.parametrize("kind", ["RELU", "QUANTIZE"])
def test_ties_of_upscaling(kind: str) -> None:
    """Quotients of scales near k / (2x): input step x lands on a tie, and a float32 quotient shows."""
    rng = np.random.default_rng(6)
    nodes = []
    for _ in range(60):
        output_scale, x = draw_scale(rng), 2 * int(rng.integers(1, 10)) + 1
        scale = float(np.float32(output_scale * (2 * x + 1 + 2 * int(rng.integers(0, x))) / (2 * x)))
        nodes.append(node(kind, scale, int(rng.integers(-20, 20)), output_scale, int(rng.integers(-128, 0))))
    prove_all_values(nodes)


def test_ties_of_six() -> None:
    """6 / scale near k + 1/2, which float32 rounds to the tie."""
    scales = [float(np.float32(6 / (k + 0.5))) for k in range(1, 120)]
    prove_all_values([node("RELU6", s, 0) for s in scales])


def test_relu_left_shifts() -> None:
    prove_all_values([node("RELU", 1.0, z, 2.0**-22, 3) for z in (-127, 0, 126)])


def test_any_rank() -> None:
    prove(
        [
            Node("RELU", None, [TensorSpec(shape, scale=0.5)], [TensorSpec(shape, scale=0.25, zero_point=-9)])
            for shape in [(), (1,), (2, 3), (2, 1, 3, 2, 2)]
        ]
    )


def test_in_place() -> None:
    """A chain of tables needs the memory of one tensor."""
    x = TensorSpec((64,), scale=0.1, zero_point=3)
    y = TensorSpec((64,), scale=0.05, zero_point=-60)
    z = TensorSpec((64,), scale=1 / 128)
    model = build_graph([Node("RELU", None, [x], [y]), Node("TANH", None, [y], [z])], [z])
    assert make_plan(read_graph(model)).arena_bytes == 64
    assert_bit_exact(model, 4)


def test_refusals() -> None:
    assert "scale is 0.01" in refusal(_with_output("LOGISTIC", 0.01, -128))
    assert "zero point 0" in refusal(_with_output("LOGISTIC", 1 / 256, 0))
    assert "zero point 1" in refusal(_with_output("TANH", 1 / 128, 1))
    assert "quantized differently" in refusal(_with_output("RELU6", 0.05, 0))
    assert "out of range" in refusal(_with_output("RELU", 1e-30, 0))
    assert "out of range" in refusal(node("LOGISTIC", 2.0**-29, 0))
    assert "out of range" in refusal(node("TANH", 2.0**35, 0))
    assert "out of range" in refusal(node("RELU6", 1e-12, 0))
    assert "is uint8" in refusal(Node("RELU", None, [TensorSpec((4,), "uint8", 0.1)], [TensorSpec((4,), "uint8", 0.1)]))
    assert "shape" in refusal(Node("RELU", None, [TensorSpec((4,), scale=0.1)], [TensorSpec((2, 2), scale=0.1)]))


def _with_output(kind: str, scale: float, zero_point: int) -> Node:
    source = TensorSpec((256,), scale=0.1, zero_point=0)
    return Node(kind, None, [source], [TensorSpec((256,), scale=scale, zero_point=zero_point)])
