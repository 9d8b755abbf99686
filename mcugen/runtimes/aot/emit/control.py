"""The C of IF and WHILE: what surrounds the steps of the graphs that they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mcugen.runtimes.aot.plan.types import Plan, Step

AddConstant = Callable[[Plan, int], str]
"""(plan, id of a constant tensor) → name of the C array that holds it."""


def control_lines(
    plan: Plan, step: Step, base: int, inner_base: int, functions: Sequence[Sequence[str]], add_constant: AddConstant
) -> list[str]:
    """The body of the step's function.

    Args:
        base: where the plan's addresses count from in the arena; `inner_base` the same of the step's own plans.
        functions: calls of the functions that run the steps of each of the step's plans.
    """
    control = _Control(plan, step, base, inner_base, add_constant)
    if step.op.kind == "WHILE":
        return control.loop(functions)
    if len(step.plans) == 1:  # the condition is a constant
        return control.branch(0, functions[0])
    return [
        f"if ({control.flag(plan, step.op.inputs[0], base)}) {{",
        *_indented(control.branch(0, functions[0])),
        "} else {",
        *_indented(control.branch(1, functions[1])),
        "}",
    ]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


class _Control:
    """Makes the lines of one step."""

    def __init__(self, plan: Plan, step: Step, base: int, inner_base: int, add_constant: AddConstant) -> None:
        self._plan, self._step = plan, step
        self._base, self._inner_base = base, inner_base
        self._add_constant = add_constant

    def branch(self, number: int, functions: Sequence[str]) -> list[str]:
        """Inputs in, steps, outputs out."""
        op = self._step.op
        return self._round(number, op.inputs[1:], functions, op.outputs)

    def loop(self, functions: Sequence[Sequence[str]]) -> list[str]:
        """What goes round lives in the op's outputs."""
        op, condition = self._step.op, self._step.plans[0]
        start = [
            self._copy(self._plan, o, self._base, self._plan, i, self._base)
            for i, o in zip(op.inputs, op.outputs, strict=True)
        ]
        flag = self.flag(condition, condition.graph.outputs[0], self._inner_base)
        return [
            *start,
            "for (;;) {",
            *_indented(self._round(0, op.outputs, functions[0], ())),
            f"  if (!{flag}) break;",
            *_indented(self._round(1, op.outputs, functions[1], op.outputs)),
            "}",
        ]

    def flag(self, plan: Plan, tensor: int, base: int) -> str:
        return f"*(const uint8_t *)mcg_at({plan.addresses[tensor] + base}u)"

    def _round(self, number: int, inputs: Sequence[int], functions: Sequence[str], outputs: Sequence[int]) -> list[str]:
        outer, inner = self._plan, self._step.plans[number]
        graph = inner.graph
        return [
            *(
                self._copy(inner, mine, self._inner_base, outer, i, self._base)
                for mine, i in zip(graph.inputs, inputs, strict=True)
            ),
            *(f"{function};" for function in functions),
            *(
                self._copy(outer, i, self._base, inner, mine, self._inner_base)
                for mine, i in zip(graph.outputs[: len(outputs)], outputs, strict=True)
            ),
        ]

    def _copy(self, to_plan: Plan, to: int, to_base: int, from_plan: Plan, source: int, from_base: int) -> str:
        tensor = from_plan.graph.tensor(source)
        at = f"mcg_at({from_plan.addresses[source] + from_base}u)" if not tensor.is_const else None
        value = at or self._add_constant(from_plan, source)
        return f"memcpy(mcg_at({to_plan.addresses[to] + to_base}u), {value}, {tensor.nbytes}u);"
