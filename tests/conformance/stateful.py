"""Cases of ops that keep something between inferences, or run other subgraphs: models of their own, in sequences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conformance.draw import Draw, ints
from tests.kernels.cores import join
from tests.kernels.single_op import Node, TensorSpec, build_graph, make_samples, options
from tests.state.models import joined
from tests.state.test_control import branching, counting_loop, passed_on, two_layers, with_constant
from tests.state.test_recurrent import lstm_f32_model, lstm_model, svdf_f32_model, svdf_model

_STEPS = 5


@dataclass(frozen=True)
class Sequence:
    """Some cases of an op in one model, and the inputs of each step."""

    model: bytes
    samples: list[list[NDArray[Any]]]


Generate = Callable[[Draw, int], list[Sequence]]
"""Gives a number of cases, in one model or several."""


def _recurrent(build: Callable[[Draw], bytes]) -> Generate:
    def generate(d: Draw, cases: int) -> list[Sequence]:
        model = join([build(d) for _ in range(cases)])
        return [Sequence(model, make_samples(model, _STEPS))]

    return generate


def _svdf(d: Draw) -> bytes:
    return svdf_f32_model(d.rng) if d.dtype == "float32" else svdf_model(d.rng, d.pick(["int8", "int16"]))


def _lstm(d: Draw) -> bytes:
    if d.dtype == "float32":
        return lstm_f32_model(d.rng, timeMajor=d.chance())
    return lstm_model(d.rng, d.dtype, timeMajor=d.chance())


def _variables(d: Draw, cases: int) -> list[Sequence]:
    """Variables that are read before they are assigned, or after."""
    nodes, outputs = [], []
    for n in range(cases):
        handle = TensorSpec((), "int32", name=f"handle{n}")
        x = d.tensor(d.shape())
        old, y = d.like(x), d.like(x)
        nodes.append(Node("VAR_HANDLE", options("VarHandleOptions", sharedName=f"memory{n}".encode()), [], [handle]))
        read = Node("READ_VARIABLE", None, [handle], [old])
        write = Node("ASSIGN_VARIABLE", None, [handle, x], [])
        nodes += [read, write] if d.chance() else [write, read]
        nodes.append(Node("REVERSE_V2", None, [old, ints([0])], [y]))
        outputs.append(y)
    model = joined(build_graph(nodes, outputs))
    return [Sequence(model, make_samples(model, _STEPS))]


def _if(d: Draw, cases: int) -> list[Sequence]:
    branches = [passed_on, with_constant, lambda: two_layers(d.integer(1, 12))]
    found = []
    for _ in range(cases):
        model = branching(d.pick(branches)(), d.pick(branches)())
        found.append(Sequence(model, make_samples(model, _STEPS)))
    return found


def _while(d: Draw, cases: int) -> list[Sequence]:
    """One loop, from and to other counts every time."""
    samples = []
    for _ in range(cases):
        first, limit = d.integer(-3, 6), d.integer(0, 9)
        x = d.values(TensorSpec((1, 4)), None)
        samples.append([x, np.array([first], np.int8), np.array([limit], np.int8)])
    return [Sequence(counting_loop(), samples)]


COMPUTING: dict[str, Generate] = {
    "SVDF": _recurrent(_svdf),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent(_lstm),
}
"""Those that have a kernel of their own for every type."""

GENERATORS: dict[str, Generate] = {
    "ASSIGN_VARIABLE": _variables,
    "IF": _if,
    "READ_VARIABLE": _variables,
    "WHILE": _while,
    **COMPUTING,
}
