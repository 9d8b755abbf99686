"""SVDF and LSTM over random shapes and scales, as sequences, against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.errors import UnsupportedOpError
from mcugen.graph import read_graph
from mcugen.numerics.sigmoid_table import sigmoid_table
from mcugen.ops.base import Target
from mcugen.plan import make_plan
from tests.kernels.single_op import TensorSpec, build_model, constant, options
from tests.state.models import assert_sequence_bit_exact, with_variables

DSP = Target("cortex-m4", dsp=True)


def svdf_model(rng: np.random.Generator, state: str = "int8", **changes: object) -> bytes:
    """One SVDF of random shape, rank and scales, and with a zero point of the state that makes it go round."""
    batches, inputs, rank, units, memory = (int(rng.integers(low, high)) for low, high in (
        (1, 3), (1, 12), (1, 4), (1, 6), (1, 9)))  # fmt: skip
    filters = units * rank
    input_scale, weight_scale, state_scale, time_scale = (
        float(np.float32(10.0 ** rng.uniform(low, high))) for low, high in ((-2, -1), (-3, -2), (-2, 0), (-3, -2))
    )
    bias_scale = float(np.float32(state_scale) * np.float32(time_scale))
    wide = state == "int16"
    limit = 3000 if wide else 127
    x = TensorSpec((batches, inputs), "int8", input_scale, int(rng.integers(-128, 128)), name="x")
    tensors = [
        x,
        constant(rng.integers(-127, 128, (filters, inputs)).astype(np.int8), weight_scale),
        constant(rng.integers(-limit, limit + 1, (filters, memory)).astype(state), time_scale / (256 if wide else 1)),
        constant(rng.integers(-500, 500, units).astype(np.int32), bias_scale / (65536 if wide else 1)),
        TensorSpec((batches, memory * filters), state, state_scale / (256 if wide else 1),
                   0 if wide else int(rng.integers(-128, 128)), name="state"),
    ]  # fmt: skip
    out_scale = float(np.float32(10.0 ** rng.uniform(-2.5, -1)))
    y = TensorSpec((batches, units), "int8", out_scale, int(rng.integers(-128, 128)), name="y")
    chosen = options("SVDFOptions", rank=rank, fusedActivationFunction=0)
    for field, value in changes.items():
        setattr(chosen, field, value)
    return with_variables(build_model("SVDF", chosen, tensors, [y]), {"state"})


@pytest.mark.parametrize("state", ["int8", "int16"])
@pytest.mark.parametrize("seed", range(5))
def test_svdf(state: str, seed: int) -> None:
    model = svdf_model(np.random.default_rng(seed), state)
    plan = assert_sequence_bit_exact(model, seed=seed, target=DSP if seed % 2 else None)
    assert plan.stateful
    assert plan.steps[0].variant == ("dsp" if seed % 2 else "portable")


def test_svdf_activation_that_the_reference_does_not_apply_is_refused() -> None:
    model = svdf_model(np.random.default_rng(0), fusedActivationFunction=1)
    with pytest.raises(UnsupportedOpError, match="the fused activation is RELU, the output's zero point"):
        make_plan(read_graph(model))


def lstm_model(rng: np.random.Generator, **fields: object) -> bytes:
    """One LSTM of random shape and scales."""
    batches, steps, inputs, units = (int(rng.integers(low, high)) for low, high in ((1, 3), (1, 5), (1, 14), (1, 9)))
    time_major = bool(fields.get("timeMajor", False))
    shape = (steps, batches) if time_major else (batches, steps)
    hidden_scale = float(np.float32(10.0 ** rng.uniform(-2.3, -1.9)))
    hidden_zero = int(rng.integers(-20, 20))
    input_scale = float(np.float32(10.0 ** rng.uniform(-2.5, -1)))
    cell_scale = 2.0 ** -int(rng.integers(9, 16))

    def weights(depth: int) -> TensorSpec:
        scale = float(np.float32(10.0 ** rng.uniform(-2.5, -1.5)))
        return constant(rng.integers(-127, 128, (units, depth)).astype(np.int8), scale)

    operands: list[TensorSpec | None] = [None] * 24
    operands[0] = TensorSpec((*shape, inputs), "int8", input_scale, int(rng.integers(-128, 128)), name="x")
    operands[1:5] = [weights(inputs) for _ in range(4)]
    operands[5:9] = [weights(units) for _ in range(4)]
    operands[12:16] = [constant(rng.integers(-9000, 9000, units).astype(np.int32), 1e-4) for _ in range(4)]
    operands[18] = TensorSpec((batches, units), "int8", hidden_scale, hidden_zero, name="hidden")
    operands[19] = TensorSpec((batches, units), "int16", cell_scale, 0, name="cell")
    y = TensorSpec((*shape, units), "int8", hidden_scale, hidden_zero, name="y")
    chosen = {"fusedActivationFunction": 4, "cellClip": float(rng.choice([0.0, 0.75, 10.0])), **fields}
    made = build_model(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", options("UnidirectionalSequenceLSTMOptions", **chosen), operands, [y]
    )
    return with_variables(made, {"hidden", "cell"})


@pytest.mark.parametrize("seed", range(8))
def test_lstm(seed: int) -> None:
    model = lstm_model(np.random.default_rng(seed), timeMajor=seed % 3 == 0)
    plan = assert_sequence_bit_exact(model, seed=seed, target=DSP if seed % 2 else None)
    assert [state.name for state in plan.graph.states] == ["hidden", "cell"]


def test_lstm_activation() -> None:
    with pytest.raises(UnsupportedOpError, match="the activation is RELU"):
        make_plan(read_graph(lstm_model(np.random.default_rng(0), fusedActivationFunction=1)))


def test_states_that_are_no_variables_are_refused() -> None:
    rng = np.random.default_rng(1)
    x = TensorSpec((1, 4), "int8", 0.1, 0)
    state = TensorSpec((1, 6), "int8", 0.1, 0)
    tensors = [
        x,
        constant(rng.integers(-9, 9, (2, 4)).astype(np.int8), 0.1),
        constant(rng.integers(-9, 9, (2, 3)).astype(np.int8), 0.1),
        constant(np.zeros(2, np.int32), 0.01),
        state,
    ]
    model = build_model("SVDF", options("SVDFOptions", rank=1), tensors, [TensorSpec((1, 2), "int8", 0.1, 0)])
    with pytest.raises(UnsupportedOpError, match="no variable tensor"):
        make_plan(read_graph(model))


def test_the_sigmoid_table_rises_from_one_half_to_one() -> None:
    table = sigmoid_table().astype(int)
    assert (table[0], table[-1]) == (1 << 15, (1 << 16) - 1)
    assert (np.diff(table) >= 0).all()
