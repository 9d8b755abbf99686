"""Ops that only move values: over constants, with indices that the model computes, and what costs nothing.

Random uses of all types are in tests/conformance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.fold_constants import fold_constants
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.conformance.suite import draw_case
from tests.kernels.many_ops import refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, build_model, constant, options


def tensor(shape: Sequence[int], dtype: str = "int8") -> TensorSpec:
    return TensorSpec(tuple(shape), dtype, scale=0.5 if dtype == "int8" else None, zero_point=3 * (dtype == "int8"))


def ints(values: object) -> TensorSpec:
    return constant(np.array(values, np.int32))


def prove_all(nodes: Sequence[Node], seed: int = 0) -> None:
    """Like `prove`, over all outputs of all nodes."""
    assert_bit_exact(build_graph(nodes, [t for n in nodes for t in n.outputs]), 2, seed=seed)


def prove_constant(node: Node, seed: int = 0) -> None:
    """The node with constant inputs, folded: what is left equals the oracle on the unfolded model."""
    rng = np.random.default_rng(seed)
    fixed = [
        TensorSpec(t.shape, t.dtype, t.scale, t.zero_point, 0, rng.integers(0, 2, t.shape).astype(t.dtype))
        if t is not None and t.data is None
        else t
        for t in node.inputs
    ]
    after = [TensorSpec((1, *t.shape), t.dtype, t.scale, t.zero_point) for t in node.outputs]
    used = [Node("EXPAND_DIMS", None, [t, ints(0)], [a]) for t, a in zip(node.outputs, after, strict=True)]
    read = [TensorSpec(t.shape, t.dtype, t.scale, t.zero_point) for t in after]
    copies = [
        Node("CONCATENATION", options("ConcatenationOptions"), [a], [r]) for a, r in zip(after, read, strict=True)
    ]
    x, y = tensor((3,)), tensor((3,))
    alive = Node("RELU", None, [x], [y])
    model = build_graph([Node(node.op, node.options, fixed, node.outputs), *used, *copies, alive], [*read, y])
    folded = fold_constants(read_graph(model))
    assert [op.kind for op in folded.ops] == ["CONCATENATION"] * len(copies) + ["RELU"]
    assert_bit_exact(model, 1, optimized=True)


FOLDED = (
    "BATCH_TO_SPACE_ND",
    "BROADCAST_TO",
    "DEPTH_TO_SPACE",
    "FILL",
    "GATHER",
    "GATHER_ND",
    "MIRROR_PAD",
    "PACK",
    "REVERSE_V2",
    "SLICE",
    "SPACE_TO_BATCH_ND",
    "SPACE_TO_DEPTH",
    "SPLIT",
    "SPLIT_V",
    "STRIDED_SLICE",
    "TRANSPOSE",
    "UNPACK",
)


@pytest.mark.parametrize("kind", FOLDED)
def test_constant_inputs(kind: str) -> None:
    """The conformance suite's uses of each op, over constants."""
    cases = [draw_case(kind, "int8", n) for n in range(12)]
    folded = [case.nodes[0] for case in cases if not case.limits][:3]
    for seed, node in enumerate(folded):
        prove_constant(node, seed)
    assert folded


def test_every_transpose_of_five_dimensions() -> None:
    import itertools

    shape = (2, 3, 2, 4, 3)
    orders = list(itertools.permutations(range(5)))[1::4]
    prove_all([Node("TRANSPOSE", None, [tensor(shape), ints(o)], [tensor([shape[n] for n in o])]) for o in orders])


# ---- indices


def picks(rng: np.random.Generator, shape: Sequence[int], limit: int) -> np.ndarray:
    return rng.integers(0, limit, tuple(shape)).astype(np.int32)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_gather_with_computed_indices(dtype: str) -> None:
    rng = np.random.default_rng(4)
    table = rng.integers(-100, 100, (7, 5)).astype(dtype)
    fixed = TensorSpec((7, 5), dtype, 0.5 if dtype == "int8" else None, 3 * (dtype == "int8"), data=table)
    indices, pairs, x = TensorSpec((4,), "int32"), TensorSpec((2, 2), "int32"), tensor((7, 5), dtype)
    nodes = [
        Node("GATHER", options("GatherOptions"), [x, indices], [tensor((4, 5), dtype)]),
        Node("GATHER", options("GatherOptions"), [fixed, indices], [tensor((4, 5), dtype)]),
        Node("EMBEDDING_LOOKUP", None, [indices, fixed], [tensor((4, 5), dtype)]),
        Node("GATHER_ND", None, [x, pairs], [tensor((2,), dtype)]),
        Node("GATHER_ND", None, [fixed, pairs], [tensor((2,), dtype)]),
    ]
    model = build_graph(nodes, [n.outputs[0] for n in nodes])
    data = rng.integers(-100, 100, (7, 5)).astype(dtype)
    samples = [[data, picks(rng, (4,), 5), picks(rng, (2, 2), 5)] for _ in range(4)]
    assert_bit_exact(model, samples)


