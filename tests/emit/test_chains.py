"""Ops that repeat themselves are one function of the emitted C, called in a loop, and compute the same."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mcugen.convert import convert
from mcugen.convert.loops.unrolled import unroll
from mcugen.emit.style import Style
from mcugen.environment import find_host_compiler
from mcugen.graph.repeats import Repeat, repeats
from mcugen.names import GOALS, Goal
from mcugen.oracle.oracle import Oracle
from mcugen.runtimes.aot.emit.chains import find_chains
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan
from mcugen.tflite.opened import open_model
from tests.convert import recurrent_models
from tests.convert.recurrent_models import STEPS, inputs, recurrent
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, make_samples, options


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ("", []),
        ("abcabcabc", [Repeat(0, 3, 3)]),
        ("xabababay", [Repeat(1, 2, 3)]),
        ("aaaaa", [Repeat(0, 1, 5)]),
        ("aaaa", []),  # saves three
        ("abcdabcd", []),  # two rounds
        ("aabaabaabaabxyxyxyxyz", [Repeat(0, 3, 4), Repeat(12, 2, 4)]),
        ("zzzzzabcdabcdabcdabcd", [Repeat(0, 1, 5), Repeat(5, 4, 4)]),
    ],
)
def test_repeats(items: str, found: list[Repeat]) -> None:
    assert repeats(items) == found


def unrolled_gru(monkeypatch: pytest.MonkeyPatch, features: int) -> bytes:
    """A GRU in int8, unrolled, as `unroll=True` leaves one."""
    monkeypatch.setattr(recurrent_models, "FEATURES", features)
    model = unroll(open_model(recurrent("gru"))).model
    return convert(model.data, inputs(60)).model.data


def assert_every_layer_equal(model: bytes, goal: Goal = "balanced") -> Plan:
    """Outputs, and what the hook sees after every op, against the oracle."""
    plan = make_plan(optimize(read_graph(model)), goal=goal)
    tensors = [plan.graph.output_of(step.op).id for step in plan.steps]
    with HostModel(plan) as host, Oracle(model) as oracle:
        for sample in make_samples(model, 3):
            np.testing.assert_array_equal(host.run(sample)[0], oracle.run(sample)[0])
            seen = list(host.layers(sample))
            assert [number for number, _ in seen] == list(range(len(plan.steps)))
            for (number, got), want in zip(seen, oracle.tensors(sample, tensors), strict=True):
                np.testing.assert_array_equal(got, want, err_msg=f"op {number}")
    return plan


@pytest.mark.parametrize("goal", GOALS)
def test_an_unrolled_layer_is_a_loop_again(monkeypatch: pytest.MonkeyPatch, goal: Goal) -> None:
    plan = assert_every_layer_equal(unrolled_gru(monkeypatch, features=4), goal)
    (chain,) = find_chains(plan)
    assert chain.rounds >= STEPS - 2
    text = emit_model(plan)["mcg_model.c"]
    functions = re.findall(r"^MCG_OP void (mcg_op_\d+)\(", text, re.MULTILINE)
    assert len(functions) == len(plan.steps) - chain.saved
    assert text.count(f"for (uint32_t round = 0; round < {chain.rounds}; round++)") == 2, "plain and hooked"


def test_rounds_that_differ_are_loops_where_they_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of three bytes: every fourth begins at an address that kernels can read from, and is not copied."""
    plan = assert_every_layer_equal(unrolled_gru(monkeypatch, features=3))
    chains = find_chains(plan)
    assert len(chains) > 1
    assert sum(chain.saved for chain in chains) > len(plan.steps) // 3


