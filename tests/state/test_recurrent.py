"""SVDF and LSTM over random shapes and scales, as sequences, against the oracle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcugen.errors import UnsupportedOpError
from mcugen.numerics.sigmoid_table import sigmoid_table
from mcugen.ops.base import Target
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import TensorSpec, build_model, constant, make_samples, options
from tests.state.models import assert_sequence_bit_exact, with_variables

DSP = Target("cortex-m4", ("dsp",))


def svdf_model(rng: np.random.Generator, state: str = "int8", **changes: object) -> bytes:
    """One SVDF of random shape, rank and scales, and with a zero point of the state that makes it go round."""
    batches, inputs, rank, units, memory = (
        int(rng.integers(low, high)) for low, high in ((1, 3), (1, 12), (1, 4), (1, 6), (1, 9))
    )
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
        TensorSpec(
            (batches, memory * filters),
            state,
            state_scale / (256 if wide else 1),
            0 if wide else int(rng.integers(-128, 128)),
            name="state",
        ),
    ]
    out_scale = float(np.float32(10.0 ** rng.uniform(-2.5, -1)))
    y = TensorSpec((batches, units), "int8", out_scale, int(rng.integers(-128, 128)), name="y")
    chosen = options("SVDFOptions", rank=rank, fusedActivationFunction=0)
    for field, value in changes.items():
        setattr(chosen, field, value)
    return with_variables(build_model("SVDF", chosen, tensors, [y]), {"state"})


def svdf_f32_model(rng: np.random.Generator, **fields: object) -> bytes:
    """One SVDF of random shape and rank, float32."""
    batches, inputs, rank, units, memory = (
        int(rng.integers(low, high)) for low, high in ((1, 3), (1, 12), (1, 4), (1, 6), (1, 9))
    )
    filters = units * rank
    tensors = [
        TensorSpec((batches, inputs), "float32", name="x"),
        *(
            constant(rng.uniform(-1, 1, shape).astype(np.float32))
            for shape in ((filters, inputs), (filters, memory), (units,))
        ),
        TensorSpec((batches, memory * filters), "float32", name="state"),
    ]
    y = TensorSpec((batches, units), "float32", name="y")
    chosen = options("SVDFOptions", **{"rank": rank, "fusedActivationFunction": int(rng.integers(6)), **fields})
    return with_variables(build_model("SVDF", chosen, tensors, [y]), {"state"})


@pytest.mark.parametrize("state", ["int8", "int16"])
@pytest.mark.parametrize("seed", range(5))
def test_svdf(state: str, seed: int) -> None:
    model = svdf_model(np.random.default_rng(seed), state)
    plan = assert_sequence_bit_exact(model, seed=seed, target=DSP if seed % 2 else None)
    assert plan.stateful
    assert plan.steps[0].variant == ("dsp" if seed % 2 else "portable")


@pytest.mark.parametrize("activation", range(6))
def test_svdf_f32(activation: int) -> None:
    """Every fused activation, with sums that are clamped and sums that are not."""
    model = svdf_f32_model(np.random.default_rng(activation), fusedActivationFunction=activation)
    plan = assert_sequence_bit_exact(model, seed=activation)
    assert plan.stateful
    assert plan.steps[0].calls[0].kernel == "mcg_svdf_f32"


def test_svdf_activation_that_the_reference_does_not_apply_is_refused() -> None:
    model = svdf_model(np.random.default_rng(0), fusedActivationFunction=1)
    with pytest.raises(UnsupportedOpError, match="the fused activation is RELU, the output's zero point"):
        make_plan(read_graph(model))


def lstm_model(
    rng: np.random.Generator, dtype: str = "int8", *, biases: str = "", bias_limit: int = 0, **fields: object
) -> bytes:
    """One LSTM of random shape and scales, with int8 or int16 activations; `fields` are options."""
    batches, steps, inputs, units = (int(rng.integers(low, high)) for low, high in ((1, 3), (1, 5), (1, 14), (1, 9)))
    time_major = bool(fields.get("timeMajor", False))
    shape = (steps, batches) if time_major else (batches, steps)
    hidden_scale = float(np.float32(10.0 ** rng.uniform(-2.3, -1.9)))
    hidden_zero = int(rng.integers(-20, 20))
    input_scale = float(np.float32(10.0 ** rng.uniform(-2.5, -1)))
    input_zero = int(rng.integers(-128, 128))
    cell_scale = 2.0 ** -int(rng.integers(9, 16))
    if dtype == "int16":
        hidden_scale, input_scale = hidden_scale / 256, input_scale / 256
        hidden_zero = input_zero = 0
    biases = biases or ("int64" if dtype == "int16" else "int32")
    bias_limit = bias_limit or (9000 * 256 if dtype == "int16" else 9000)

    def weights(depth: int) -> TensorSpec:
        scale = float(np.float32(10.0 ** rng.uniform(-2.5, -1.5)))
        return constant(rng.integers(-127, 128, (units, depth)).astype(np.int8), scale)

    def bias() -> TensorSpec:
        return constant(rng.integers(-bias_limit, bias_limit, units).astype(biases), 1e-4)

    operands = _lstm_operands(weights, bias, inputs, units)
    operands[0] = TensorSpec((*shape, inputs), dtype, input_scale, input_zero, name="x")
    operands[18] = TensorSpec((batches, units), dtype, hidden_scale, hidden_zero, name="hidden")
    operands[19] = TensorSpec((batches, units), "int16", cell_scale, 0, name="cell")
    y = TensorSpec((*shape, units), dtype, hidden_scale, hidden_zero, name="y")
    return _lstm(operands, y, {"cellClip": float(rng.choice([0.0, 0.75, 10.0])), **fields})


def lstm_f32_model(rng: np.random.Generator, **fields: object) -> bytes:
    """One LSTM of random shape, float32."""
    batches, steps, inputs, units = (int(rng.integers(low, high)) for low, high in ((1, 3), (1, 5), (1, 14), (1, 9)))
    shape = (steps, batches) if fields.get("timeMajor", False) else (batches, steps)

    def weights(depth: int) -> TensorSpec:
        return constant(rng.uniform(-1, 1, (units, depth)).astype(np.float32))

    operands = _lstm_operands(weights, lambda: constant(rng.uniform(-1, 1, units).astype(np.float32)), inputs, units)
    operands[0] = TensorSpec((*shape, inputs), "float32", name="x")
    operands[18] = TensorSpec((batches, units), "float32", name="hidden")
    operands[19] = TensorSpec((batches, units), "float32", name="cell")
    y = TensorSpec((*shape, units), "float32", name="y")
    return _lstm(operands, y, {"cellClip": float(rng.choice([0.0, 0.4, 10.0])), **fields})


def _lstm_operands(
    weights: Callable[[int], TensorSpec], bias: Callable[[], TensorSpec], inputs: int, units: int
) -> list[TensorSpec | None]:
    """An LSTM's operands, its constants filled in."""
    operands: list[TensorSpec | None] = [None] * 24
    operands[1:5] = [weights(inputs) for _ in range(4)]
    operands[5:9] = [weights(units) for _ in range(4)]
    operands[12:16] = [bias() for _ in range(4)]
    return operands