def test_computed_indices_stay_inside_the_table() -> None:
    """Where the reference stops or reads beside its tensor, the nearest row is taken."""
    from mcugen.runtimes.aot.emit.host import HostModel

    x, indices, y = tensor((3, 2)), TensorSpec((4,), "int32"), tensor((4, 2))
    model = build_model("GATHER", options("GatherOptions"), [x, indices], [y])
    data = np.arange(6, dtype=np.int8).reshape(3, 2)
    with HostModel(make_plan(read_graph(model)), flags=("-O1", "-fsanitize=undefined")) as host:
        got = host.run([data, np.array([-5, 0, 2, 2**31 - 1], np.int32)])[0]
    np.testing.assert_array_equal(got, data[[0, 0, 2, 2]])


# ---- shapes and fillings


def test_shape_arithmetic_of_a_dynamic_batch_vanishes() -> None:
    """What Keras converters write for Reshape and Flatten: SHAPE, STRIDED_SLICE, PACK, RESHAPE."""
    x, batch, shape = tensor((1, 4, 6)), TensorSpec((), "int32"), TensorSpec((2,), "int32")
    whole, flat, y = TensorSpec((3,), "int32"), tensor((1, 24)), tensor((1, 24))
    model = build_graph(
        [
            Node("SHAPE", options("ShapeOptions", outType=2), [x], [whole]),
            Node(
                "STRIDED_SLICE",
                options("StridedSliceOptions", shrinkAxisMask=1),
                [whole, ints([0]), ints([1]), ints([1])],
                [batch],
            ),
            Node("PACK", options("PackOptions", valuesCount=2), [batch, constant(np.array(24, np.int32))], [shape]),
            Node("RESHAPE", None, [x, shape], [flat]),
            Node("RELU", None, [flat], [y]),
        ],
        [y],
    )
    assert [op.kind for op in optimize(read_graph(model)).ops] == ["RESHAPE", "RELU"]
    assert_bit_exact(model, 2, optimized=True)


# ---- what costs nothing


def test_outer_slices_are_aliases() -> None:
    """Parts along the outermost dimension stay where they are, if they begin at whole words."""
    x = tensor((1, 4, 8))
    a, b, c = tensor((1, 2, 8)), tensor((1, 2, 8)), tensor((1, 1, 8))
    rows = [tensor((1, 8)) for _ in range(4)]
    outputs = [tensor(t.shape) for t in (a, b, c, rows[3])]
    nodes = [
        Node("SPLIT", options("SplitOptions", numSplits=2), [ints(1), x], [a, b]),
        Node("SLICE", None, [x, ints([0, 1, 0]), ints([1, 1, 8])], [c]),
        Node("UNPACK", options("UnpackOptions", axis=1, num=4), [x], rows),
        *(Node("RELU", None, [t], [o]) for t, o in zip((a, b, c, rows[3]), outputs, strict=True)),
    ]
    model = build_graph(nodes, outputs)
    plan = make_plan(read_graph(model))
    assert [step.op.kind for step in plan.steps] == ["RELU"] * 4
    assert_bit_exact(model, 3)


def test_parts_within_words_are_copied() -> None:
    x, parts = tensor((4, 3)), [tensor((2, 3)), tensor((2, 3))]
    model = build_graph([Node("SPLIT", options("SplitOptions", numSplits=2), [ints(0), x], parts)], parts)
    assert [step.op.kind for step in make_plan(read_graph(model)).steps] == ["SPLIT"]


