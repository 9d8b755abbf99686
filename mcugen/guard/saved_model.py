"""SavedModels, looked through before TensorFlow loads them: loading one runs its initializers, and its graph may hold
ops that write files or run Python."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mcugen.errors import ModelError
from mcugen.guard.graph_ops import ALLOWED, RESTORES, SAVES

_MOST_BYTES = 1 << 30
_MAIN_OPS = ("saved_model_main_op", "legacy_init_op")
_HINT = "Save what the device is to compute alone: the network without its input pipeline, tables of files and printing"


def checked_folder(source: Path, folder: Path, *, trusted: bool = False) -> Path:
    """Copy a SavedModel into `folder`, out of reach of others, and check the copy.

    Args:
        trusted: its graphs are not checked.

    Raises:
        ModelError: damaged, too large, or it holds an op that does more than compute.
    """
    copy, left = folder / "saved_model", _MOST_BYTES
    for path in sorted(source.rglob("*")):
        if not path.is_file():
            continue
        left -= path.stat().st_size
        if left < 0:
            raise ModelError(f"the SavedModel has more than {_MOST_BYTES >> 30} GB", where=str(source))
        target = copy / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if not trusted:
        check_saved_model(copy, str(source))
    return copy


def check_saved_model(folder: Path, where: str) -> None:
    """Check every op of every graph and function in a SavedModel.

    Raises:
        ModelError: damaged, or it holds an op that does more than compute.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    except DecodeError:
        raise ModelError("saved_model.pb is truncated or corrupted", where=where, hint="Export it again") from None
    if not saved.meta_graphs:
        raise ModelError("the SavedModel holds no graph", where=where, hint="Export it again")
    for graph in saved.meta_graphs:
        _check_graph(graph, where)


def _check_graph(graph: Any, where: str) -> None:
    bodies = {f.signature.name: tuple(f.node_def) for f in graph.graph_def.library.function}
    nodes = {node.name: node for node in graph.graph_def.node}
    for name, body in (("", graph.graph_def.node), *bodies.items()):
        for node in body:
            if node.op not in ALLOWED | SAVES and node.op not in bodies:
                raise refused_op(node, name, where)
    saves = _that_reach(bodies, SAVES)
    touches_files = _that_reach(bodies, SAVES | RESTORES)
    # What loading or converting may run.
    for name in _functions_of_objects(graph):
        _check_function(name, touches_files, bodies, where)
    runs = {tensor.name for signature in graph.signature_def.values() for tensor in signature.outputs.values()}
    runs |= {
        end for kind in _MAIN_OPS if kind in graph.collection_def for end in graph.collection_def[kind].node_list.value
    }
    _check_nodes(runs, nodes, touches_files, SAVES | RESTORES, where)
    _check_nodes({graph.saver_def.restore_op_name}, nodes, saves, SAVES, where)


def _functions_of_objects(graph: Any) -> Iterator[str]:
    yield from graph.object_graph_def.concrete_functions
    for node in graph.object_graph_def.nodes:
        if node.WhichOneof("kind") == "bare_concrete_function":
            yield node.bare_concrete_function.concrete_function_name
        elif node.WhichOneof("kind") == "function":
            yield from node.function.concrete_functions


def _check_function(name: str, forbidden: set[str], bodies: Mapping[str, Any], where: str) -> None:
    if name in forbidden:
        node = next(n for n in _reached(name, bodies) if n.op in SAVES | RESTORES)
        raise refused_op(node, name, where)


def _check_nodes(
    ends: Iterable[str], nodes: Mapping[str, Any], forbidden: set[str], ops: frozenset[str], where: str
) -> None:
    """Everything in the graph itself that leads to the tensors or ops named `ends`."""
    seen: set[str] = set()
    pending = list(ends)
    while pending:
        name = pending.pop().lstrip("^").split(":")[0]
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        node = nodes[name]
        if node.op in ops or forbidden.intersection(_called(node)):
            raise refused_op(node, "", where)
        pending.extend(node.input)


def _called(node: Any) -> Iterator[str]:
    """Functions that a node calls."""
    yield node.op
    for value in node.attr.values():
        kind = value.WhichOneof("value")
        if kind == "func":
            yield value.func.name
        elif kind == "list":
            yield from (f.name for f in value.list.func)


def _that_reach(bodies: Mapping[str, Any], ops: frozenset[str]) -> set[str]:
    """Functions that hold one of `ops`, or call one that does."""
    found = {name for name, body in bodies.items() if any(node.op in ops for node in body)}
    callers: dict[str, set[str]] = {}
    for name, body in bodies.items():
        for called in {called for node in body for called in _called(node)}:
            callers.setdefault(called, set()).add(name)
    pending = list(found)
    while pending:
        new = callers.get(pending.pop(), set()) - found
        found |= new
        pending.extend(new)
    return found


def _reached(name: str, bodies: Mapping[str, Any]) -> Iterator[Any]:
    """Every node of a function, and of those that it calls."""
    seen, pending = {name}, [name]
    while pending:
        for node in bodies.get(pending.pop(), ()):
            yield node
            new = set(_called(node)) - seen
            seen |= new
            pending.extend(new)


def refused_op(node: Any, function: str, where: str) -> ModelError:
    place = f'{where}, node "{_shown(node.name)}"' + (f' of function "{_shown(function)}"' if function else "")
    return ModelError(
        f"the op {_shown(node.op)} is not one that a model computes with: it may read, write or run something else",
        where=place,
        hint=_HINT,
    )


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() and c != '"' else "?" for c in name)[:80]