def _lstm(operands: list[TensorSpec | None], y: TensorSpec, fields: dict[str, object]) -> bytes:
    chosen = options("UnidirectionalSequenceLSTMOptions", **{"fusedActivationFunction": 4, **fields})
    return with_variables(build_model("UNIDIRECTIONAL_SEQUENCE_LSTM", chosen, operands, [y]), {"hidden", "cell"})


@pytest.mark.parametrize("seed", range(8))
def test_lstm(seed: int) -> None:
    model = lstm_model(np.random.default_rng(seed), timeMajor=seed % 3 == 0)
    plan = assert_sequence_bit_exact(model, seed=seed, target=DSP if seed % 2 else None)
    assert [state.name for state in plan.graph.states] == ["hidden", "cell"]


@pytest.mark.parametrize("seed", range(8))
def test_lstm_16x8(seed: int) -> None:
    model = lstm_model(np.random.default_rng(seed), "int16", timeMajor=seed % 3 == 0)
    assert assert_sequence_bit_exact(model, seed=seed).steps[0].calls[0].kernel == "mcg_lstm_s16"


@pytest.mark.parametrize("seed", range(6))
def test_lstm_f32(seed: int) -> None:
    model = lstm_f32_model(np.random.default_rng(seed), timeMajor=seed % 3 == 0)
    assert assert_sequence_bit_exact(model, seed=seed).steps[0].calls[0].kernel == "mcg_lstm_f32"


@pytest.mark.parametrize(
    "build",
    [
        lambda rng: svdf_f32_model(rng, fusedActivationFunction=0),
        lambda rng: svdf_f32_model(rng, fusedActivationFunction=1),
        lambda rng: svdf_f32_model(rng, fusedActivationFunction=2),
        lambda rng: lstm_f32_model(rng, cellClip=0.4),
    ],
)
def test_numbers_that_are_none_and_sums_beyond_all_numbers(build: Callable[[np.random.Generator], bytes]) -> None:
    model = build(np.random.default_rng(3))
    samples = make_samples(model, 4)
    for (x,), value in zip(samples[1:], (np.inf, 3e38, np.nan, -np.inf), strict=False):
        x[:] = value
    assert_sequence_bit_exact(model, samples)


def test_lstm_16x8_with_an_int32_bias_is_refused() -> None:
    """The reference does not look, and reads beyond its end."""
    model = lstm_model(np.random.default_rng(0), "int16", biases="int32")
    with pytest.raises(UnsupportedOpError, match="is int32, not int64"):
        make_plan(read_graph(model))


def test_lstm_16x8_whose_sums_are_too_large_is_refused() -> None:
    model = lstm_model(np.random.default_rng(0), "int16", bias_limit=1 << 60)
    with pytest.raises(UnsupportedOpError, match=r"its accumulator can reach 2\^\d+\.\d, more than 47 bits hold"):
        make_plan(read_graph(model))


@pytest.mark.parametrize("build", [lstm_model, lstm_f32_model])
def test_lstm_activation(build: Callable[..., bytes]) -> None:
    with pytest.raises(UnsupportedOpError, match="the activation is RELU"):
        make_plan(read_graph(build(np.random.default_rng(0), fusedActivationFunction=1)))


def test_a_cell_clip_below_the_cell_scale_is_refused() -> None:
    """It would be 0 in units of the cell, which means none; the reference clips everything to 0."""
    model = lstm_model(np.random.default_rng(0), cellClip=1e-6)
    with pytest.raises(UnsupportedOpError, match="cells are clipped to 1e-06"):
        make_plan(read_graph(model))


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