def test_overlapping_uses_of_aliases() -> None:
    """An op may not write in place into a part of what is still read."""
    x, a, b = tensor((2, 8)), tensor((1, 8)), tensor((1, 8))
    ra, joined = tensor((1, 8)), tensor((4, 8))
    nodes = [
        Node("SPLIT", options("SplitOptions", numSplits=2), [ints(0), x], [a, b]),
        Node("RELU", None, [a], [ra]),
        Node("CONCATENATION", options("ConcatenationOptions", axis=0), [ra, b, x], [joined]),
    ]
    assert_bit_exact(build_graph(nodes, [joined]), 3)


def test_transpose_of_ones_is_an_alias() -> None:
    x, y, z = tensor((1, 5, 1, 3)), tensor((5, 1, 3, 1)), tensor((5, 1, 3, 1))
    model = build_graph([Node("TRANSPOSE", None, [x, ints([1, 0, 3, 2])], [y]), Node("RELU", None, [y], [z])], [z])
    assert [step.op.kind for step in make_plan(read_graph(model)).steps] == ["RELU"]
    assert_bit_exact(model, 2)


# ---- refusals


def test_refusals() -> None:
    x = tensor((4, 6))

    def strided(**fields: int) -> Node:
        opts = options("StridedSliceOptions", **fields)
        return Node("STRIDED_SLICE", opts, [x, ints([0, 0]), ints([4, 6]), ints([1, 1])], [x_like])

    x_like = tensor((4, 6))
    assert "ellipsis" in refusal(strided(ellipsisMask=1))
    assert "new axis" in refusal(strided(newAxisMask=1))
    assert "takes 3 from 2" in refusal(Node("SLICE", None, [x, ints([2, 0]), ints([3, 6])], [tensor((3, 6))]))
    assert "computed by the model" in refusal(
        Node("SLICE", None, [x, TensorSpec((2,), "int32"), ints([3, 6])], [tensor((3, 6))])
    )
    assert "quantized differently" in refusal(
        Node("SLICE", None, [x, ints([0, 0]), ints([3, 6])], [TensorSpec((3, 6), scale=0.25)])
    )
    assert "axis 2" in refusal(Node("SPLIT", options("SplitOptions", numSplits=1), [ints(2), x], [x_like]))
    assert "does not give" in refusal(
        Node("SPLIT", options("SplitOptions", numSplits=1), [ints(1), x], [tensor((4, 5))])
    )
    assert "no permutation" in refusal(Node("TRANSPOSE", None, [x, ints([1, 1])], [tensor((6, 6))]))
    assert "int32" in refusal(
        Node("TRANSPOSE", None, [tensor((4, 6), "int32"), ints([1, 0])], [tensor((6, 4), "int32")])
    )
    assert "does not stretch" in refusal(Node("BROADCAST_TO", None, [x, ints([8, 6])], [tensor((8, 6))]))
    assert "not neighbours" in refusal(Node("REVERSE_V2", None, [tensor((2, 3, 4)), ints([0, 2])], [tensor((2, 3, 4))]))
    reflect = options("MirrorPadOptions", mode=0)
    assert "mirrored" in refusal(Node("MIRROR_PAD", reflect, [x, ints([[4, 0], [0, 0]])], [tensor((8, 6))]))
    assert "blocks of 2" in refusal(
        Node(
            "DEPTH_TO_SPACE",
            options("DepthToSpaceOptions", blockSize=2),
            [tensor((1, 2, 2, 6))],
            [tensor((1, 4, 4, 1))],
        )
    )
    assert "undefined" in refusal(
        Node(
            "SPACE_TO_BATCH_ND",
            None,
            [tensor((1, 3, 2, 1)), ints([2, 1]), ints([[1, 0], [0, 0]])],
            [tensor((2, 2, 2, 1))],
        )
    )
    assert "where there are 4 rows" in refusal(
        Node("GATHER", options("GatherOptions"), [x, ints([1, 4])], [tensor((2, 6))])
    )
    assert "outside" in refusal(Node("GATHER_ND", None, [x, ints([[0, 6]])], [tensor((1,))]))
    assert "zero point is 3" in refusal(Node("ZEROS_LIKE", None, [x], [x_like]))
    assert "computed by the model" in refusal(
        Node("BROADCAST_ARGS", None, [TensorSpec((1,), "int32"), ints([3])], [TensorSpec((1,), "int32")])
    )
    shapes = [tensor((2, 3)), tensor((3, 2))]
    assert "differ" in refusal(Node("PACK", options("PackOptions", valuesCount=2), shapes, [tensor((2, 2, 3))]))
