"""Proves float32 kernels against the oracle: equal numbers where IEEE arithmetic decides, else within the tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.verify.compare import compare
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, inputs_of, oracle

SPECIAL = np.array(
    [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        3.0,
        6.0,
        -3.0,
        1e-38,
        -1e-30,
        1e30,
        -1e30,
        16.7,
        -9.1,
        88.8,
        -88.8,
        np.inf,
        -np.inf,
        np.nan,
        8388607.5,
        -4194303.5,
    ],
    np.float32,
)
"""Zeros, ties, the ends of formulas, and what is no number."""


def real(*shape: int) -> TensorSpec:
    """A float32 tensor."""
    return TensorSpec(shape, "float32")


def numbers(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> TensorSpec:
    """A float32 constant of normally distributed numbers."""
    return constant((rng.standard_normal(shape) * scale).astype(np.float32))


def draw(nodes: Sequence[Node], count: int, seed: int = 0, scale: float = 3.0) -> list[list[NDArray[Any]]]:
    """`count` samples of normally distributed inputs."""
    rng = np.random.default_rng(seed)
    return [[(rng.standard_normal(t.shape) * scale).astype(np.float32) for t in inputs_of(nodes)] for _ in range(count)]


def prove(
    nodes: Sequence[Node],
    samples: Sequence[Sequence[NDArray[Any]]] | None = None,
    *,
    tolerant: bool = False,
    optimized: bool = False,
    flags: Sequence[str] = ("-O1",),
) -> list[list[NDArray[Any]]]:
    """Emitted C agrees with the oracle on all outputs of all nodes; returns these.

    `tolerant` says that results come from functions that C libraries round differently. Otherwise they are equal
    (NaN to NaN, 0.0 to -0.0), since kernels add and multiply in the reference's order.
    """
    read = {t for node in nodes for t in node.inputs}
    model = build_graph(nodes, [t for node in nodes for t in node.outputs if t not in read])
    given = samples if samples is not None else draw(nodes, 3)
    expected = oracle(model, given)
    graph = read_graph(model)
    with HostModel(make_plan(optimize(graph) if optimized else graph), flags=flags) as host:
        for number, (sample, wanted) in enumerate(zip(given, expected, strict=True)):
            for index, (got, want) in enumerate(zip(host.run(sample), wanted, strict=True)):
                shaped = got.reshape(want.shape)
                if tolerant and want.dtype == np.float32:
                    found = compare(shaped, want, tolerant=True)
                    assert found.accepted, f"sample {number}, output {index}: {found}"
                else:
                    np.testing.assert_array_equal(shaped, want, err_msg=f"sample {number}, output {index}")
    return expected
