"""Frozen graphs of TensorFlow 1, looked through before TensorFlow runs any of their ops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcugen.errors import ModelError
from mcugen.guard.graph_ops import ALLOWED, RESTORES
from mcugen.guard.saved_model import refused_op

_HINT = "Freeze it again: convert_variables_to_constants(), then SerializeToString() of the result"


def checked_graph(source: Path, *, trusted: bool = False) -> Any:
    """The `GraphDef` in a `.pb` file. Nothing of it has run.

    Args:
        trusted: its ops are not checked.

    Raises:
        ModelError: damaged, no graph, or it holds an op that does more than compute.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.framework import graph_pb2

    where = str(source)
    graph = graph_pb2.GraphDef()
    try:
        graph.ParseFromString(source.read_bytes())
    except DecodeError:
        raise ModelError("the graph is truncated or corrupted", where=where, hint=_HINT) from None
    if not graph.node or not all(node.op and node.name for node in graph.node):
        raise ModelError("the file holds no frozen graph", where=where, hint=_HINT)
    bodies = {function.signature.name: function.node_def for function in graph.library.function}
    for name, body in (("", graph.node), *bodies.items()):
        for node in body:
            if not trusted and node.op not in ALLOWED - RESTORES and node.op not in bodies:
                raise refused_op(node, name, where)
    return graph
