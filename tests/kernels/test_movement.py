"""Ops that only move values, against the oracle: every type, random shapes, axes, masks, and what costs nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mcugen.graph import read_graph
from mcugen.graph.passes import fold_constants, optimize
from mcugen.plan import make_plan
from tests.kernels.many_ops import refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, build_model, constant, options

WORDS = ("int8", "int32", "float32")


def tensor(shape: Sequence[int], dtype: str = "int8") -> TensorSpec:
    return TensorSpec(tuple(shape), dtype, scale=0.5 if dtype == "int8" else None, zero_point=3 * (dtype == "int8"))


def ints(values: object) -> TensorSpec:
    return constant(np.array(values, np.int32))


def shape_of(rng: np.random.Generator, rank: int) -> tuple[int, ...]:
    return tuple(int(d) for d in rng.integers(1, 6, rank))


def prove_all(nodes: Sequence[Node], seed: int = 0) -> None:
    """Like `prove`, over all outputs of all nodes."""
    assert_bit_exact(build_graph(nodes, [t for n in nodes for t in n.outputs]), 2, seed=seed)


def prove_constant(node: Node, seed: int = 0) -> None:
    """The same with constant inputs, folded: what is left equals the oracle on the unfolded model."""
    rng = np.random.default_rng(seed)
    fixed = [
        TensorSpec(t.shape, t.dtype, t.scale, t.zero_point, 0, rng.integers(0, 2, t.shape).astype(t.dtype))
        if t is not None and t.data is None
        else t
        for t in node.inputs
    ]
    after = [tensor((1, *t.shape), t.dtype) for t in node.outputs]
    used = [Node("EXPAND_DIMS", None, [t, ints(0)], [a]) for t, a in zip(node.outputs, after, strict=True)]
    read = [tensor(t.shape, t.dtype) for t in after]
    copies = [
        Node("CONCATENATION", options("ConcatenationOptions"), [a], [r]) for a, r in zip(after, read, strict=True)
    ]
    x, y = tensor((3,)), tensor((3,))
    alive = Node("RELU", None, [x], [y])
    model = build_graph([Node(node.op, node.options, fixed, node.outputs), *used, *copies, alive], [*read, y])
    folded = fold_constants(read_graph(model))
    assert [op.kind for op in folded.ops] == ["CONCATENATION"] * len(copies) + ["RELU"]
    assert_bit_exact(model, 1, optimized=True)


# ---- slices


def slice_node(rng: np.random.Generator, dtype: str) -> Node:
    shape = shape_of(rng, int(rng.integers(1, 6)))
    begin = [int(rng.integers(0, d)) for d in shape]
    size = [int(rng.integers(1, d - b + 1)) for d, b in zip(shape, begin, strict=True)]
    given = [-1 if b + s == d and rng.integers(2) else s for d, b, s in zip(shape, begin, size, strict=True)]
    return Node("SLICE", None, [tensor(shape, dtype), ints(begin), ints(given)], [tensor(size, dtype)])


def strided_node(rng: np.random.Generator, dtype: str) -> Node:
    shape = tuple(int(d) for d in rng.integers(2, 7, rng.integers(1, 5)))
    while True:
        begin = [int(rng.integers(-d - 2, d + 2)) for d in shape]
        end = [int(rng.integers(-d - 2, d + 3)) for d in shape]
        steps = [int(rng.choice([1, 1, 2, 3, -1, -2])) for _ in shape]
        masks = [int(rng.integers(0, 1 << len(shape))) for _ in range(2)]
        shrink = int(rng.choice([0, 0, rng.integers(0, 1 << len(shape))]))
        index = []
        for n, d in enumerate(shape):
            if shrink >> n & 1:
                begin[n] = int(rng.integers(-d, d))
                steps[n] = 1
                masks[0] &= ~(1 << n)
                index.append(begin[n])
            else:
                first = None if masks[0] >> n & 1 else begin[n]
                last = None if masks[1] >> n & 1 else end[n]
                index.append(slice(first, last, steps[n]))  # type: ignore[arg-type]
        result = np.empty(shape)[tuple(index)].shape
        if 0 not in result and len(result) > 0:
            break
    opts = options("StridedSliceOptions", beginMask=masks[0], endMask=masks[1], shrinkAxisMask=shrink)
    return Node("STRIDED_SLICE", opts, [tensor(shape, dtype), ints(begin), ints(end), ints(steps)],
                [tensor(result, dtype)])  # fmt: skip


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32", "bool"])
@pytest.mark.parametrize("make", [slice_node, strided_node])
def test_slices(make: object, dtype: str) -> None:
    rng = np.random.default_rng(len(dtype))
    prove_all([make(rng, dtype) for _ in range(24)])  # type: ignore[operator]


@pytest.mark.parametrize("make", [slice_node, strided_node])
def test_constant_slices(make: object) -> None:
    rng = np.random.default_rng(5)
    for seed in range(3):
        prove_constant(make(rng, "int8"), seed)  # type: ignore[operator]


# ---- splits and packs


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32"])
def test_splits(dtype: str) -> None:
    rng = np.random.default_rng(1)
    nodes = []
    for _ in range(10):
        shape = list(shape_of(rng, int(rng.integers(1, 5))))
        axis = int(rng.integers(-len(shape), len(shape)))
        parts = [int(n) for n in rng.integers(1, 5, rng.integers(1, 5))]

        def with_axis(size: int, shape: list[int] = shape, axis: int = axis) -> TensorSpec:
            changed = list(shape)
            changed[axis] = size
            return tensor(changed, dtype)

        number = len(parts)
        nodes.append(Node("SPLIT", options("SplitOptions", numSplits=number), [ints(axis), with_axis(2 * number)],
                          [with_axis(2) for _ in parts]))  # fmt: skip
        sizes = [*parts[:-1], -1] if rng.integers(2) else parts
        nodes.append(Node("SPLIT_V", options("SplitVOptions", numSplits=number),
                          [with_axis(sum(parts)), ints(sizes), ints(axis)], [with_axis(n) for n in parts]))  # fmt: skip
        rest = [d for n, d in enumerate(shape) if n != axis % len(shape)]
        nodes.append(Node("UNPACK", options("UnpackOptions", axis=axis, num=number), [with_axis(number)],
                          [tensor(rest, dtype) for _ in parts]))  # fmt: skip
        packed = list(rest)
        packed.insert(axis % len(shape), number)
        nodes.append(Node("PACK", options("PackOptions", axis=axis, valuesCount=number),
                          [tensor(rest, dtype) for _ in parts], [tensor(packed, dtype)]))  # fmt: skip
    prove_all(nodes)
    if dtype == "int8":
        for node in nodes[:8]:
            prove_constant(node)


# ---- transposes, broadcasts, reversals


def transpose_node(rng: np.random.Generator, dtype: str) -> Node:
    shape = shape_of(rng, int(rng.integers(1, 6)))
    order = [int(n) for n in rng.permutation(len(shape))]
    return Node("TRANSPOSE", None, [tensor(shape, dtype), ints(order)], [tensor([shape[n] for n in order], dtype)])


def broadcast_node(rng: np.random.Generator, dtype: str) -> Node:
    shape = shape_of(rng, int(rng.integers(1, 6)))
    source = [d if rng.integers(2) else 1 for d in shape][int(rng.integers(0, len(shape))) :]
    return Node("BROADCAST_TO", None, [tensor(source, dtype), ints(shape)], [tensor(shape, dtype)])


def reverse_node(rng: np.random.Generator, dtype: str) -> Node:
    shape = shape_of(rng, int(rng.integers(1, 6)))
    first = int(rng.integers(0, len(shape)))
    axes = list(range(first, int(rng.integers(first, len(shape))) + 1))
    axes = [a - len(shape) if rng.integers(2) else a for a in axes]
    rng.shuffle(axes)
    return Node("REVERSE_V2", None, [tensor(shape, dtype), ints(axes)], [tensor(shape, dtype)])


@pytest.mark.parametrize(
    ("make", "dtypes"),
    [
        (transpose_node, ("int8", "int16", "float32")),
        (broadcast_node, ("int8", "int16", "int32", "float32", "bool")),
        (reverse_node, ("int8", "int16", "int32", "float32", "bool")),
    ],
)
def test_permuted(make: object, dtypes: Sequence[str]) -> None:
    rng = np.random.default_rng(7)
    prove_all([make(rng, dtype) for dtype in dtypes for _ in range(12)])  # type: ignore[operator]
    for seed in range(2):
        prove_constant(make(rng, "int8"), seed)  # type: ignore[operator]


def test_every_transpose_of_five_dimensions() -> None:
    import itertools

    shape = (2, 3, 2, 4, 3)
    orders = list(itertools.permutations(range(5)))[1::4]
    prove_all([Node("TRANSPOSE", None, [tensor(shape), ints(o)], [tensor([shape[n] for n in o])]) for o in orders])


# ---- padding and blocks


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("mode", [0, 1])
def test_mirror_pad(dtype: str, mode: int) -> None:
    rng = np.random.default_rng(mode)
    nodes = []
    for _ in range(12):
        shape = tuple(int(d) for d in rng.integers(1, 6, rng.integers(1, 5)))
        pairs = [[int(rng.integers(0, d + mode)) for _ in range(2)] for d in shape]
        output = [d + sum(pair) for d, pair in zip(shape, pairs, strict=True)]
        nodes.append(Node("MIRROR_PAD", options("MirrorPadOptions", mode=mode), [tensor(shape, dtype), ints(pairs)],
                          [tensor(output, dtype)]))  # fmt: skip
    prove_all(nodes)
    prove_constant(nodes[0])


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_depth_and_space(dtype: str) -> None:
    rng = np.random.default_rng(2)
    nodes = []
    for _ in range(10):
        n, h, w, c = shape_of(rng, 4)
        block = int(rng.integers(1, 4))
        deep, wide = (n, h, w, c * block * block), (n, h * block, w * block, c)
        to_space = options("DepthToSpaceOptions", blockSize=block)
        to_depth = options("SpaceToDepthOptions", blockSize=block)
        nodes.append(Node("DEPTH_TO_SPACE", to_space, [tensor(deep, dtype)], [tensor(wide, dtype)]))
        nodes.append(Node("SPACE_TO_DEPTH", to_depth, [tensor(wide, dtype)], [tensor(deep, dtype)]))
    prove_all(nodes)
    prove_constant(nodes[0])
    prove_constant(nodes[1])


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("rank", [3, 4])
def test_batch_and_space(dtype: str, rank: int) -> None:
    rng = np.random.default_rng(rank)
    nodes = []
    for _ in range(10):
        blocks = [int(b) for b in rng.integers(1, 4, rank - 2)]
        pairs = [[int(p) for p in rng.integers(0, 4, 2)] for _ in blocks]
        counts = [-(-sum(pair) // b) + int(rng.integers(1, 4)) for b, pair in zip(blocks, pairs, strict=True)]
        n, c = int(rng.integers(1, 3)), int(rng.integers(1, 4))
        image = (n, *(k * b - sum(pair) for k, b, pair in zip(counts, blocks, pairs, strict=True)), c)
        batched = (n * int(np.prod(blocks)), *counts, c)
        nodes.append(Node("BATCH_TO_SPACE_ND", options("BatchToSpaceNDOptions"),
                          [tensor(batched, dtype), ints(blocks), ints(pairs)], [tensor(image, dtype)]))  # fmt: skip
        image = (n, *(k * b for k, b in zip(counts, blocks, strict=True)), c)
        nodes.append(Node("SPACE_TO_BATCH_ND", options("SpaceToBatchNDOptions"),
                          [tensor(image, dtype), ints(blocks), ints([[0, 0]] * len(blocks))],
                          [tensor(batched, dtype)]))  # fmt: skip
    prove_all(nodes)
    prove_constant(nodes[0])
    prove_constant(nodes[1])


# ---- indices


def picks(rng: np.random.Generator, shape: Sequence[int], limit: int) -> np.ndarray:
    return rng.integers(0, limit, tuple(shape)).astype(np.int32)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_gather_with_constant_indices(dtype: str) -> None:
    rng = np.random.default_rng(3)
    nodes = []
    for _ in range(16):
        shape = shape_of(rng, int(rng.integers(1, 5)))
        axis = int(rng.integers(0, len(shape)))
        batch = int(rng.integers(0, axis + 1))
        indices = picks(rng, (*shape[:batch], *shape_of(rng, int(rng.integers(0, 3)))), shape[axis])
        output = (*shape[:axis], *indices.shape[batch:], *shape[axis + 1 :])
        opts = options("GatherOptions", axis=axis - len(shape) * int(rng.integers(2)), batchDims=batch)
        nodes.append(Node("GATHER", opts, [tensor(shape, dtype), constant(indices)], [tensor(output, dtype)]))
        depth = int(rng.integers(1, len(shape) + 1))
        columns = [picks(rng, (3,), d) for d in shape[:depth]]
        nodes.append(Node("GATHER_ND", None, [tensor(shape, dtype), constant(np.stack(columns, 1))],
                          [tensor((3, *shape[depth:]), dtype)]))  # fmt: skip
    prove_all(nodes)
    for node in nodes[:4]:
        prove_constant(node)


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
    from mcugen.emit.host import HostModel

    x, indices, y = tensor((3, 2)), TensorSpec((4,), "int32"), tensor((4, 2))
    model = build_model("GATHER", options("GatherOptions"), [x, indices], [y])
    data = np.arange(6, dtype=np.int8).reshape(3, 2)
    with HostModel(make_plan(read_graph(model)), flags=("-O1", "-fsanitize=undefined")) as host:
        got = host.run([data, np.array([-5, 0, 2, 2**31 - 1], np.int32)])[0]
    np.testing.assert_array_equal(got, data[[0, 0, 2, 2]])


# ---- shapes and fillings


def test_shapes_and_fillings() -> None:
    nodes = [
        Node("SHAPE", options("ShapeOptions", outType=2), [tensor((2, 5, 3))], [TensorSpec((3,), "int32")]),
        Node("BROADCAST_ARGS", None, [ints([5, 1, 3]), ints([4, 1])], [TensorSpec((3,), "int32")]),
    ]
    for dtype in WORDS:
        value = TensorSpec((), dtype, 0.5 if dtype == "int8" else None, 3 * (dtype == "int8"))
        fixed = TensorSpec((), dtype, value.scale, value.zero_point, data=np.array(-7, dtype))
        nodes.append(Node("FILL", options("FillOptions"), [ints([2, 3]), value], [tensor((2, 3), dtype)]))
        nodes.append(Node("FILL", options("FillOptions"), [ints([2, 3]), fixed], [tensor((2, 3), dtype)]))
        zeros = [TensorSpec((4, 2), dtype, 0.5 if dtype == "int8" else None) for _ in range(2)]
        nodes.append(Node("ZEROS_LIKE", options("ZerosLikeOptions"), zeros[:1], zeros[1:]))
    prove_all(nodes)


def test_shape_arithmetic_of_a_dynamic_batch_vanishes() -> None:
    """What Keras converters write for Reshape and Flatten: SHAPE, STRIDED_SLICE, PACK, RESHAPE."""
    x, batch, shape = tensor((1, 4, 6)), TensorSpec((), "int32"), TensorSpec((2,), "int32")
    whole, flat, y = TensorSpec((3,), "int32"), tensor((1, 24)), tensor((1, 24))
    model = build_graph(
        [
            Node("SHAPE", options("ShapeOptions", outType=2), [x], [whole]),
            Node("STRIDED_SLICE", options("StridedSliceOptions", shrinkAxisMask=1),
                 [whole, ints([0]), ints([1]), ints([1])], [batch]),
            Node("PACK", options("PackOptions", valuesCount=2), [batch, constant(np.array(24, np.int32))], [shape]),
            Node("RESHAPE", None, [x, shape], [flat]),
            Node("RELU", None, [flat], [y]),
        ],
        [y],
    )  # fmt: skip
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
        Node("DEPTH_TO_SPACE", options("DepthToSpaceOptions", blockSize=2), [tensor((1, 2, 2, 6))],
             [tensor((1, 4, 4, 1))])
    )  # fmt: skip
    assert "undefined" in refusal(
        Node("SPACE_TO_BATCH_ND", None, [tensor((1, 3, 2, 1)), ints([2, 1]), ints([[1, 0], [0, 0]])],
             [tensor((2, 2, 2, 1))])
    )  # fmt: skip
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
