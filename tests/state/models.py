"""Models with state and control flow, built in memory, and their proof over a sequence of inputs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.ops.base import Target
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.plan.types import Plan
from mcugen.tflite.schema import pack_model, unpack_model
from mcugen.verify.compare import ABSOLUTE, RELATIVE
from tests.kernels.single_op import make_samples, oracle

_RESOURCE = 13


def with_variables(model: bytes, names: Collection[str]) -> bytes:
    """The model whose inputs of these names are variable tensors instead."""
    raw = unpack_model(model)
    main = raw.subgraphs[0]
    for i, tensor in enumerate(main.tensors):
        if tensor.name.decode() in names:
            tensor.isVariable = True
            main.inputs = [n for n in main.inputs if n != i]
    return pack_model(raw)


def joined(main: bytes, *others: bytes) -> bytes:
    """One model with the subgraphs of several, in that order. Tensors called "handle…" become resources."""
    made = unpack_model(main)
    for other in map(unpack_model, others):
        subgraph = other.subgraphs[0]
        for tensor in subgraph.tensors:
            tensor.buffer += len(made.buffers)
        for operator in subgraph.operators:
            operator.opcodeIndex += len(made.operatorCodes)
        made.buffers += other.buffers
        made.operatorCodes += other.operatorCodes
        made.subgraphs.append(subgraph)
    codes: dict[int, int] = {}  # every op once: TFLM's resolver is asked by code
    for subgraph in made.subgraphs:
        for tensor in subgraph.tensors:
            if tensor.name.startswith(b"handle"):
                tensor.type = _RESOURCE
        for operator in subgraph.operators:
            code = made.operatorCodes[operator.opcodeIndex].builtinCode
            operator.opcodeIndex = codes.setdefault(code, operator.opcodeIndex)
    return pack_model(made)


def edited_inputs(model: bytes, names: Sequence[str]) -> bytes:
    """The model with exactly these inputs, by tensor name, in this order; they may be unused."""
    raw = unpack_model(model)
    ids = {tensor.name.decode(): i for i, tensor in enumerate(raw.subgraphs[0].tensors)}
    raw.subgraphs[0].inputs = [ids[name] for name in names]
    return pack_model(raw)


def assert_sequence_bit_exact(
    model: bytes,
    samples: int | Sequence[Sequence[NDArray[Any]]] = 6,
    *,
    seed: int = 0,
    target: Target | None = None,
) -> Plan:
    """Run a sequence on the host and in the oracle, twice, with a reset between; every output must be equal, float32
    ones within their tolerance.

    Returns the plan, so that a test can say what it must be like.
    """
    given = make_samples(model, samples, seed) if isinstance(samples, int) else samples
    expected = oracle(model, given)
    plan = make_plan(optimize(read_graph(model)), target)
    with HostModel(plan) as host:
        for attempt in range(2):
            for number, (sample, wanted) in enumerate(zip(given, expected, strict=True)):
                for got, want in zip(host.run(list(sample)), wanted, strict=True):
                    _assert_equal(got.reshape(want.shape), want, f"step {number}, attempt {attempt}")
            host.reset()
    return plan


def _assert_equal(got: NDArray[Any], want: NDArray[Any], where: str) -> None:
    assert got.dtype == want.dtype, where
    if want.dtype == np.float32:
        np.testing.assert_allclose(got, want, RELATIVE, ABSOLUTE, err_msg=where)
    else:
        np.testing.assert_array_equal(got, want, err_msg=where)
