"""Ops that move values, or make them of shapes."""

from __future__ import annotations

import numpy as np

from mcugen.reference.node import Array, Node, op


@op("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def same_values(node: Node) -> Array:
    return node.value(0).reshape(node.output.shape)


@op("CONCATENATION")
def concatenation(node: Node) -> Array:
    return np.concatenate([v for v in node.values if v is not None], axis=int(node.option("axis")))


@op("PACK")
def pack(node: Node) -> Array:
    return np.stack([v for v in node.values if v is not None], axis=int(node.option("axis")))


@op("UNPACK")
def unpack(node: Node) -> list[Array]:
    axis = int(node.option("axis"))
    return [np.take(node.value(0), n, axis) for n in range(len(node.outputs))]


@op("SPLIT")
def split(node: Node) -> list[Array]:
    return np.split(node.value(1), len(node.outputs), axis=node.ints(0)[0])


@op("SPLIT_V")
def split_v(node: Node) -> list[Array]:
    (axis,) = node.ints(2)
    ends = np.cumsum([output.shape[axis] for output in node.outputs])[:-1]
    return np.split(node.value(0), ends, axis=axis)


@op("SLICE")
def slice_(node: Node) -> Array:
    begin = node.ints(1)
    return node.value(0)[tuple(slice(b, b + n) for b, n in zip(begin, node.output.shape, strict=True))]


@op("STRIDED_SLICE")
def strided_slice(node: Node) -> Array:
    begin, end, step = (node.ints(n) for n in (1, 2, 3))
    index: list[int | slice] = []
    for n in range(len(begin)):
        if node.option("shrinkAxisMask") >> n & 1:
            index.append(begin[n])
            continue
        first = None if node.option("beginMask") >> n & 1 else begin[n]
        last = None if node.option("endMask") >> n & 1 else end[n]
        if last is not None and node.option("offset"):
            last += begin[n]
        index.append(slice(first, last, step[n]))
    return node.value(0)[tuple(index)]


@op("TRANSPOSE")
def transpose(node: Node) -> Array:
    return node.value(0).transpose(node.ints(1))


@op("REVERSE_V2")
def reverse(node: Node) -> Array:
    return np.flip(node.value(0), tuple(node.ints(1)))


@op("PAD", "PADV2")
def pad(node: Node) -> Array:
    pairs = node.value(1).reshape(-1, 2).tolist()
    if node.kind == "PADV2":
        fill = node.value(2).reshape(())
    else:
        output = node.output
        fill = np.array(output.zero_point if output.quant is not None else 0, output.dtype.numpy)
    return np.pad(node.value(0), pairs, constant_values=fill)


@op("MIRROR_PAD")
def mirror_pad(node: Node) -> Array:
    """0 reflects without the edge, 1 with it."""
    pairs = node.value(1).reshape(-1, 2).tolist()
    return np.pad(node.value(0), pairs, mode="symmetric" if node.option("mode") else "reflect")


@op("BROADCAST_TO")
def broadcast_to(node: Node) -> Array:
    return np.broadcast_to(node.value(0), node.output.shape)


@op("BROADCAST_ARGS")
def broadcast_args(node: Node) -> Array:
    shape = np.broadcast_shapes(tuple(node.ints(0)), tuple(node.ints(1)))
    return np.array(shape, node.output.dtype.numpy)


@op("SHAPE")
def shape(node: Node) -> Array:
    return np.array(node.tensor(0).shape, node.output.dtype.numpy)


@op("FILL")
def fill(node: Node) -> Array:
    return np.full(node.output.shape, node.value(1).reshape(()))


@op("ZEROS_LIKE")
def zeros_like(node: Node) -> Array:
    return np.zeros_like(node.value(0))


@op("DEPTH_TO_SPACE")
def depth_to_space(node: Node) -> Array:
    block = int(node.option("blockSize"))
    n, h, w, c = node.value(0).shape
    parts = node.value(0).reshape(n, h, w, block, block, c // block**2)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(node.output.shape)


@op("SPACE_TO_DEPTH")
def space_to_depth(node: Node) -> Array:
    block = int(node.option("blockSize"))
    n, h, w, c = node.value(0).shape
    parts = node.value(0).reshape(n, h // block, block, w // block, block, c)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(node.output.shape)


@op("SPACE_TO_BATCH_ND")
def space_to_batch(node: Node) -> Array:
    blocks, image = node.ints(1), node.value(0)
    pads = [(0, 0), *(tuple(p) for p in node.value(2).reshape(-1, 2).tolist())]
    pads += [(0, 0)] * (image.ndim - len(pads))
    output = node.output
    zero = output.zero_point if output.quant is not None else 0
    image = np.pad(image, pads, constant_values=np.array(zero, image.dtype))
    spatial = [n for size, b in zip(image.shape[1:], blocks, strict=False) for n in (size // b, b)]
    rest = image.shape[1 + len(blocks) :]
    parts = image.reshape(image.shape[0], *spatial, *rest)
    inner, outer = [2 + 2 * k for k in range(len(blocks))], [1 + 2 * k for k in range(len(blocks))]
    tail = range(1 + 2 * len(blocks), parts.ndim)
    return parts.transpose(*inner, 0, *outer, *tail).reshape(node.output.shape)


@op("BATCH_TO_SPACE_ND")
def batch_to_space(node: Node) -> Array:
    blocks, batched = node.ints(1), node.value(0)
    k = len(blocks)
    parts = batched.reshape(*blocks, -1, *batched.shape[1:])
    order = [k, *(n for j in range(k) for n in (k + 1 + j, j)), *range(2 * k + 1, parts.ndim)]
    sizes = [size * block for size, block in zip(batched.shape[1:], blocks, strict=False)]
    image = parts.transpose(order).reshape(-1, *sizes, *batched.shape[1 + k :])
    for axis, (before, after) in enumerate(node.value(2).reshape(-1, 2).tolist(), start=1):
        image = np.take(image, range(before, image.shape[axis] - after), axis)
    return image


def _within(indices: Array, size: int) -> Array:
    """Indices that are out of range pick the nearest row, as generated code does; the reference stops."""
    return np.clip(indices.astype(np.int64), 0, size - 1)


@op("GATHER")
def gather(node: Node) -> Array:
    values, indices = node.value(0), node.value(1)
    axis = int(node.option("axis")) % values.ndim
    batch = int(node.option("batchDims"))
    batch = batch + indices.ndim if batch < 0 else batch
    picked = _within(indices, values.shape[axis])
    if batch == 0:
        return np.take(values, picked, axis)
    found = [np.take(values[at], picked[at], axis - batch) for at in np.ndindex(*values.shape[:batch])]
    return np.array(found, values.dtype).reshape(node.output.shape)


@op("GATHER_ND")
def gather_nd(node: Node) -> Array:
    values, indices = node.value(0), node.value(1)
    depth = indices.shape[-1]
    columns = tuple(_within(indices[..., k], values.shape[k]) for k in range(depth))
    return values[columns]


@op("EMBEDDING_LOOKUP")
def embedding_lookup(node: Node) -> Array:
    table = node.value(1)
    return table[_within(node.value(0), len(table))]


@op("SELECT_V2", "SELECT")
def select(node: Node) -> Array:
    return np.where(node.value(0), node.value(1), node.value(2))


@op("TILE")
def tile(node: Node) -> Array:
    return np.tile(node.value(0), node.ints(1))


@op("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice(node: Node) -> Array:
    """Where the update would not fit, it is moved inwards."""
    result, update = node.value(0).copy(), node.value(1)
    starts = [
        max(0, min(start, size - part))
        for start, size, part in zip(node.ints(2), result.shape, update.shape, strict=True)
    ]
    result[tuple(slice(s, s + n) for s, n in zip(starts, update.shape, strict=True))] = update
    return result
