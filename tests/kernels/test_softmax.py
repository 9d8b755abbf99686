"""SOFTMAX against the oracle: depths, scales, betas, ties, rows that the reference stops at."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.many_ops import ZERO_POINTS, draw_scale, prove, refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, build_model, options


def node(
    shape: tuple[int, ...], scale: float, beta: float = 1.0, zero_point: int = 0, output_scale: float = 1 / 256
) -> Node:
    source = TensorSpec(shape, scale=scale, zero_point=zero_point)
    output = TensorSpec(shape, scale=output_scale, zero_point=-128)
    return Node("SOFTMAX", options("SoftmaxOptions", beta=beta), [source], [output])


@pytest.mark.parametrize("seed", range(3))
def test_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    for _ in range(25):
        shape = (*(int(d) for d in rng.integers(1, 4, rng.integers(0, 3))), int(rng.integers(1, 40)))
        beta = float(np.float32(rng.choice([1.0, 0.25, 3.7])))
        nodes.append(node(shape, draw_scale(rng, -4, 1), beta, int(rng.choice(ZERO_POINTS))))
    prove(nodes, samples=12, seed=seed)


def test_extreme_slopes() -> None:
    """From almost flat (all exponentials in the table) to a step (one entry), and a capped multiplier."""
    slopes = [(2.0**-25, 1.0), (1e-6, 1.0), (0.05, 1.0), (1.0, 1.0), (16.0, 1.0), (40.0, 1.0), (1e4, 1e4), (0.1, 1e-5)]
    prove([node((3, 10), scale, beta) for scale, beta in slopes], samples=10)


def test_close_logits() -> None:
    """Rows of nearly equal logits, where rounding decides."""
    rng = np.random.default_rng(11)
    nodes = [node((8, depth), 0.02) for depth in (2, 3, 5, 100, 511)]
    samples = [
        [rng.integers(100, 128, n.inputs[0].shape).astype(np.int8) for n in nodes if n.inputs[0] is not None]
        for _ in range(6)
    ]
    assert_bit_exact(build_graph(nodes, [n.outputs[0] for n in nodes]), samples)


def test_longer_rows_than_the_reference_takes() -> None:
    """The reference stops the process at 512 equal logits; each probability below 1/512 is 0 here."""
    model = build_model(*_parts(node((2, 600), 0.1)))
    with HostModel(make_plan(read_graph(model))) as host:
        logits = np.zeros((2, 600), np.int8)
        assert (host.run([logits])[0] == -128).all()
        logits[1, 5] = 127
        row = host.run([logits])[0][1]
        assert row[5] == 127
        assert (np.delete(row, 5) == -128).all()


def test_longer_rows_equal_where_the_reference_answers() -> None:
    rng = np.random.default_rng(5)
    logits = rng.integers(-128, 128, (1, 3000)).astype(np.int8)
    assert_bit_exact(build_model(*_parts(node((1, 3000), 0.1))), [[logits]])


def test_refusals() -> None:
    assert "2^-26" in refusal(node((1, 4), 2.0**-26))
    assert "2^-26" in refusal(node((1, 4), 0.1, beta=0.0))
    assert "2^-26" in refusal(node((1, 4), 0.1, beta=-1.0))
    assert "4096" in refusal(node((1, 4096), 0.1))
    assert "scalar" in refusal(node((), 0.1))
    assert "output's scale" in refusal(node((1, 4), 0.1, output_scale=1 / 255))
    wide = Node(
        "SOFTMAX",
        options("SoftmaxOptions", beta=1.0),
        [TensorSpec((4,), scale=0.1)],
        [TensorSpec((4,), "int32", 1 / 65536, -32768)],
    )
    assert "int32, not int8" in refusal(wide)


def _parts(one: Node) -> tuple[str, object, list[TensorSpec | None], list[TensorSpec]]:
    return one.op, one.options, list(one.inputs), list(one.outputs)
