"""Cases of ops that move values, or make them from shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.conformance.draw import Case, Draw, Generate, ints
from tests.kernels.single_op import Node, TensorSpec, constant


def _slice(d: Draw) -> Case:
    shape = d.shape((1, 5))
    begin = [d.integer(0, n - 1) for n in shape]
    size = [d.integer(1, n - b) for n, b in zip(shape, begin, strict=True)]
    given = [-1 if b + s == n and d.chance() else s for n, b, s in zip(shape, begin, size, strict=True)]
    x = d.tensor(shape)
    return d.node([x, ints(begin), ints(given)], [d.like(x, size)])


def _strided_slice(d: Draw) -> Case:
    shape = tuple(d.integer(2, 6) for _ in range(d.integer(1, 4)))
    while True:
        begin = [d.integer(-n - 2, n + 1) for n in shape]
        end = [d.integer(-n - 2, n + 2) for n in shape]
        steps = [d.pick([1, 1, 2, 3, -1, -2]) for _ in shape]
        masks = [d.integer(0, (1 << len(shape)) - 1) for _ in range(2)]
        shrink = d.pick([0, 0, d.integer(0, (1 << len(shape)) - 1)])
        index: list[int | slice] = []
        for n, size in enumerate(shape):
            if shrink >> n & 1:
                begin[n], steps[n] = d.integer(-size, size - 1), 1
                masks[0] &= ~(1 << n)
                index.append(begin[n])
            else:
                first = None if masks[0] >> n & 1 else begin[n]
                last = None if masks[1] >> n & 1 else end[n]
                index.append(slice(first, last, steps[n]))
        result = np.empty(shape)[tuple(index)].shape
        if result and 0 not in result:
            break
    x = d.tensor(shape)
    return d.node(
        [x, ints(begin), ints(end), ints(steps)],
        [d.like(x, result)],
        "StridedSliceOptions",
        beginMask=masks[0],
        endMask=masks[1],
        shrinkAxisMask=shrink,
    )


def _with(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    changed = list(shape)
    changed[axis] = size
    return tuple(changed)


def _split(d: Draw) -> Case:
    shape, parts, size = d.shape(), d.integer(1, 4), d.integer(1, 3)
    axis = d.integer(-len(shape), len(shape) - 1)
    x = d.tensor(_with(shape, axis, parts * size))
    outputs = [d.like(x, _with(shape, axis, size)) for _ in range(parts)]
    return d.node([ints(axis), x], outputs, "SplitOptions", numSplits=parts)


def _split_v(d: Draw) -> Case:
    shape, parts = d.shape(), [d.integer(1, 4) for _ in range(d.integer(1, 4))]
    axis = d.integer(-len(shape), len(shape) - 1)
    x = d.tensor(_with(shape, axis, sum(parts)))
    sizes = [*parts[:-1], -1] if d.chance() else parts
    outputs = [d.like(x, _with(shape, axis, n)) for n in parts]
    return d.node([x, ints(sizes), ints(axis)], outputs, "SplitVOptions", numSplits=len(parts))


def _unpack(d: Draw) -> Case:
    shape = d.shape()
    axis = d.integer(-len(shape), len(shape) - 1)
    x = d.tensor(shape)
    rest = [n for k, n in enumerate(shape) if k != axis % len(shape)]
    outputs = [d.like(x, rest) for _ in range(shape[axis])]
    return d.node([x], outputs, "UnpackOptions", axis=axis, num=len(outputs))


def _pack(d: Draw) -> Case:
    shape = d.shape()
    axis = d.integer(-len(shape), len(shape) - 1)
    y = d.tensor(shape)
    rest = [n for k, n in enumerate(shape) if k != axis % len(shape)]
    return d.node([d.like(y, rest) for _ in range(shape[axis])], [y], "PackOptions", axis=axis, valuesCount=shape[axis])


def _concatenation(d: Draw) -> Case:
    shape, sizes = d.shape(), [d.integer(1, 4) for _ in range(d.integer(1, 6))]
    axis = d.integer(-len(shape), len(shape) - 1)
    y = d.tensor(_with(shape, axis, sum(sizes)))
    inputs = [d.like(y, _with(shape, axis, n)) for n in sizes]
    if len(inputs) > 1 and d.chance():
        inputs[0] = d.constant(inputs[0])
    return d.node(inputs, [y], "ConcatenationOptions", axis=axis)


def _transpose(d: Draw) -> Case:
    x = d.tensor(d.shape((1, 5)))
    order = [int(n) for n in d.rng.permutation(len(x.shape))]
    return d.node([x, ints(order)], [d.like(x, [x.shape[n] for n in order])])


def _broadcast_to(d: Draw) -> Case:
    shape = d.shape((1, 5))
    source = [n if d.chance() else 1 for n in shape][d.integer(0, len(shape) - 1) :]
    x = d.tensor(source)
    return d.node([x, ints(shape)], [d.like(x, shape)])


def _reverse(d: Draw) -> Case:
    x = d.tensor(d.shape((1, 5)))
    first = d.integer(0, len(x.shape) - 1)
    axes = list(range(first, d.integer(first, len(x.shape) - 1) + 1))
    return d.node([x, ints([a - len(x.shape) if d.chance() else a for a in axes])], [d.like(x)])


def _padded(d: Draw, most: int = 3) -> tuple[TensorSpec, TensorSpec, TensorSpec]:
    x = d.tensor(d.shape((1, 4)))
    pairs = [[d.integer(0, most) for _ in range(2)] for _ in x.shape]
    return x, ints(pairs), d.like(x, [n + sum(p) for n, p in zip(x.shape, pairs, strict=True)])


def _pad(d: Draw) -> Case:
    x, pairs, y = _padded(d)
    return d.node([x, pairs], [y], "PadOptions")


def _pad_v2(d: Draw) -> Case:
    x, pairs, y = _padded(d)
    return d.node([x, pairs, d.constant(d.like(x, ()))], [y], "PadV2Options")


def _mirror_pad(d: Draw) -> Case:
    x, mode = d.tensor(d.shape((1, 4))), d.integer(0, 1)
    pairs = [[d.integer(0, n - 1 + mode) for _ in range(2)] for n in x.shape]
    y = d.like(x, [n + sum(p) for n, p in zip(x.shape, pairs, strict=True)])
    return d.node([x, ints(pairs)], [y], "MirrorPadOptions", mode=mode)


def _depth_and_space(d: Draw) -> Case:
    block = d.integer(1, 3)
    n, h, w, c = (d.integer(1, 4) for _ in range(4))
    deep = d.tensor((n, h, w, c * block * block))
    wide = d.like(deep, (n, h * block, w * block, c))
    if d.kind == "DEPTH_TO_SPACE":
        return d.node([deep], [wide], "DepthToSpaceOptions", blockSize=block)
    return d.node([wide], [deep], "SpaceToDepthOptions", blockSize=block)


def _batch_and_space(d: Draw) -> Case:
    blocks = [d.integer(1, 3) for _ in range(d.integer(1, 2))]
    counts = [d.integer(1, 3) for _ in blocks]
    n, c = d.integer(1, 2), d.integer(1, 3)
    batched = d.tensor((n * int(np.prod(blocks)), *counts, c))
    if d.kind == "SPACE_TO_BATCH_ND":
        image = d.like(batched, (n, *(k * b for k, b in zip(counts, blocks, strict=True)), c))
        return d.node([image, ints(blocks), ints([[0, 0]] * len(blocks))], [batched], "SpaceToBatchNDOptions")
    crops = []
    for count, block in zip(counts, blocks, strict=True):
        before = d.integer(0, count * block - 1)
        crops.append([before, d.integer(0, count * block - 1 - before)])
    sizes = (k * b - sum(crop) for k, b, crop in zip(counts, blocks, crops, strict=True))
    return d.node([batched, ints(blocks), ints(crops)], [d.like(batched, (n, *sizes, c))], "BatchToSpaceNDOptions")


def _indices(d: Draw, shape: tuple[int, ...], limit: int) -> TensorSpec:
    return constant(d.rng.integers(0, limit, shape).astype(np.int32))


def _gather(d: Draw) -> Case:
    x = d.tensor(d.shape((1, 4)))
    axis = d.integer(0, len(x.shape) - 1)
    batch = d.integer(0, axis)
    picked = (*x.shape[:batch], *d.shape((0, 2)))
    y = d.like(x, (*x.shape[:axis], *picked[batch:], *x.shape[axis + 1 :]))
    fields = {"axis": axis - len(x.shape) * d.integer(0, 1), "batchDims": batch}
    if d.chance():
        return d.node([x, _indices(d, picked, x.shape[axis])], [y], "GatherOptions", **fields)
    computed = TensorSpec(picked, "int32")
    case = d.node([x, computed], [y], "GatherOptions", **fields)
    return replace(case, limits={computed: (0, x.shape[axis] - 1)})


def _gather_nd(d: Draw) -> Case:
    x = d.tensor(d.shape((1, 4)))
    depth = d.integer(1, len(x.shape))
    columns = [d.rng.integers(0, n, 3) for n in x.shape[:depth]]
    y = d.like(x, (3, *x.shape[depth:]))
    if d.chance():
        return d.node([x, ints(np.stack(columns, 1))], [y])
    computed = TensorSpec((3, depth), "int32")
    return replace(d.node([x, computed], [y]), limits={computed: (0, min(x.shape[:depth]) - 1)})


def _embedding(d: Draw) -> Case:
    table = d.constant(d.tensor((d.integer(1, 9), *d.shape((1, 2)))))
    rows = TensorSpec((d.integer(1, 6),), "int32")
    y = d.like(table, (*rows.shape, *table.shape[1:]))
    return replace(d.node([rows, table], [y]), limits={rows: (0, table.shape[0] - 1)})


def _shape(d: Draw) -> Case:
    x = TensorSpec(d.shape(), "int8", 0.5)
    return d.node([x], [TensorSpec((len(x.shape),), "int32")], "ShapeOptions", outType=2)


def _broadcast_args(d: Draw) -> Case:
    whole = d.shape((1, 4))
    first = [n if d.chance() else 1 for n in whole]
    second = [n if f == 1 else d.pick([1, n]) for n, f in zip(whole, first, strict=True)]
    if d.chance():
        second = second[d.integer(0, len(second) - 1) :]
    return d.node([ints(first), ints(second)], [TensorSpec((len(whole),), "int32")])


def _fill(d: Draw) -> Case:
    value = d.tensor(())
    shape = d.shape()
    return d.node([ints(shape), d.maybe_constant(value)], [d.like(value, shape)], "FillOptions")


def _zeros_like(d: Draw) -> Case:
    x = d.tensor(d.shape(), zero_point=0)
    return d.node([x], [d.like(x)], "ZerosLikeOptions")


def _read(d: Draw, shaped: Case) -> Case:
    """An op that only renames, and one that reads what it gave."""
    (y,) = shaped.outputs
    z = d.like(y)
    return Case((*shaped.nodes, Node("REVERSE_V2", None, [y, ints([0])], [z])), (z,))


def _reshape(d: Draw) -> Case:
    x = d.tensor(d.shape())
    order = [int(n) for n in d.rng.permutation(len(x.shape))]
    shape = [x.shape[n] for n in order]
    given = list(shape)
    if d.chance():
        given[d.integer(0, len(given) - 1)] = -1
    y = d.like(x, shape)
    if d.chance():
        return _read(d, d.node([x], [y], "ReshapeOptions", newShape=given))
    return _read(d, d.node([x, ints(given)], [y]))


def _squeeze(d: Draw) -> Case:
    kept = d.shape((1, 3))
    shape = [n for size in kept for n in ([1, size] if d.chance() else [size])]
    ones = [k for k, n in enumerate(shape) if n == 1]
    x = d.tensor(shape)
    y = d.like(x, [n for n in shape if n != 1] or [])
    if not y.shape:
        x = d.tensor((*shape, 2))
        y = d.like(x, (2,))
    return _read(d, d.node([x], [y], "SqueezeOptions", squeezeDims=ones if d.chance() else []))


def _expand_dims(d: Draw) -> Case:
    x = d.tensor(d.shape())
    axis = d.integer(-len(x.shape) - 1, len(x.shape))
    shape = list(x.shape)
    shape.insert(axis if axis >= 0 else axis + len(shape) + 1, 1)
    y = d.like(x, shape)
    case = _read(d, d.node([x, ints(axis)], [y], "ExpandDimsOptions"))
    if d.dtype in ("int8", "int16", "float32"):
        return case
    return replace(case, twin=(Node("RESHAPE", None, [x, ints(shape)], [y]), *case.nodes[1:]))


def _resize(d: Draw) -> Case:
    x = d.tensor((d.integer(1, 2), d.integer(1, 9), d.integer(1, 9), d.integer(1, 4)))
    size = (d.integer(1, 20), d.integer(1, 20))
    align, half = d.pick([(False, False), (True, False), (False, True)])
    table = "ResizeBilinearOptions" if d.kind == "RESIZE_BILINEAR" else "ResizeNearestNeighborOptions"
    y = d.like(x, (x.shape[0], *size, x.shape[3]))
    return d.node([x, ints(size)], [y], table, alignCorners=align, halfPixelCenters=half)


def _dynamic_update_slice(d: Draw) -> Case:
    x = d.tensor(d.shape((1, 4)))
    update = d.like(x, [d.integer(1, n) for n in x.shape])
    start = TensorSpec((len(x.shape),), "int32")
    room = min(n - u for n, u in zip(x.shape, update.shape, strict=True))
    case = d.node([x, update, start], [d.like(x)], "DynamicUpdateSliceOptions")
    return replace(case, limits={start: (0, room)})


GENERATORS: dict[str, Generate] = {
    "BATCH_TO_SPACE_ND": _batch_and_space,
    "BROADCAST_ARGS": _broadcast_args,
    "BROADCAST_TO": _broadcast_to,
    "CONCATENATION": _concatenation,
    "DEPTH_TO_SPACE": _depth_and_space,
    "DYNAMIC_UPDATE_SLICE": _dynamic_update_slice,
    "EMBEDDING_LOOKUP": _embedding,
    "EXPAND_DIMS": _expand_dims,
    "FILL": _fill,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "MIRROR_PAD": _mirror_pad,
    "PACK": _pack,
    "PAD": _pad,
    "PADV2": _pad_v2,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "REVERSE_V2": _reverse,
    "SHAPE": _shape,
    "SLICE": _slice,
    "SPACE_TO_BATCH_ND": _batch_and_space,
    "SPACE_TO_DEPTH": _depth_and_space,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
    "ZEROS_LIKE": _zeros_like,
}
