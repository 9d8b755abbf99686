"""The conformance suite: for every op and type that a kernel claims, random uses of it, proved equal to the oracle.

A new op adds an entry to one of the tables of generators; `missing` names those that have none.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen import ops
from mcugen.errors import UnsupportedOpError
from mcugen.graph import Graph
from mcugen.ops.base import Target
from mcugen.reference import NumpyReference
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.graph.read import read_graph
from mcugen.runtimes.aot.plan import Plan, make_plan
from mcugen.runtimes.aot.supported import check_supported
from tests.conformance import computing, detecting, moving, stateful, weighted
from tests.conformance.draw import Case, Draw, Generate, Limits
from tests.kernels.single_op import Node, TensorSpec, build_graph, inputs_of, oracle

CASES = int(os.environ.get("MCUGEN_CONFORMANCE_CASES", "12"))
"""Of each op and type."""

RELATIVE, ABSOLUTE = 1e-5, 1e-6
"""Tolerance of float32 results; all others are equal bit for bit."""

_TRIES = 40
_TOGETHER = 40
_EXTREMES = ("low", "high", "both")
ALIVE = Node("RELU", None, [TensorSpec((3,), scale=0.5)], [TensorSpec((3,), scale=0.5)])
"""In every model, since one without inputs is none."""

GENERATORS: Mapping[str, Generate] = {
    **moving.GENERATORS,
    **computing.GENERATORS,
    **weighted.GENERATORS,
    **detecting.GENERATORS,
}


def claimed() -> dict[str, tuple[str, ...]]:
    """Every op of the registry and the types that its specs say they take."""
    return {
        kind: tuple(dict.fromkeys(name for spec in specs for name in spec.types))
        for kind, specs in ops.registry().items()
    }


def missing() -> list[str]:
    """Ops without a generator."""
    return [kind for kind in claimed() if kind not in GENERATORS and kind not in stateful.GENERATORS]


def draw_case(kind: str, dtype: str, number: int) -> Case:
    """Case `number` of an op and type, always the same one; uses that the op's own limits refuse are drawn again."""
    return drawn(kind, dtype, number)[0]


@functools.cache
def drawn(kind: str, dtype: str, number: int) -> tuple[Case, Graph]:
    """A case, and the graph of a model of it alone."""
    draw = _source(kind, dtype, number)
    refusals = []
    for _ in range(_TRIES):
        case = GENERATORS[kind](draw)
        try:
            graph = read_graph(build_graph([*case.nodes, ALIVE], case.outputs))
            check_supported(graph)
        except UnsupportedOpError as error:
            refusals.append(str(error))
        else:
            return case, graph
    raise AssertionError(f"{kind} {dtype}: {_TRIES} uses were refused, the last ones: {refusals[-3:]}")


def draw_sequences(kind: str, dtype: str, cases: int) -> list[stateful.Sequence]:
    """Cases of an op that keeps something between inferences, or runs subgraphs."""
    return stateful.GENERATORS[kind](_source(kind, dtype, cases), cases)


def _source(kind: str, dtype: str, number: int) -> Draw:
    seed = int.from_bytes(hashlib.sha256(f"{kind} {dtype} {number}".encode()).digest()[:8], "little")
    return Draw(np.random.default_rng(seed), kind, "int8" if dtype == "any" else dtype)


@dataclass(frozen=True)
class Batch:
    """Many cases side by side in one model, so that one compilation proves them all."""

    cases: Sequence[Case]
    names: Sequence[str]

    @property
    def model(self) -> bytes:
        return build_graph([ALIVE, *(n for case in self.cases for n in case.nodes)], self._outputs)

    @property
    def reference(self) -> bytes:
        """The model that the oracle runs."""
        return build_graph([ALIVE, *(n for case in self.cases for n in case.twin or case.nodes)], self._outputs)

    @property
    def _outputs(self) -> list[TensorSpec]:
        return [tensor for case in self.cases for tensor in case.outputs]

    @property
    def output_names(self) -> list[str]:
        """Which case each of the model's outputs belongs to."""
        return [name for case, name in zip(self.cases, self.names, strict=True) for _ in case.outputs]

    def samples(self, count: int, seed: int = 0) -> list[list[NDArray[Any]]]:
        """All lowest, all highest, both mixed, then `count` random ones."""
        draw = Draw(np.random.default_rng(seed), "", "")
        limits: dict[TensorSpec, Limits] = {}
        for case in self.cases:
            limits.update(case.limits)
        tensors = inputs_of([ALIVE, *(n for case in self.cases for n in case.nodes)])
        kinds = (*_EXTREMES, *[""] * count)
        return [[draw.values(t, limits.get(t), kind) for t in tensors] for kind in kinds]


def batches(pairs: Sequence[tuple[str, str]], cases: int) -> Iterator[Batch]:
    """`cases` cases of each pair of an op and a type, together as far as TFLM's memory planner can take them."""
    wanted = [(kind, dtype, n) for kind, dtype in pairs for n in range(cases)]
    for start in range(0, len(wanted), _TOGETHER):
        part = wanted[start : start + _TOGETHER]
        yield Batch([draw_case(*each) for each in part], ["{} {} case {}".format(*each) for each in part])


def sample(pairs: Sequence[tuple[str, str]]) -> Batch:
    """One case of each pair."""
    return Batch([draw_case(*pair, 0) for pair in pairs], [" ".join(pair) for pair in pairs])


def report(on: str, pairs: Sequence[tuple[str, str]], cases: int) -> dict[str, Any]:
    """What was proved, as tests/conftest.py sums it up."""
    return {"on": on, "ops": sorted({kind for kind, _ in pairs}), "pairs": len(pairs), "cases": len(pairs) * cases}


def prove(
    given: Batch, samples: int = 3, target: Target | None = None, *, optimized: bool = False, witness: bool = False
) -> Plan:
    """The batch compiled for the host equals the oracle on every sample.

    `target` chooses the kernels; `optimized` runs the passes first; `witness` computes it in numpy as well, which must
    be equal, too. Returns the plan.
    """
    data = given.samples(samples)
    wanted = oracle(given.reference, data)
    if witness:
        second = NumpyReference(given.model)
        problems = list(_differences(given, [second.run(sample) for sample in data], wanted))
        assert not problems, "the reference in numpy:\n" + "\n".join(problems[:20])
    graph = read_graph(given.model)
    plan = make_plan(optimize(graph) if optimized else graph, target)
    with HostModel(plan, flags=("-O1",)) as host:
        got = [host.run(sample) for sample in data]
    problems = list(_differences(given, got, wanted))
    assert not problems, "\n".join(problems[:20])
    return plan


def _differences(
    given: Batch, got: Sequence[Sequence[NDArray[Any]]], wanted: Sequence[Sequence[NDArray[Any]]]
) -> Iterator[str]:
    for number, (actual, expected) in enumerate(zip(got, wanted, strict=True)):
        for name, a, e in zip(given.output_names, actual, expected, strict=True):
            if not equal(a.reshape(e.shape), e):
                yield f"{name}, sample {number}: {a.reshape(-1)[:12]} is not {e.reshape(-1)[:12]}"


def equal(got: NDArray[Any], want: NDArray[Any]) -> bool:
    """Bit for bit, or within the tolerance of float32."""
    if got.dtype != want.dtype:
        return False
    if want.dtype == np.float32:
        return bool(np.allclose(got, want, RELATIVE, ABSOLUTE, equal_nan=True))
    return bool(np.array_equal(got, want))
