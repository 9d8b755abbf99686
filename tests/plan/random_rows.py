"""Random networks whose layers take rows, and plans of them with pipelines wherever these can be."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcugen.graph.types import Graph
from mcugen.ops.base import Target
from mcugen.runtimes.aot.plan import Plan
from mcugen.runtimes.aot.plan.planner import row_search
from mcugen.runtimes.aot.plan.turns import Span
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options
from tests.kernels.weighted_models import output_size, random_weights

SCALE, ZERO = 0.05, -5


def random_network(seed: int) -> bytes:
    """A chain of convolutions, depthwise convolutions and pools, with sums and concatenations over branches."""
    rng = np.random.default_rng(seed)
    channels = int(rng.choice([4, 8]))
    tensors = [_image((1, int(rng.integers(3, 16)), int(rng.integers(3, 9)), channels))]
    nodes: list[Node] = []
    for _ in range(int(rng.integers(3, 8))):
        source = tensors[-1]
        twins = [t for t in tensors[:-1] if t.shape == source.shape]
        kind = rng.choice(["conv", "depthwise", "pool", "join"])
        if kind == "join" and twins:
            other = twins[int(rng.integers(len(twins)))]
            nodes.append(_sum(other, source) if rng.random() < 0.5 else _joined(other, source))
        elif kind == "pool":
            nodes.append(_pool(rng, source))
        else:
            nodes.append(_weighted(rng, source, depthwise=kind == "depthwise"))
        tensors.append(nodes[-1].outputs[0])
    if rng.random() < 0.5:
        nodes.append(_mean(rng, tensors[-1]))
        tensors.append(nodes[-1].outputs[0])
    used = {id(t) for node in nodes for t in node.inputs if t is not None}
    ends = [t for t in tensors[1:] if id(t) not in used]
    return build_graph(nodes, ends)


def _image(shape: tuple[int, ...]) -> TensorSpec:
    return TensorSpec(shape, scale=SCALE, zero_point=ZERO)


def _drawn(
    rng: np.random.Generator, source: TensorSpec
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], bool]:
    """Filter size, stride and dilation that fit an image, and whether it is padded."""
    same = bool(rng.random() < 0.7)
    most = [n if not same else n + 3 for n in source.shape[1:3]]
    taps = tuple(int(rng.integers(1, min(5, n) + 1)) for n in most)
    dilation = tuple(
        int(rng.integers(1, 3)) if k > 1 and (same or (k - 1) * 2 + 1 <= n) else 1
        for k, n in zip(taps, source.shape[1:3], strict=True)
    )
    stride = tuple(int(n) for n in rng.integers(1, 4, 2))
    return taps, stride if max(dilation) == 1 else (1, 1), dilation, same


def _output(source: TensorSpec, taps: Any, stride: Any, dilation: Any, same: bool, channels: int) -> TensorSpec:
    size = [output_size(source.shape[1 + n], taps[n], stride[n], dilation[n], same) for n in range(2)]
    return _image((1, *size, channels))


def _weighted(rng: np.random.Generator, source: TensorSpec, *, depthwise: bool) -> Node:
    taps, stride, dilation, same = _drawn(rng, source)
    channels = source.shape[3] if depthwise else int(rng.choice([4, 8, 12]))
    seed = int(rng.integers(1 << 30))
    fields = {"padding": int(not same), "strideH": stride[0], "strideW": stride[1]}
    fields |= {"dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
    if depthwise:
        weights, axis = random_weights((1, *taps, channels), seed), 3
        made = options("DepthwiseConv2DOptions", depthMultiplier=1, **fields)
        depth = taps[0] * taps[1]
    else:
        weights, axis = random_weights((channels, *taps, source.shape[3]), seed), 0
        made, depth = options("Conv2DOptions", **fields), taps[0] * taps[1] * source.shape[3]
    scales = np.full(channels, 40 / (74.0 * 73.0 * depth**0.5), np.float32).tolist()
    kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    output = _output(source, taps, stride, dilation, same, channels)
    return Node(kind, made, [source, constant(weights, scales, 0, axis)], [output])


def _pool(rng: np.random.Generator, source: TensorSpec) -> Node:
    taps, stride, _, same = _drawn(rng, source)
    fields = {"padding": int(not same), "strideH": stride[0], "strideW": stride[1]}
    made = options("Pool2DOptions", filterHeight=taps[0], filterWidth=taps[1], **fields)
    kind = str(rng.choice(["MAX_POOL_2D", "AVERAGE_POOL_2D"]))
    return Node(kind, made, [source], [_output(source, taps, stride, (1, 1), same, source.shape[3])])


def _mean(rng: np.random.Generator, source: TensorSpec) -> Node:
    """Over the whole image: a mean of another scale, or a pool."""
    channels = source.shape[3]
    if rng.random() < 0.5:
        axes = TensorSpec((2,), "int32", data=np.array([1, 2], np.int32))
        output = TensorSpec((1, channels), scale=SCALE * 0.7, zero_point=9)
        return Node("MEAN", options("ReducerOptions", keepDims=False), [source, axes], [output])
    size = {"filterHeight": source.shape[1], "filterWidth": source.shape[2]}
    pool = options("Pool2DOptions", padding=1, strideH=1, strideW=1, **size)
    return Node("AVERAGE_POOL_2D", pool, [source], [_image((1, 1, 1, channels))])


def _sum(first: TensorSpec, second: TensorSpec) -> Node:
    return Node("ADD", options("AddOptions"), [first, second], [_image(first.shape)])


def _joined(first: TensorSpec, second: TensorSpec) -> Node:
    shape = (*first.shape[:3], first.shape[3] + second.shape[3])
    return Node("CONCATENATION", options("ConcatenationOptions", axis=3), [first, second], [_image(shape)])


def flowing_plan(graph: Graph, target: Target, seed: int, *, pushed: bool = False) -> Plan | None:
    """A plan with random pipelines, and stripes of random heights in them; None where no two steps can make one."""
    rng = np.random.default_rng(seed)
    search = row_search(graph, target, "ram", pushed=pushed)
    assert search is not None
    spans: list[Span] = []
    last = search.count - 1
    while last >= 0:
        firsts = search.firsts(last)
        first = min(firsts) if pushed or rng.random() < 0.7 else int(rng.choice(firsts))
        if first < last:
            spans.insert(0, Span(first, last))
        last = first - 1
    if not spans or (pushed and spans[0].first > 0):
        return None
    chosen = {}
    for span in spans:
        for n in range(span.first, span.last + 1):
            ways = list(search.ways(n))
            chosen[n] = ways[int(rng.integers(len(ways)))]
    return search.planned(spans, chosen)
