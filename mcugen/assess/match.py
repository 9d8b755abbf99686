"""Which layer of a float model became which layer of a quantized one."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher

from mcugen.graph.types import Graph, Op

_EDGES = frozenset({"QUANTIZE", "DEQUANTIZE"})


def match_ops(floats: Graph, quantized: Graph) -> dict[int, Op]:
    """Partner in the float model of every op of the quantized one that has one, by `Op.index`.

    Models that mcugen quantized keep the names of tensors. Others, say one that a publisher made from the same
    Keras model with another converter, may name them otherwise: then ops of the same kind and output shape are paired
    in order, between those that names have paired.
    """
    theirs, ours = _by_name(floats), _by_name(quantized)
    named = {
        op.index: theirs[name]
        for name, op in ours.items()
        if name in theirs and _key(floats, theirs[name]) == _key(quantized, op)
    }
    anchors = {op.index for op in named.values()}
    left = [op for op in floats.ops if op.kind not in _EDGES]
    right = [op for op in quantized.ops if op.kind not in _EDGES]
    left_keys = [("", op.index) if op.index in anchors else _key(floats, op) for op in left]
    right_keys = [("", named[op.index].index) if op.index in named else _key(quantized, op) for op in right]
    found = dict(named)
    for block in SequenceMatcher(None, left_keys, right_keys, autojunk=False).get_matching_blocks():
        for n in range(block.size):
            found.setdefault(right[block.b + n].index, left[block.a + n])
    return found


def is_edge(op: Op) -> bool:
    """Whether an op only changes how numbers are stored: it has no partner in the float model."""
    return op.kind in _EDGES


def _by_name(graph: Graph) -> dict[str, Op]:
    """Ops by the name of their first output, where it is unique."""
    named = [(graph.output_of(op).name, op) for op in graph.ops if op.outputs and op.kind not in _EDGES]
    counts = Counter(name for name, _ in named)
    return {name: op for name, op in named if counts[name] == 1}


def _key(graph: Graph, op: Op) -> tuple[str, object]:
    return op.kind, graph.output_of(op).shape
