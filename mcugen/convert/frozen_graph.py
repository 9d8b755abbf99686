"""Frozen graphs of TensorFlow 1: what they compute, and as float32 `.tflite`. Runs in the worker process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcugen.convert.given_shapes import check_names, fixed_shape
from mcugen.convert.given_signature import between
from mcugen.convert.graph_inputs import graph_scaling
from mcugen.convert.output_names import with_output_names
from mcugen.convert.types import OwnScaling
from mcugen.errors import ConversionError, ModelError
from mcugen.tflite.schema import printable

_INPUT = "Placeholder"
_NO_RESULT = frozenset({"NoOp", "Assert", "Const", "CheckNumerics"})
"""Ops at the end of a graph whose results nobody wants."""

_MOST_NAMES = 8
_HELD = frozenset({"Variable", "VariableV2", "VarHandleOp"})


def convert_frozen(graph: Any, shapes: Mapping[str, Sequence[int]], given: str) -> tuple[bytes, OwnScaling | None]:
    """A `GraphDef` as float32 `.tflite`, batch fixed to 1; and what it does first with its input.

    Args:
        shapes: of inputs, as the user gives them.
        given: "a,b->c" with the names of the tensors that are inputs and outputs. Without it, inputs are the
            placeholders that something depends on, and outputs what nothing else takes.

    Raises:
        ModelError: variables that were not frozen; a name that the graph does not have; nothing to compute.
        ConversionError: a shape that is not known; an op that TensorFlow Lite does not have.
    """
    import tensorflow as tf

    nodes = {node.name: node for node in graph.node}
    if (held := next((node.name for node in graph.node if node.op in _HELD), None)) is not None:
        raise ModelError(
            "the graph is not frozen: it has variables, whose values are in a checkpoint",
            where=f'node "{printable(held)}"',
            hint="Freeze it with tf.compat.v1.graph_util.convert_variables_to_constants()",
        )
    inputs, outputs = between_ends(graph, given)
    check_names([_node(name) for name in inputs], shapes)
    for name in inputs:
        node = nodes[_node(name)]
        if node.op == _INPUT:
            known = node.attr["shape"].shape
            if known.unknown_rank or "shape" not in node.attr:
                sizes: list[int | None] | None = None
            else:
                sizes = [d.size if d.size > 0 else None for d in known.dim]
            wanted = _fixed(node.name, sizes, shapes)
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(wanted).as_proto())
    function = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    taken = [_tensor(function.graph, name) for name in inputs]
    if unknown := next((tensor.name for tensor in taken if not tensor.shape.is_fully_defined()), None):
        raise ConversionError(
            "its shape is not known", where=f'input "{printable(unknown)}"', hint="Begin at a placeholder"
        )
    made = function.prune(taken, [_tensor(function.graph, name) for name in outputs])
    scaling = graph_scaling(made)
    tflite = bytes(tf.lite.TFLiteConverter.from_concrete_functions([made]).convert())
    named = [(name.removesuffix(":0"), tuple(t.shape)) for name, t in zip(outputs, made.outputs, strict=True)]
    return with_output_names(tflite, named), scaling


def between_ends(graph: Any, given: str) -> tuple[list[str], list[str]]:
    """Names of the tensors that a graph goes from and to: as given, or what it begins and ends with.

    Raises:
        ModelError: a name that the graph does not have; nothing to compute.
    """
    nodes = {node.name: node for node in graph.node}
    inputs, outputs = between(given)
    for name in (*inputs, *outputs):
        if name.split(":")[0] not in nodes:
            raise ModelError(f"the graph has no node {name!r}", where="`signature`", hint=_names_of(graph))
    outputs = outputs or _ends(graph)
    inputs = inputs or _beginnings(nodes, outputs)
    if not inputs or not outputs:
        raise ModelError("no output of the graph depends on a placeholder", hint="Say what is meant: `signature`")
    return inputs, outputs


def _fixed(name: str, sizes: Sequence[int | None] | None, shapes: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    if sizes is not None:
        return fixed_shape(name, sizes, shapes)
    if (wanted := shapes.get(name, shapes.get(""))) is None:
        raise ConversionError(
            "the graph says nothing of its shape",
            where=f'input "{printable(name)}"',
            hint=f'Say it with `input_shape="{name}=1,N,N,3"`, batch first, a number for each N',
        )
    return tuple(wanted)


def _ends(graph: Any) -> list[str]:
    """What no other node takes, in the graph's order, as far as a placeholder leads there."""
    readers: dict[str, list[str]] = {}
    for node in graph.node:
        for source in node.input:
            readers.setdefault(_node(source), []).append(node.name)
    pending, led_to = [node.name for node in graph.node if node.op == _INPUT], set[str]()
    while pending:
        name = pending.pop()
        if name not in led_to:
            led_to.add(name)
            pending.extend(readers.get(name, ()))
    return [
        node.name
        for node in graph.node
        if node.name in led_to and node.name not in readers and node.op not in (_INPUT, *_NO_RESULT)
    ]


def _beginnings(nodes: Mapping[str, Any], outputs: Sequence[str]) -> list[str]:
    """The placeholders that lead to the outputs, in the graph's order."""
    pending, seen = [_node(name) for name in outputs], set[str]()
    while pending:
        name = pending.pop()
        if name in nodes and name not in seen:
            seen.add(name)
            pending.extend(_node(source) for source in nodes[name].input)
    return [name for name, node in nodes.items() if name in seen and node.op == _INPUT]


def _node(name: str) -> str:
    return name.removeprefix("^").split(":")[0]


def _tensor(graph: Any, name: str) -> Any:
    return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")


def _names_of(graph: Any) -> str:
    inputs, ends = ([node.name for node in graph.node if node.op == _INPUT], _ends(graph))
    return f"Its placeholders are {_listed(inputs)}; it ends with {_listed(ends)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return (", ".join(printable(name) for name in names[:_MOST_NAMES]) or "none") + more
