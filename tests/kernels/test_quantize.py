"""QUANTIZE and DEQUANTIZE against the oracle, float operations included."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.graph.types import DType, Quantization, Tensor
from mcugen.numerics import affine
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.many_ops import ZERO_POINTS, draw_scale, prove, refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, build_model

BYTES = {"int8": np.arange(-128, 128, dtype=np.int8), "uint8": np.arange(256, dtype=np.uint8)}


def byte_tensor(rng: np.random.Generator, dtype: str, scale: float) -> TensorSpec:
    zero_point = int(rng.choice(ZERO_POINTS)) + (128 if dtype == "uint8" else 0)
    return TensorSpec((256,), dtype, scale, zero_point)


@pytest.mark.parametrize("pair", [("int8", "int8"), ("int8", "uint8"), ("uint8", "int8")])
def test_between_bytes(pair: tuple[str, str]) -> None:
    rng = np.random.default_rng(0)
    nodes = []
    for n in range(40):
        scale = draw_scale(rng)
        output_scale = scale if n % 4 == 0 else float(np.float32(scale * 10 ** rng.uniform(-3, 3)))
        nodes.append(
            Node("QUANTIZE", None, [byte_tensor(rng, pair[0], scale)], [byte_tensor(rng, pair[1], output_scale)])
        )
    assert_bit_exact(build_graph(nodes, [n.outputs[0] for n in nodes]), [[BYTES[pair[0]]] * len(nodes)])


@pytest.mark.parametrize("pair", [("int8", "uint8", 0, 128), ("uint8", "int8", 128, 0)])
def test_flipped_sign_bit(pair: tuple[str, str, int, int]) -> None:
    node = Node(
        "QUANTIZE", None, [TensorSpec((256,), pair[0], 0.1, pair[2])], [TensorSpec((256,), pair[1], 0.1, pair[3])]
    )
    assert_bit_exact(build_model(node.op, None, node.inputs, node.outputs), [[BYTES[pair[0]]]])


def halves(scale: float, zero_point: int) -> np.ndarray:  # type: ignore[type-arg]
    """Reals on, just below and just above every rounding boundary, and far outside the range."""
    steps = np.arange(-130, 130, dtype=np.float32) + np.float32(0.5) - np.float32(zero_point)
    at = (steps * np.float32(scale)).astype(np.float32)
    far = np.array([0.0, -0.0, 1e6, -1e6, 1e-30, -1e-30, 1e-42], np.float32) * np.float32(scale)
    return np.concatenate([at, np.nextafter(at, np.float32(1e9)), np.nextafter(at, np.float32(-1e9)), far])


@pytest.mark.parametrize("seed", range(2))
def test_from_float(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes, sample = [], []
    for _ in range(20):
        scale, zero_point = draw_scale(rng, -6, 4), int(rng.choice(ZERO_POINTS))
        values = halves(scale, zero_point)
        nodes.append(
            Node(
                "QUANTIZE",
                None,
                [TensorSpec(values.shape, "float32")],
                [TensorSpec(values.shape, "int8", scale, zero_point)],
            )
        )
        sample.append(values)
    assert_bit_exact(build_graph(nodes, [n.outputs[0] for n in nodes]), [sample])


def test_from_float_out_of_range() -> None:
    """Where the reference is undefined: infinities saturate, NaN is the lowest, on the device and when folded."""
    values = np.array([np.inf, -np.inf, np.nan, 3e38, -3e38], np.float32)
    model = build_model("QUANTIZE", None, [TensorSpec((5,), "float32")], [TensorSpec((5,), "int8", 1e-3, 5)])
    with HostModel(make_plan(read_graph(model))) as host:
        np.testing.assert_array_equal(host.run([values])[0], [127, -128, -128, 127, -128])


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_to_float(dtype: str) -> None:
    rng = np.random.default_rng(1)
    scales = [draw_scale(rng, -6, 4) for _ in range(20)] + [1e-44, 1e-38, 3e38]
    nodes = [
        Node("DEQUANTIZE", None, [byte_tensor(rng, dtype, scale)], [TensorSpec((256,), "float32")]) for scale in scales
    ]
    assert_bit_exact(build_graph(nodes, [n.outputs[0] for n in nodes]), [[BYTES[dtype]] * len(nodes)])


def test_float_edges_of_a_model() -> None:
    """A model with float32 input and output: its arena holds elements of both sizes."""
    real_in, real_out = TensorSpec((3, 5), "float32"), TensorSpec((3, 5), "float32")
    q, r = TensorSpec((3, 5), scale=0.5, zero_point=3), TensorSpec((3, 5), scale=0.3, zero_point=-128)
    nodes = [
        Node("QUANTIZE", None, [real_in], [q]),
        Node("RELU", None, [q], [r]),
        Node("DEQUANTIZE", None, [r], [real_out]),
    ]
    assert_bit_exact(build_graph(nodes, [real_out]), 6)


def test_folding_uses_the_same_numbers() -> None:
    for scale, zero_point in ((0.1, 3), (1e-5, -128), (7.0, 127)):
        values = halves(scale, zero_point)
        model = build_model(
            "QUANTIZE",
            None,
            [TensorSpec(values.shape, "float32")],
            [TensorSpec(values.shape, "int8", scale, zero_point)],
        )
        exact = float(np.float32(scale))
        tensor = Tensor(0, "", values.shape, DType.INT8, Quantization((exact,), (zero_point,)))
        with HostModel(make_plan(read_graph(model))) as host:
            np.testing.assert_array_equal(affine.quantize(values, tensor), host.run([values])[0])


def test_refusals() -> None:
    real, byte = TensorSpec((4,), "float32"), TensorSpec((4,), "int8", 0.1)
    assert "float32 to uint8" in refusal(Node("QUANTIZE", None, [real], [TensorSpec((4,), "uint8", 0.1)]))
    assert "int16 to uint8" in refusal(
        Node("QUANTIZE", None, [TensorSpec((4,), "int16", 0.1)], [TensorSpec((4,), "uint8", 0.1)])
    )
    assert "no quantization" in refusal(Node("QUANTIZE", None, [real], [TensorSpec((4,), "int8")]))
    assert "scale of zero" in refusal(Node("QUANTIZE", None, [real], [TensorSpec((4,), "int8", 0.0)]))
    assert "out of range" in refusal(Node("QUANTIZE", None, [byte], [TensorSpec((4,), "int8", 1e-20)]))
    assert "int32, not int8 or" in refusal(Node("DEQUANTIZE", None, [TensorSpec((4,), "int32", 0.1)], [real]))
    assert "not float32" in refusal(Node("DEQUANTIZE", None, [byte], [TensorSpec((4,), "int8", 0.1)]))
    prove([Node("QUANTIZE", None, [real], [byte])])
