"""What a TensorFlow function does with its inputs first, told from its graph: for models that have no Keras layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcugen.convert.types import OwnScaling

_PASSING = frozenset(
    {"Identity", "IdentityN", "Reshape", "Cast", "Squeeze", "ExpandDims", "Transpose", "Pad", "AvgPool", "MaxPool"}
)
_SHIFT = frozenset({"Add", "AddV2", "Sub", "BiasAdd"})
_MOST_STEPS = 1000


def graph_scaling(concrete: Any) -> OwnScaling | None:
    """What the ops at the inputs of a concrete function multiply their values by.

    Returns:
        None where the graph does not tell.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    from tensorflow.python.framework.tensor_util import MakeNdarray

    try:
        nodes = {node.name: node for node in convert_variables_to_constants_v2(concrete).graph.as_graph_def().node}
    except Exception:  # whatever TensorFlow raises over a graph that it cannot freeze: nothing is known then
        return None
    followers: dict[str, list[str]] = {}
    for node in nodes.values():
        for name in node.input:
            followers.setdefault(_node(name), []).append(node.name)

    def constant(name: str) -> float | None:
        node = nodes.get(_node(name))
        while node is not None and node.op == "Identity":
            node = nodes.get(_node(node.input[0]))
        if node is None or node.op != "Const":
            return None
        value = np.asarray(MakeNdarray(node.attr["value"].tensor))
        return float(np.max(np.abs(value))) if value.size and value.dtype.kind in "iuf" else None

    found = []
    pending = [(node.name, OwnScaling(1.0, "")) for node in nodes.values() if node.op == "Placeholder"]
    for _ in range(_MOST_STEPS):
        if not pending:
            break
        here, before = pending.pop()
        for name in followers.get(here, []):
            node = nodes[name]
            others = [constant(given) for given in node.input if _node(given) != here]
            known = next((value for value in others if value), None)
            layer = before.layer or name
            if node.op in _PASSING:
                pending.append((name, before))
            elif node.op in _SHIFT and known is not None:
                pending.append((name, OwnScaling(before.scale, layer, max(before.offset, known / before.scale))))
            elif node.op == "Mul" and known is not None:
                pending.append((name, OwnScaling(before.scale * known, layer, before.offset)))
            elif node.op == "RealDiv" and known is not None:
                pending.append((name, OwnScaling(before.scale / known, layer, before.offset)))
            else:
                found.append(before)
    return min(found, key=lambda way: way.scale, default=None)


def _node(name: str) -> str:
    """The node of a tensor's name: ^a/b:0 → a/b."""
    return name.lstrip("^").split(":")[0]
