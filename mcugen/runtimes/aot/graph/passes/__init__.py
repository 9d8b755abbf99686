"""Passes over the graph, one file each, `Graph → Graph`. Every pass keeps the result bit for bit."""

from dataclasses import replace

from mcugen.graph.types import Graph, Op
from mcugen.ops.keeping.control import ControlOptions
from mcugen.runtimes.aot.graph.fold_constants import fold_constants
from mcugen.runtimes.aot.graph.passes.dead_code import remove_dead_code
from mcugen.runtimes.aot.graph.passes.drop_channels import drop_channels
from mcugen.runtimes.aot.graph.passes.fuse_activation import fuse_activations
from mcugen.runtimes.aot.graph.passes.fuse_pad import fuse_pads
from mcugen.runtimes.aot.graph.passes.know_shapes import know_shapes
from mcugen.runtimes.aot.graph.passes.read_parts import read_parts
from mcugen.runtimes.aot.supported import missing_ops

CLEARING = (know_shapes, fold_constants, remove_dead_code)
"""Passes that take ops out which never run, supported or not."""

PASSES = (*CLEARING, fuse_pads, fuse_activations, remove_dead_code, drop_channels, read_parts, remove_dead_code)
"""In the order they run: what folds feeds what fuses; channels are dropped from what is alive, and the weights that
they leave behind are buried last."""


def optimize(graph: Graph, *, made_up: bool = False) -> Graph:
    """Run every pass once, in order; on the graphs that ops run as well.

    `made_up`: nobody observed what the model's scales come from, so that nothing may be concluded from them.

    A graph with an op that breaks the rules of its kind is only cleared: the planner refuses it, and says why. So no
    other pass has to expect what a hostile file holds.
    """
    for run in CLEARING:
        graph = run(graph)
    if missing_ops(graph):
        return graph
    for run in PASSES[len(CLEARING) :]:
        graph = drop_channels(graph, made_up=made_up) if run is drop_channels else run(graph)
    return graph.with_(ops=tuple(_with_optimized_graphs(op, made_up=made_up) for op in graph.ops))


def _with_optimized_graphs(op: Op, *, made_up: bool) -> Op:
    if not isinstance(op.options, ControlOptions):
        return op
    first, second = (optimize(graph, made_up=made_up) for graph in op.options.graphs)
    return replace(op, options=replace(op.options, graphs=(first, second)))


__all__ = [
    "PASSES",
    "drop_channels",
    "fold_constants",
    "fuse_activations",
    "fuse_pads",
    "know_shapes",
    "optimize",
    "read_parts",
    "remove_dead_code",
]