def test_the_rounds_of_an_unrolled_layer_share_scales(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of an activation are there once or twice (the first round begins with zeros), not once per step."""
    plan = assert_every_layer_equal(unrolled_gru(monkeypatch, features=4))
    tables = {
        c.values.tobytes() for step in plan.steps for call in step.calls for c in call.constants if c.role == "table"
    }
    assert 0 < len(tables) <= 6


def dense_chain(*, weights: int = 1, rounds: int = 6) -> bytes:
    """y = W·y, six times, by as many matrices in turn."""
    rng = np.random.default_rng(0)
    matrices = [constant(rng.integers(-60, 60, (16, 16)).astype(np.int8), 0.02) for _ in range(weights)]
    # Scales differ from round to round, and so do requantization and zero points.
    state = [TensorSpec((1, 16), "int8", 0.1 * 1.1**n, n, name=f"y{n}") for n in range(rounds + 1)]
    nodes = [
        Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [state[n], matrices[n % weights]], [state[n + 1]])
        for n in range(rounds)
    ]
    return build_graph(nodes, [state[-1]])


def test_what_differs_from_round_to_round_stands_in_tables() -> None:
    plan = assert_every_layer_equal(dense_chain())
    assert find_chains(plan) == [Repeat(0, 1, 6)]
    text = emit_model(plan)["mcg_model.c"]
    assert "&p0[round]" in text
    assert "[round]," in text


def test_layers_with_weights_of_their_own_keep_functions_of_their_own() -> None:
    plan = assert_every_layer_equal(dense_chain(weights=6))
    assert find_chains(plan) == []
    assert "round" not in emit_model(plan)["mcg_model.c"]


def test_rounds_of_several_layers() -> None:
    """Two matrices in turn: a round is both."""
    plan = assert_every_layer_equal(dense_chain(weights=2, rounds=9))
    assert find_chains(plan) == [Repeat(0, 2, 4)]


def test_a_table_may_name_what_a_later_op_of_the_round_brought_along() -> None:
    """One matrix is requantized in its second round as the other in its first; arrays are per channel."""
    rng = np.random.default_rng(0)
    of_channels = [0.02 + 0.001 * n for n in range(32)]
    a, b = (constant(rng.integers(-60, 60, (32, 32)).astype(np.int8), of_channels) for _ in range(2))
    ratios = [2.0, 0.5, 0.5, 2.0, 2.0, 0.5, 0.5, 2.0, 2.0, 0.5]
    scales = [0.1 * float(np.prod(ratios[:n])) for n in range(len(ratios) + 1)]
    state = [TensorSpec((1, 32), "int8", scale, 0, name=f"y{n}") for n, scale in enumerate(scales)]
    nodes = [
        Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [state[n], (a, b)[n % 2]], [state[n + 1]])
        for n in range(len(ratios))
    ]
    plan = assert_every_layer_equal(build_graph(nodes, [state[-1]]))
    assert find_chains(plan) == [Repeat(0, 2, 5)]


def test_rounds_take_the_context_of_an_instance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two instances of a library whose functions take a context, one after the other op."""
    model = unrolled_gru(monkeypatch, features=4)
    plan = make_plan(optimize(read_graph(model)))
    for name, text in emit_model(plan, style=Style("gru", "context")).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    library = tmp_path / "gru.so"
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-I{tmp_path}"]
    subprocess.run([str(find_host_compiler()), *flags, "-o", str(library), str(tmp_path / "gru.c")], check=True)
    code = ctypes.CDLL(str(library))
    for function in (code.gru_input, code.gru_output):
        function.restype = ctypes.c_void_p
    contexts = [ctypes.create_string_buffer(plan.arena_bytes + 64) for _ in range(2)]
    at = [ctypes.c_void_p(-(-ctypes.addressof(c) // 16) * 16) for c in contexts]
    samples = make_samples(model, 2)[:2]
    for where, sample in zip(at, samples, strict=True):
        assert code.gru_init(where) == 0
        ctypes.memmove(code.gru_input(where, 0), sample[0].ctypes.data, sample[0].nbytes)
    assert [code.gru_invoke(where) for where in at] == [0, 0]
    with Oracle(model) as oracle:
        for where, sample in zip(at, samples, strict=True):
            want = oracle.run(sample)[0]
            assert ctypes.string_at(code.gru_output(where, 0), want.nbytes) == want.tobytes()
