"""What of a graph the ahead-of-time runtime runs."""

from __future__ import annotations

from dataclasses import dataclass

from mcugen import ops
from mcugen.errors import UnsupportedOpError
from mcugen.graph.types import Graph, Op
from mcugen.ops.advice import REWRITES, Way, hint, ways
from mcugen.ops.base import OpSpec, rule_of
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
        broken = _broken_rule(graph, op, ops.supported_spec(graph, op))
        if broken is not None:
            problem, rule = broken
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
        elif (broken := _broken_rule(graph, op, spec)) is not None:
            others = tuple(way for way in ways(op.kind) if way.name != "rewrite" or op.kind in REWRITES)
            found.append(Missing(op.index, op.kind, op.name, *broken, others))
        for nested in op.options.graphs if isinstance(op.options, ControlOptions) else ():
            found += missing_ops(nested)
    return tuple(found)


def _unknown(kind: str) -> str:
    if kind.startswith("CUSTOM:Flex"):
        return "it needs TensorFlow itself (SELECT_TF_OPS)"
    return "it is a custom operator" if kind.startswith("CUSTOM:") else "it has no ahead-of-time kernel"


def _broken_rule(graph: Graph, op: Op, spec: OpSpec) -> tuple[str, str] | None:
    """The problem with an op and the rule that it breaks ("" where it has no text), of the first that it does."""
    for constraint in spec.constraints:
        if problem := constraint(graph, op):
            return problem, rule_of(constraint).rstrip(".")
    return None
