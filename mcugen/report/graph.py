"""The model as nodes and edges: what a report draws."""

from __future__ import annotations

from typing import Any

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.runtimes.program import Program, ProgramStep


def graph_facts(plan: Program) -> dict[str, Any]:
    """The `graph` object of docs/JSON.md.

    Nodes are the inputs, the ops in execution order, and the outputs. `step` is an op's number on the device, null for
    inputs, outputs, and ops that are only a view of their input. Edges carry tensors that are computed; constants
    are left out, and so is what a state carries from one inference to the next.
    """
    graph = plan.graph
    steps = {id(step.op): (number, step) for number, step in enumerate(plan.steps)}
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    made: dict[int, int] = {}
    for i in graph.inputs:
        made[i] = len(nodes)
        nodes.append(_end("input", graph.tensor(i)))
    for op in graph.ops:
        own = len(nodes)
        nodes.append(_node(graph, op, *steps.get(id(op), (None, None))))
        edges += [_edge(made[i], own, graph.tensor(i)) for i in dict.fromkeys(op.inputs) if i in made]
        made.update((i, own) for i in op.outputs if not graph.tensor(i).is_state)
    for i in graph.outputs:
        if i in made:
            edges.append(_edge(made[i], len(nodes), graph.tensor(i)))
        nodes.append(_end("output", graph.tensor(i)))
    return {"nodes": nodes, "edges": edges}


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"tensor": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype.value, "bytes": tensor.nbytes}


def _end(kind: str, tensor: Tensor) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": tensor.name,
        "step": None,
        "index": None,
        "variant": "",
        "kernels": "",
        "outputs": [_tensor(tensor)],
    }


def _node(graph: Graph, op: Op, number: int | None, step: ProgramStep | None) -> dict[str, Any]:
    return {
        "kind": op.kind,
        "name": op.name,
        "step": number,
        "index": op.index,
        "variant": step.variant if step else "view",
        "kernels": step.kernels if step else "",
        "outputs": [_tensor(graph.tensor(i)) for i in op.outputs],
    }


def _edge(source: int, target: int, tensor: Tensor) -> dict[str, Any]:
    return {"from": source, "to": target, **_tensor(tensor)}
