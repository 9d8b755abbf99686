"""Plans made by hand, of ops that compute nothing: every byte of them is known, and each can be put wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.ops.base import KernelCall, Target
from mcugen.runtimes.aot.plan.types import Buffer, Plan, Step

KEPT = np.zeros(8, np.int8)
"""The values of a constant, or those of a state after a reset."""


def tensor(i: int, size: int | tuple[int, ...] = 8, dtype: DType = DType.INT8, **more: Any) -> Tensor:
    return Tensor(i, f"t{i}", (size,) if isinstance(size, int) else size, dtype, **more)


def op(index: int, inputs: Sequence[int], outputs: Sequence[int], kind: str = "ADD", options: Any = None) -> Op:
    return Op(index, kind, tuple(inputs), tuple(outputs), f"layer{index}", options)


def call(
    inputs: Sequence[int], outputs: Sequence[int], kernel: str = "mcg_any", params: Mapping[str, int] = {}, **more: Any
) -> KernelCall:
    return KernelCall(kernel, tuple(params.items()), tuple(inputs), tuple(outputs), **more)


def step(made: Op, **more: Any) -> Step:
    """One call that reads all inputs of an op and writes all of its outputs."""
    return Step(made, (call([i for i in made.inputs if i >= 0], made.outputs, **more),), 0)


def graph_of(
    tensors: Sequence[Tensor], ops: Sequence[Op], inputs: Sequence[int] = (0,), outputs: Sequence[int] | None = None
) -> Graph:
    ends = ops[-1].outputs if outputs is None else tuple(outputs)
    return Graph({t.id: t for t in tensors}, tuple(ops), tuple(inputs), ends, "hand made", "")


def plan_of(
    graph: Graph,
    steps: Sequence[Step],
    addresses: Mapping[int, int],
    *,
    arena: int,
    buffers: Sequence[Buffer] = (),
    scratch: Mapping[int, int] = {},
) -> Plan:
    run = {id(s.op) for s in steps}
    return Plan(
        graph=graph,
        target=Target(),
        steps=tuple(steps),
        aliased=tuple(made for made in graph.ops if id(made) not in run),
        buffers=tuple(buffers),
        addresses=addresses,
        scratch=scratch,
        arena_bytes=arena,
        live_bound=0,
    )
