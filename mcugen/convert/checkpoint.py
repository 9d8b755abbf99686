"""Checkpoints of TensorFlow 1: the part of their graph that is meant, with the values of its variables as constants.

Nothing of the graph runs for that, so that ops of training, and those that save and restore, do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcugen.convert.frozen_graph import between_ends
from mcugen.errors import ModelError
from mcugen.guard.frozen_graph import check_ops, meta_graph
from mcugen.tflite.schema import printable

_REFERENCES = frozenset({"Variable", "VariableV2"})
_HANDLE, _READ = "VarHandleOp", "ReadVariableOp"


def frozen_checkpoint(source: Path, given: str, *, trusted: bool) -> Any:
    """The graph of a checkpoint from its inputs to its outputs, frozen, as a `GraphDef`.

    Args:
        source: the `.meta` file; `.index` and `.data-…` are beside it.
        given: "a,b->c" with the names of the tensors that are inputs and outputs, see `between_ends`.
        trusted: ops are not checked.

    Raises:
        ModelError: damaged; a value that is missing; a variable that is changed; an op that does more than compute.
    """
    import tensorflow as tf

    graph = meta_graph(source)
    inputs, outputs = between_ends(graph, given)
    needed = _leading_to(graph, outputs, inputs)
    prefix = str(source.with_suffix(""))
    with _reading(prefix):
        reader = tf.train.load_checkpoint(prefix)
        names = reader.get_variable_to_shape_map()

    def value(name: str) -> Any:
        if name not in names:
            raise ModelError(
                f'it has no value of the variable "{printable(name)}"', where=prefix, hint="Save all variables"
            )
        with _reading(prefix):
            return reader.get_tensor(name)

    frozen = _frozen(graph, needed, {name.split(":")[0] for name in inputs}, value)
    if not trusted:
        check_ops(frozen, str(source))
    return frozen


@contextmanager
def _reading(prefix: str) -> Iterator[None]:
    import tensorflow as tf

    try:
        yield
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"the checkpoint's values cannot be read: {str(error).splitlines()[0]}",
            where=prefix,
            hint="Keep .meta, .index and .data files of a checkpoint beside each other",
        ) from None


def _leading_to(graph: Any, outputs: list[str], inputs: list[str]) -> set[str]:
    """Names of the nodes that outputs depend on, those that are inputs included, and nothing before these."""
    nodes = {node.name: node for node in graph.node}
    stops = {name.split(":")[0] for name in inputs}
    pending, found = [name.split(":")[0] for name in outputs], set[str]()
    while pending:
        name = pending.pop()
        if name in nodes and name not in found:
            found.add(name)
            if name not in stops:
                pending.extend(source.split(":")[0] for source in nodes[name].input if not source.startswith("^"))
    return found


def _frozen(graph: Any, needed: set[str], inputs: set[str], value: Callable[[str], Any]) -> Any:
    import tensorflow as tf

    handles = {node.name: node for node in graph.node if node.op == _HANDLE and node.name in needed}
    frozen = type(graph)()
    frozen.versions.CopyFrom(graph.versions)
    frozen.library.CopyFrom(graph.library)
    for node in graph.node:
        if node.name not in needed or node.name in handles:
            continue
        if node.name in inputs and node.op != "Placeholder":
            begun = frozen.node.add(name=node.name, op="Placeholder")
            begun.attr["dtype"].type = (node.attr["T"].type or node.attr["dtype"].type) or tf.float32.as_datatype_enum
            begun.attr["shape"].shape.unknown_rank = True
            continue
        source = node.input[0].split(":")[0] if node.input else ""
        if node.op in _REFERENCES or (node.op == _READ and source in handles):
            held = node if node.op in _REFERENCES else handles[source]
            constant = frozen.node.add(name=node.name, op="Const")
            tensor = tf.make_tensor_proto(value(_name_in_file(held)))
            constant.attr["value"].tensor.CopyFrom(tensor)
            constant.attr["dtype"].type = tensor.dtype
            continue
        if changed := next((name for name in node.input if name.split(":")[0] in handles), None):
            raise ModelError(
                f"the op {printable(node.op)} takes a variable, not its value",
                where=f'node "{printable(node.name)}" of "{printable(changed)}"',
                hint="Name the outputs of inference alone: `signature='input->output'`",
            )
        copy = frozen.node.add()
        copy.CopyFrom(node)
        del copy.input[:]
        copy.input.extend(name for name in node.input if not name.startswith("^"))
    return frozen


def _name_in_file(variable: Any) -> str:
    shared = variable.attr["shared_name"].s.decode("utf-8", "replace") if "shared_name" in variable.attr else ""
    return shared or str(variable.name)
