"""What of a graph the ahead-of-time runtime runs."""

from __future__ import annotations

from dataclasses import dataclass

from mcugen import ops
from mcugen.errors import UnsupportedOpError
from mcugen.graph.types import Graph, Op
from mcugen.ops.advice import REWRITES, Way, hint, ways
from mcugen.ops.base import OpSpec
from mcugen.ops.keeping.control import ControlOptions


def check_supported(graph: Graph) -> None:
    """Refuse a graph that holds an op without a kernel, or a use of one that its kernel does not do.

    Raises:
        UnsupportedOpError: names every such op with its layer, and the supported ones.
    """
    unknown = [op for op in graph.ops if op.kind not in ops.registry()]
    if unknown:
        listed = "; ".join(op.where for op in unknown[:8]) + ("; …" if len(unknown) > 8 else "")
        raise UnsupportedOpError(
            f"no ahead-of-time kernel for {', '.join(sorted({op.kind for op in unknown}))} ({listed})",
            hint=hint([op.kind for op in unknown]),
        )
    for op in graph.ops:
        for constraint in ops.supported_spec(graph, op).constraints:
            problem = constraint(graph, op)
            if problem:
                rule = " ".join((constraint.__doc__ or "").split()).rstrip(".")
                raise UnsupportedOpError(problem, where=op.where, hint=f"The rule: {rule}" if rule else "")
        for nested in op.options.graphs if isinstance(op.options, ControlOptions) else ():
            check_supported(nested)


@dataclass(frozen=True)
class Missing:
    """An op that does not run as it stands.

    Attributes:
        index: its position in the model file.
        problem: what is wrong; `rule` is the limit that it breaks, "" where there is none.
    """

    index: int
    kind: str
    name: str
    problem: str
    rule: str
    ways: tuple[Way, ...]

    @property
    def where(self) -> str:
        return f'op {self.index} {self.kind} "{self.name}"'


def missing_ops(graph: Graph) -> tuple[Missing, ...]:
    """The ops of a graph that the ahead-of-time runtime does not run, subgraphs included."""
    found: list[Missing] = []
    for op in graph.ops:
        spec = ops.spec_of(graph, op)
        if spec is None:
            found.append(Missing(op.index, op.kind, op.name, _unknown(op.kind), "", ways(op.kind)))
        else:
            found += _broken_rule(graph, op, spec)
        for nested in op.options.graphs if isinstance(op.options, ControlOptions) else ():
            found += missing_ops(nested)
    return tuple(found)


def _unknown(kind: str) -> str:
    if kind.startswith("CUSTOM:Flex"):
        return "it needs TensorFlow itself (SELECT_TF_OPS)"
    return "it is a custom operator" if kind.startswith("CUSTOM:") else "it has no ahead-of-time kernel"


def _broken_rule(graph: Graph, op: Op, spec: OpSpec) -> list[Missing]:
    for constraint in spec.constraints:
        problem = constraint(graph, op)
        if problem:
            rule = " ".join((constraint.__doc__ or "").split()).rstrip(".")
            others = tuple(way for way in ways(op.kind) if way.name != "rewrite" or op.kind in REWRITES)
            return [Missing(op.index, op.kind, op.name, problem, rule, others)]
    return []
