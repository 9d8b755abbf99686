"""IF and WHILE: other graphs, run once or as long as a condition holds.

The graphs are planned on their own, each in the op's scratch memory; their inputs are copied in and their outputs out,
as TFLM does. An IF whose condition is constant runs its one branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mcugen import ops
from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import Lowering, OpSpec, Target
from mcugen.ops.common import describe


@dataclass(frozen=True, eq=False)
class ControlOptions:
    """The graphs that an op runs, and what each is to it: then and else, or condition and body.

    `rounds` of a loop is how often its body runs; None where nobody knows before it runs.
    """

    roles: tuple[str, str]
    graphs: tuple[Graph, Graph]
    rounds: int | None = None


def _operands(_graph: Graph, op: Op) -> str | None:
    """No operand is absent."""
    return "one of its inputs is absent" if min(op.inputs, default=-1) < 0 else None


def _bool_condition(graph: Graph, op: Op) -> str | None:
    """The condition is one bool."""
    condition = graph.tensor(op.inputs[0])
    if condition.dtype is not DType.BOOL or condition.elements != 1:
        return f"its condition is {describe(condition)}"
    return None


def _mismatch(
    role: str, what: str, outer: Graph, outer_ids: Sequence[int], inner: Graph, inner_ids: Sequence[int]
) -> str | None:
    """What keeps the op's tensors from being a graph's inputs or outputs."""
    if len(outer_ids) != len(inner_ids):
        return f"its {role} has {len(inner_ids)} {what}, the op {len(outer_ids)}"
    for mine, other in zip(outer_ids, inner_ids, strict=True):
        a, b = outer.tensor(mine), inner.tensor(other)
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            return f'its {role} has {describe(b)} "{b.name}" among its {what} where the op has {describe(a)}'
    return None


def _branches_fit(graph: Graph, op: Op) -> str | None:
    """Both branches have the inputs and outputs of the op, of the same types and shapes."""
    for role, branch in zip(op.options.roles, op.options.graphs, strict=True):
        problem = _mismatch(role, "inputs", graph, op.inputs[1:], branch, branch.inputs) or _mismatch(
            role, "outputs", graph, op.outputs, branch, branch.outputs
        )
        if problem:
            return problem
    return None


def _loop_fits(graph: Graph, op: Op) -> str | None:
    """Condition and body take what the op takes; the body gives the same again, as the op does, and nothing changes
    its shape from round to round."""
    (condition_role, body_role), (condition, body) = op.options.roles, op.options.graphs
    return (
        _mismatch(condition_role, "inputs", graph, op.inputs, condition, condition.inputs)
        or _mismatch(body_role, "inputs", graph, op.inputs, body, body.inputs)
        or _mismatch(body_role, "outputs", graph, op.inputs, body, body.outputs)
        or _mismatch(body_role, "outputs", graph, op.outputs, body, body.outputs)
    )


def _loop_condition(_graph: Graph, op: Op) -> str | None:
    """The condition's graph gives one bool that it computes."""
    condition: Graph = op.options.graphs[0]
    outputs = [condition.tensor(i) for i in condition.outputs]
    if len(outputs) != 1 or outputs[0].dtype is not DType.BOOL or outputs[0].elements != 1:
        return f"its condition gives {', '.join(describe(t) for t in outputs) or 'nothing'}"
    return "its condition never changes" if outputs[0].is_const else None


def _without_state(_graph: Graph, op: Op) -> str | None:
    """Nothing in them keeps a value between inferences."""
    for role, nested in zip(op.options.roles, op.options.graphs, strict=True):
        if nested.states:
            return f'its {role} keeps "{nested.states[0].name}" between inferences'
    return None


def _lower_if(graph: Graph, op: Op, _target: Target) -> Lowering:
    condition = graph.tensor(op.inputs[0]).data
    then, otherwise = op.options.graphs
    if condition is None:
        return Lowering(graphs=(then, otherwise))
    return Lowering(graphs=(then if condition.reshape(-1)[0] else otherwise,))


def _lower_while(_graph: Graph, op: Op, _target: Target) -> Lowering:
    return Lowering(graphs=op.options.graphs)


def _macs_of(graph: Graph) -> int:
    return sum(ops.supported_spec(graph, op).macs(graph, op) for op in graph.ops)


def _macs_if(_graph: Graph, op: Op) -> int:
    """Of the branch that does more."""
    return max(_macs_of(graph) for graph in op.options.graphs)


def _macs_while(_graph: Graph, op: Op) -> int:
    """Of all rounds; of one where their number shows only when it runs."""
    condition, body = (_macs_of(graph) for graph in op.options.graphs)
    rounds = 1 if op.options.rounds is None else op.options.rounds
    return condition * (rounds + 1) + body * rounds


IF = OpSpec(
    kind="IF",
    lower=_lower_if,
    constraints=(_operands, _bool_condition, _branches_fit, _without_state),
    macs=_macs_if,
    types=("bool",),
)
SPECS = (
    IF,
    replace(
        IF,
        kind="WHILE",
        lower=_lower_while,
        constraints=(_operands, _loop_fits, _loop_condition, _without_state),
        macs=_macs_while,
    ),
)
