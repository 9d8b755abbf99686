"""PAD, CONCATENATION, RESHAPE, SQUEEZE and EXPAND_DIMS against the oracle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.fold_constants import fold_constants
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.many_ops import int8, int8_constant, prove, refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, constant, options


def pad(shape: Sequence[int], pairs: Sequence[tuple[int, int]], zero_point: int = 7, value: int | None = None) -> Node:
    source = TensorSpec(tuple(shape), scale=0.5, zero_point=zero_point)
    padded = tuple(d + before + after for d, (before, after) in zip(shape, pairs, strict=True))
    inputs = [source, constant(np.array(pairs, np.int32).reshape(-1, 2))]
    if value is not None:
        inputs.append(TensorSpec((), scale=0.5, zero_point=zero_point, data=np.array(value, np.int8)))
    table = "PadOptions" if value is None else "PadV2Options"
    kind = "PAD" if value is None else "PADV2"
    return Node(kind, options(table), inputs, [TensorSpec(padded, scale=0.5, zero_point=zero_point)])


@pytest.mark.parametrize("rank", range(1, 6))
def test_pad_each_axis(rank: int) -> None:
    shape = (2, 3, 1, 4, 2)[:rank]
    nodes = []
    for axis in range(rank):
        for pair in ((1, 0), (0, 2), (3, 1)):
            nodes.append(pad(shape, [pair if n == axis else (0, 0) for n in range(rank)]))
    nodes.append(pad(shape, [(1, 2)] * rank))
    nodes.append(pad(shape, [(0, 0)] * rank))
    prove(nodes, samples=2)


@pytest.mark.parametrize("seed", range(2))
def test_pad_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    for _ in range(20):
        rank = int(rng.integers(1, 6))
        shape = [int(d) for d in rng.integers(1, 5, rank)]
        pairs = [(int(a), int(b)) for a, b in rng.integers(0, 3, (rank, 2))]
        value = int(rng.integers(-128, 128)) if rng.random() < 0.5 else None
        nodes.append(pad(shape, pairs, int(rng.choice([-128, 127, 0])), value))
    prove(nodes, samples=2, seed=seed)


def test_pad_refusals() -> None:
    good = pad((1, 2, 2, 1), [(0, 0), (1, 1), (1, 1), (0, 0)])
    source, amounts = good.inputs[0], good.inputs[1]
    output = good.outputs[0]

    def changed(**change: object) -> Node:
        parts = {"source": source, "amounts": amounts, "output": output, **change}
        return Node("PAD", good.options, [parts["source"], parts["amounts"]], [parts["output"]])  # type: ignore[list-item]

    assert "int64" in refusal(changed(amounts=constant(np.zeros((4, 2), np.int64))))
    assert "not constant" in refusal(changed(amounts=TensorSpec((4, 2), "int32")))
    assert "paddings for 4 dimensions" in refusal(changed(amounts=constant(np.zeros((3, 2), np.int32))))
    assert "negative" in refusal(changed(amounts=constant(np.array([[0, 0], [3, -1], [1, 1], [0, 0]], np.int32))))
    assert "is expected" in refusal(changed(amounts=constant(np.zeros((4, 2), np.int32))))
    assert "quantized differently" in refusal(changed(output=TensorSpec(output.shape, scale=0.25, zero_point=7)))
    assert "6 dimensions" in refusal(pad((1,) * 6, [(0, 1)] * 6))
    value = TensorSpec((), scale=0.25, zero_point=7, data=np.array(1, np.int8))
    assert "value to pad with" in refusal(Node("PADV2", options("PadV2Options"), [source, amounts, value], [output]))
    open_value = TensorSpec((), scale=0.5, zero_point=7)
    assert "one constant" in refusal(Node("PADV2", options("PadV2Options"), [source, amounts, open_value], [output]))


def concatenation(shapes: Sequence[tuple[int, ...]], axis: int, dtype: str = "int8", scale: float | None = 0.5) -> Node:
    total = list(shapes[0])
    total[axis] = sum(s[axis] for s in shapes)
    inputs = [TensorSpec(s, dtype, scale) for s in shapes]
    return Node(
        "CONCATENATION", options("ConcatenationOptions", axis=axis), inputs, [TensorSpec(tuple(total), dtype, scale)]
    )


@pytest.mark.parametrize("rank", range(1, 5))
def test_concatenation_each_axis(rank: int) -> None:
    rng = np.random.default_rng(rank)
    nodes = []
    for axis in range(-rank, rank):
        count = int(rng.integers(1, 6))
        base = [int(d) for d in rng.integers(1, 4, rank)]
        shapes = [
            tuple(int(rng.integers(1, 5)) if n == axis % rank else d for n, d in enumerate(base)) for _ in range(count)
        ]
        nodes.append(concatenation(shapes, axis))
    nodes.append(concatenation([(2,) * rank] * 10, 0))
    prove(nodes, samples=2)


def test_concatenation_of_constants_and_of_one_tensor_twice() -> None:
    rng = np.random.default_rng(9)
    x, y = int8(rng, (2, 3), 0.5), int8(rng, (2, 3), 0.5)
    y = TensorSpec((2, 3), scale=0.5, zero_point=x.zero_point)
    fixed = constant(rng.integers(-128, 128, (2, 4)).astype(np.int8), 0.5, x.zero_point)
    output = TensorSpec((2, 13), scale=0.5, zero_point=x.zero_point)
    prove([Node("CONCATENATION", options("ConcatenationOptions", axis=1), [x, fixed, y, x], [output])])


@pytest.mark.parametrize("dtype", ["int32", "float32", "int16"])
def test_concatenation_of_other_types(dtype: str) -> None:
    scale = 0.5 if dtype == "int16" else None
    prove([concatenation([(2, 3), (2, 1), (2, 4)], 1, dtype, scale)], samples=2)


def test_concatenation_refusals() -> None:
    table = options("ConcatenationOptions", axis=1)
    a, b = TensorSpec((2, 3), scale=0.5), TensorSpec((2, 3), scale=0.5)
    out = TensorSpec((2, 6), scale=0.5)
    assert "11 inputs" in refusal(concatenation([(1, 1)] * 11, 0))
    other = TensorSpec((2, 3), scale=0.25)
    assert "quantized differently" in refusal(Node("CONCATENATION", table, [a, other], [out]))
    assert "do not make" in refusal(Node("CONCATENATION", table, [a, b], [TensorSpec((2, 7), scale=0.5)]))
    assert "axis 2" in refusal(Node("CONCATENATION", options("ConcatenationOptions", axis=2), [a, b], [out]))
    assert "int32" in refusal(Node("CONCATENATION", table, [a, TensorSpec((2, 3), "int32")], [out]))
    fused = options("ConcatenationOptions", axis=1, fusedActivationFunction=1)
    assert "RELU" in refusal(Node("CONCATENATION", fused, [a, b], [out]))
    assert "uint8" in refusal(concatenation([(1, 1), (1, 1)], 0, "uint8"))


def test_reshape_is_free() -> None:
    """RESHAPE, SQUEEZE and EXPAND_DIMS neither run nor need memory, with or without a shape operand."""
    x, a, b, c, d = (
        TensorSpec(shape, scale=0.5, zero_point=3) for shape in ((1, 4, 6), (1, 2, 12), (24, 1, 1), (24,), (24, 1))
    )
    e = TensorSpec((24, 1), scale=0.3, zero_point=1)
    model = build_graph(
        [
            Node("RESHAPE", None, [x, constant(np.array([1, -1, 12], np.int32))], [a]),
            Node("RESHAPE", options("ReshapeOptions", newShape=[24, 1, 1]), [a], [b]),
            Node("SQUEEZE", options("SqueezeOptions", squeezeDims=[1, 2]), [b], [c]),
            Node("EXPAND_DIMS", options("ExpandDimsOptions"), [c, constant(np.array(-1, np.int32))], [d]),
            Node("RELU", None, [d], [e]),
        ],
        [e],
    )
    plan = make_plan(read_graph(model))
    assert [step.op.kind for step in plan.steps] == ["RELU"]
    assert plan.arena_bytes == 24
    assert_bit_exact(model, 3)


def test_reshape_refusals() -> None:
    x = TensorSpec((2, 3), scale=0.5)
    assert "cannot become" in refusal(Node("RESHAPE", None, [x], [TensorSpec((5,), scale=0.5)]))
    assert "quantized differently" in refusal(Node("RESHAPE", None, [x], [TensorSpec((6,), scale=0.25)]))
    assert "computed by the model" in refusal(
        Node("RESHAPE", None, [x, TensorSpec((1,), "int32")], [TensorSpec((6,), scale=0.5)])
    )
    assert "the output int16" in refusal(Node("RESHAPE", None, [x], [TensorSpec((6,), "int16", 0.5)]))


def test_folding_equals_the_oracle() -> None:
    """Constant PAD, RESHAPE, CONCATENATION, QUANTIZE and DEQUANTIZE vanish, and the result stays."""
    rng = np.random.default_rng(2)
    weights = int8_constant(rng, (2, 3))
    scale, zero_point = float(weights.scale), weights.zero_point  # type: ignore[arg-type]

    def like(shape: tuple[int, ...]) -> TensorSpec:
        return TensorSpec(shape, scale=scale, zero_point=zero_point)

    padded, joined, flat, real = like((4, 3)), like((4, 6)), like((24,)), TensorSpec((24,), "float32")
    coarse = TensorSpec((24,), scale=0.5, zero_point=-3)
    fine = TensorSpec((24,), scale=0.3, zero_point=9)
    x, y = TensorSpec((24,), scale=0.5, zero_point=1), TensorSpec((24,), scale=0.9, zero_point=-7)
    model = build_graph(
        [
            Node("PAD", options("PadOptions"), [weights, constant(np.array([[1, 1], [0, 0]], np.int32))], [padded]),
            Node("CONCATENATION", options("ConcatenationOptions", axis=1), [padded, padded], [joined]),
            Node("RESHAPE", None, [joined], [flat]),
            Node("DEQUANTIZE", None, [flat], [real]),
            Node("QUANTIZE", None, [real], [coarse]),
            Node("QUANTIZE", None, [coarse], [fine]),
            Node("ADD", options("AddOptions"), [x, fine], [y]),
        ],
        [y],
    )
    folded = fold_constants(read_graph(model))
    assert [op.kind for op in folded.ops] == ["ADD"]
    from mcugen.runtimes.aot.emit.host import HostModel
    from tests.kernels.single_op import make_samples, oracle

    samples = make_samples(model, 3)
    with HostModel(make_plan(folded)) as host:
        for sample, expected in zip(samples, oracle(model, samples), strict=True):
            np.testing.assert_array_equal(host.run(sample)[0], expected[0])
