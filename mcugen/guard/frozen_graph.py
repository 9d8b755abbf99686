"""Graphs of TensorFlow 1, looked through before TensorFlow runs any of their ops."""

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
    from tensorflow.core.framework import graph_pb2

    graph = _parsed(graph_pb2.GraphDef(), source, _HINT)
    if not graph.node or not all(node.op and node.name for node in graph.node):
        raise ModelError("the file holds no frozen graph", where=str(source), hint=_HINT)
    if not trusted:
        check_ops(graph, str(source))
    return graph


def meta_graph(source: Path) -> Any:
    """The `GraphDef` in the `.meta` file of a checkpoint, which holds ops of training: not checked, and not to be run.

    Raises:
        ModelError: damaged, or no graph.
    """
    from tensorflow.core.protobuf import meta_graph_pb2

    hint = "Save it again with tf.compat.v1.train.Saver().save()"
    graph = _parsed(meta_graph_pb2.MetaGraphDef(), source, hint).graph_def
    if not graph.node or not all(node.op and node.name for node in graph.node):
        raise ModelError("the file holds no graph", where=str(source), hint=hint)
    return graph


def check_ops(graph: Any, where: str) -> None:
    """Look up every op of a graph and of its functions.

    Raises:
        ModelError: it holds an op that does more than compute.
    """
    bodies = {function.signature.name: function.node_def for function in graph.library.function}
    for name, body in (("", graph.node), *bodies.items()):
        for node in body:
            if node.op not in ALLOWED - RESTORES and node.op not in bodies:
                raise refused_op(node, name, where)


def _parsed(message: Any, source: Path, hint: str) -> Any:
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(source.read_bytes())
    except DecodeError:
        raise ModelError("the graph is truncated or corrupted", where=str(source), hint=hint) from None
    return message
