"""Random graphs over variables, concatenations and slices: every way in which these may share memory is planned right.

The planner leaves out copies where nothing shows, and `verify_plan` refuses a plan in which something would. Which ways
there are is not listed anywhere, so graphs are drawn: reads and assignments in any order, values joined and cut along
rows, computed in place, and looked at again later, as inputs and outputs of the model too.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options
from tests.state.models import assert_sequence_bit_exact, joined

_PLANNED, _RUN = 120, 10
_OPS = 14
_MAX_ROWS = 12


class _Drawn:
    """A graph that grows op by op; every value has the shape (1, rows, channels), and all the same quantization."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._channels = int(self._rng.choice([4, 8, 3]))
        self.nodes: list[Node] = []
        self._values = [self._tensor(int(rows)) for rows in self._rng.integers(1, 5, self._rng.integers(1, 4))]
        self._inputs = list(self._values)
        self._handles: dict[TensorSpec, int] = {}
        for n, rows in enumerate(self._rng.integers(1, 6, self._rng.integers(1, 4))):
            handle = TensorSpec((), "int32", name=f"handle{n}")
            self._handles[handle] = int(rows)
            name = options("VarHandleOptions", container=b"", sharedName=f"memory{n}".encode())
            self.nodes.append(Node("VAR_HANDLE", name, [], [handle]))

    def _tensor(self, rows: int) -> TensorSpec:
        return TensorSpec((1, rows, self._channels), "int8", 0.1, -3)

    def _pick(self, values: list[Any]) -> Any:
        return values[self._rng.integers(len(values))]

    def _value(self) -> TensorSpec:
        """Mostly one of the last few, so that graphs are deep."""
        recent = self._values[-4:] if self._rng.random() < 0.7 else self._values
        value: TensorSpec = self._pick(recent)
        return value

    def _of_rows(self, rows: int) -> list[TensorSpec]:
        return [value for value in self._values if value.shape[1] == rows]

    def _add(self, kind: str, op_options: Any, inputs: list[TensorSpec], rows: int) -> TensorSpec:
        made = self._tensor(rows)
        self.nodes.append(Node(kind, op_options, inputs, [made]))
        self._values.append(made)
        return made

    def read(self) -> None:
        handle = self._pick(list(self._handles))
        self._add("READ_VARIABLE", None, [handle], self._handles[handle])

    def assign(self) -> None:
        handle = self._pick(list(self._handles))
        rows = self._handles[handle]
        if not self._of_rows(rows):
            self._concatenated(rows)
        self.nodes.append(Node("ASSIGN_VARIABLE", None, [handle, self._pick(self._of_rows(rows)[-3:])], []))

    def concatenate(self) -> None:
        parts = [self._value() for _ in range(self._rng.integers(2, 4))]
        if sum(part.shape[1] for part in parts) <= _MAX_ROWS:
            self._joined(parts)

    def join_computed(self) -> None:
        """Parts that nothing else reads yet, so that they can be computed where they belong."""
        parts = []
        for _ in range(2):
            self._rectify()
            parts.append(self._values[-1])
        if sum(part.shape[1] for part in parts) <= _MAX_ROWS:
            self._joined(parts)

    def slide(self) -> None:
        """As streams do it: what was read without its first rows, and new rows behind it, assigned again."""
        handle = self._pick(list(self._handles))
        rows = self._handles[handle]
        new = self._value()
        if new.shape[1] < rows:
            self._add("READ_VARIABLE", None, [handle], rows)
            kept = self._cut(self._values[-1], new.shape[1], rows - new.shape[1])
            self.nodes.append(Node("ASSIGN_VARIABLE", None, [handle, self._joined([kept, new])], []))

    def slice(self) -> None:
        value = self._value()
        first = int(self._rng.integers(0, value.shape[1]))
        self._cut(value, first, int(self._rng.integers(1, value.shape[1] - first + 1)))

    def _rectify(self) -> None:
        value = self._value()
        self._add("RELU", None, [value], value.shape[1])

    def add(self) -> None:
        value = self._value()
        self._add("ADD", options("AddOptions"), [value, self._pick(self._of_rows(value.shape[1]))], value.shape[1])

    def _joined(self, parts: list[TensorSpec]) -> TensorSpec:
        axis = options("ConcatenationOptions", axis=1)
        return self._add("CONCATENATION", axis, parts, sum(part.shape[1] for part in parts))

    def _concatenated(self, rows: int) -> None:
        row = self._cut(self._value(), 0, 1)
        self._joined([row] * rows)

    def _cut(self, value: TensorSpec, first: int, rows: int) -> TensorSpec:
        bounds = [np.array([0, first, 0], np.int32), np.array([1, rows, self._channels], np.int32)]
        return self._add("SLICE", options("SliceOptions"), [value, *map(constant, bounds)], rows)

    def model(self) -> bytes:
        for handle, rows in self._handles.items():  # a variable that nothing assigns has no size
            if not any(node.op == "ASSIGN_VARIABLE" and node.inputs[0] is handle for node in self.nodes):
                self._concatenated(rows)
                self.nodes.append(Node("ASSIGN_VARIABLE", None, [handle, self._values[-1]], []))
        self._add("ADD", options("AddOptions"), [self._inputs[0]] * 2, self._inputs[0].shape[1])
        computed = [value for value in self._values if value not in self._inputs]
        count = int(self._rng.integers(1, 4))
        others = [computed[n] for n in self._rng.choice(len(computed), min(count, len(computed)), replace=False)]
        outputs = list(dict.fromkeys([*others, computed[-1]]))
        return joined(build_graph(self.nodes, outputs))


def drawn(seed: int) -> bytes:
    graph = _Drawn(seed)
    rng = np.random.default_rng(1000 + seed)
    ways = [graph.read, graph.assign, graph.concatenate, graph.join_computed, graph.slide, graph.slice, graph.add]
    for _ in range(_OPS):
        ways[rng.integers(len(ways))]()
    return graph.model()


def test_every_plan_holds() -> None:
    """`make_plan` verifies what it made; and copies were left out in many of them."""
    left_out: Counter[str] = Counter()
    for seed in range(_PLANNED):
        plan = make_plan(optimize(read_graph(drawn(seed))))
        left_out.update({op.kind for op in plan.aliased})
    rare = {kind: left_out[kind] for kind in ("READ_VARIABLE", "ASSIGN_VARIABLE", "CONCATENATION", "SLICE")}
    assert min(rare.values()) >= 10, f"the graphs do not try what they are for: {rare}"


@pytest.mark.parametrize("seed", range(_RUN))
def test_the_emitted_code_equals_the_oracle_over_a_sequence(seed: int) -> None:
    assert_sequence_bit_exact(drawn(seed))
