"""Recurrent layers of float models: what becomes of their loops, and that it computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.convert import convert
from mcugen.convert.loops.counted import counted_loops
from mcugen.convert.loops.lstm_layers import fuse_lstm_layers
from mcugen.convert.loops.merged import merge, split
from mcugen.convert.loops.rows import write_rows_in_place
from mcugen.convert.loops.unrolled import unroll
from mcugen.convert.observed import merged_copy, observe
from mcugen.errors import ConversionError, ModelError
from mcugen.oracle.oracle import Oracle
from mcugen.tflite import fields as flat
from mcugen.tflite.lstm_operands import LSTM
from mcugen.tflite.opened import OpenedModel, open_model, packed
from mcugen.tflite.schema_types import ModelT
from tests.convert.float_models import FloatModel, S
from tests.convert.recurrent_models import STEPS, UNITS, Loop, inputs, joined_row, recurrent, states

KINDS = ("lstm", "gru", "simple")


def kinds(model: ModelT, graph: int = 0) -> list[str]:
    return [flat.kind_of(model, op) for op in model.subgraphs[graph].operators]


def outputs(model: bytes | OpenedModel, x: NDArray[Any]) -> NDArray[Any]:
    """Of all samples, each from a fresh start."""
    with Oracle(model if isinstance(model, bytes) else model.data, afresh=True) as oracle:
        return np.stack([oracle.run([one[None]])[0].reshape(-1) for one in x])


def with_rows(tflite: bytes) -> OpenedModel:
    model = open_model(tflite).copy()
    for loop in counted_loops(model):
        assert write_rows_in_place(model, loop) == 1
    return packed(model)


def fused(opened: OpenedModel) -> tuple[OpenedModel, list[str]]:
    model = opened.copy()
    names = fuse_lstm_layers(model)
    return packed(model), names


@pytest.mark.parametrize("kind", KINDS)
def test_the_loops_of_these_tests_are_the_layers(kind: str) -> None:
    x = inputs(3)
    expected = np.stack([states(kind, one)[-1] for one in x])
    np.testing.assert_allclose(outputs(recurrent(kind, head=False), x), expected, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_written_in_place(kind: str) -> None:
    """What joins pieces of changing shape, for which nothing can be planned, computes the same with fixed shapes."""
    x = inputs(3)
    model = with_rows(recurrent(kind, sequences=True, head=False))
    assert "SLICE" not in kinds(model.schema, 2)
    expected = np.stack([states(kind, one).reshape(-1) for one in x])
    np.testing.assert_allclose(outputs(model, x), expected, atol=2e-6)


def test_rows_in_another_place_are_left_alone() -> None:
    """The cut behind the row is one too far on."""
    main = FloatModel()
    loop = Loop(main, 4)
    sequence = loop.variable(main.input((4, 1, 2)))
    body = loop.body
    further = body.op("ADD", [loop.next_count, body.constant(np.array(1, np.int32), np.int32)], (), dtype="INT32")
    body.ops[-1].builtinOptions, body.ops[-1].builtinOptionsType = S.AddOptionsT(), S.BuiltinOptions.AddOptions
    row = body.constant(np.ones((1, 1, 2)))
    loop.give(sequence, joined_row(body, sequence, row, loop.count, further))
    model = open_model(loop.build(*loop.end())).copy()
    (counted,) = counted_loops(model)
    assert write_rows_in_place(model, counted) == 0


@pytest.mark.parametrize("way", ["joined", "apart", "added"])
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_an_lstm_becomes_one_op(way: str, swap: bool, sequences: bool) -> None:
    x = inputs(4)
    tflite = recurrent("lstm", sequences=sequences, head=False, way=way, swap=swap)
    model, names = fused(with_rows(tflite) if sequences else open_model(tflite))
    assert names == ["layer"]
    assert LSTM in kinds(model.schema)
    assert len(model.schema.subgraphs) == 1
    expected = [states("lstm", one).reshape(-1) if sequences else states("lstm", one)[-1] for one in x]
    np.testing.assert_allclose(outputs(model, x), np.stack(expected), atol=2e-6)


@pytest.mark.parametrize(
    "tflite",
    [
        pytest.param(recurrent("lstm", shown="RELU"), id="another activation"),
        pytest.param(recurrent("lstm", shown="LOGISTIC"), id="a sigmoid in its place"),
        pytest.param(recurrent("lstm", start=0.5), id="another beginning"),
        pytest.param(recurrent("gru"), id="a GRU"),
        pytest.param(recurrent("simple"), id="a simple layer"),
    ],
)
def test_what_is_no_lstm_stays_a_loop(tflite: bytes) -> None:
    model, names = fused(open_model(tflite))
    assert names == []
    assert "WHILE" in kinds(model.schema)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sequences", [False, True])
def test_unrolled_models_compute_the_same(kind: str, sequences: bool) -> None:
    x = inputs(4)
    tflite = recurrent(kind, sequences=sequences)
    model = with_rows(tflite) if sequences else open_model(tflite)
    for form in (model, fused(model)[0]):
        unrolled = unroll(form)
        assert not {"WHILE", LSTM} & set(kinds(unrolled.model.schema))
        np.testing.assert_allclose(outputs(unrolled.model, x), outputs(model, x), atol=2e-6)


def test_a_loop_starts_where_it_is_told() -> None:
    x = inputs(3)
    tflite = recurrent("gru", start=0.5, head=False)
    expected = np.stack([states("gru", one, 0.5)[-1] for one in x])
    np.testing.assert_allclose(outputs(unroll(open_model(tflite)).model, x), expected, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_merging_and_splitting_changes_nothing(kind: str) -> None:
    x = inputs(2)
    model = open_model(recurrent(kind)).copy()
    before = [kinds(model, n) for n in range(3)]
    merged = merge(model)
    assert len(model.subgraphs) == 1
    assert len(kinds(model)) == sum(map(len, before))
    split(model, merged)
    assert [kinds(model, n) for n in range(3)] == before
    np.testing.assert_array_equal(outputs(packed(model), x), outputs(recurrent(kind), x))


def growing(rounds: int = STEPS, by: float = 1.5) -> bytes:
    """A state that grows from round to round: no single round tells its range."""
    main = FloatModel()
    x = main.input((1, UNITS))
    loop = Loop(main, rounds)
    state = loop.variable(x)
    factor = loop.body.constant(np.array(by, np.float32))
    loop.give(state, loop.body.op("MUL", [state, factor], (1, UNITS), options=S.MulOptionsT()))
    return loop.build(*loop.end())


def test_ranges_are_those_of_all_rounds() -> None:
    model = open_model(growing())
    seen = observe(model, [np.ones((1, 1, UNITS), np.float32)])
    names = {flat.name_of(tensor, i): i for i, tensor in enumerate(merged_copy(model).subgraphs[0].tensors)}
    low, high = seen.ranges[names["variable2"]]
    assert (low, high) == (1.0, pytest.approx(1.5 ** (STEPS - 1)))


def test_a_variable_has_one_scale() -> None:
    """What a loop starts with, what its body takes and gives, and what it ends with."""
    converted = convert(growing(3), np.random.default_rng(0).normal(size=(50, UNITS)).astype(np.float32))
    main, condition, body = converted.model.schema.subgraphs
    loop = main.operators[0]
    tensors = [
        main.tensors[flat.ints(loop.inputs)[1]],
        main.tensors[flat.ints(loop.outputs)[1]],
        condition.tensors[flat.ints(condition.inputs)[1]],
        *(body.tensors[flat.ints(ids)[1]] for ids in (body.inputs, body.outputs)),
    ]
    assert len({flat.quantization_of(tensor) for tensor in tensors}) == 1
    scale, zero = flat.quantization_of(tensors[0])
    largest = scale * max(127 - zero, 128 + zero)
    assert largest == pytest.approx(float(np.abs(converted.report.ranges[1].maximum)), rel=0.3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sequences", [False, True])
def test_int8_keeps_close_to_float(kind: str, sequences: bool) -> None:
    converted = convert(recurrent(kind, sequences=sequences), inputs(60))
    schema = converted.model.schema
    assert (LSTM in kinds(schema)) is (kind == "lstm")
    assert ("WHILE" in kinds(schema)) is (kind != "lstm")
    figures = converted.report.agreement[0]
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 18
    assert not [text for text in converted.report.warnings if "always zero" in text]


@pytest.mark.parametrize(("kind", "sequences"), [("lstm", False), ("gru", True)])
def test_int16_activations_keep_closer(kind: str, sequences: bool) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    converted = convert(recurrent(kind, sequences=sequences), inputs(40), activations="int16")
    schema = converted.model.schema
    assert (LSTM in kinds(schema)) is (kind == "lstm")
    figures = converted.report.agreement[0]
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 35
    # What rounds have in common is there once.
    matrices = [t for t in schema.subgraphs[0].tensors if flat.shape_of(t) == (2 * UNITS, UNITS)]
    assert len(matrices) == (kind == "gru")


def test_a_loop_that_data_ends_is_refused() -> None:
    main = FloatModel()
    loop = Loop(main, 4)
    state = loop.variable(main.input((1,)))
    loop.give(state, loop.body.op("ADD", [state, state], (1,), options=S.AddOptionsT()))
    limit = loop.condition.constant(np.array([9], np.float32))
    judged = loop.condition.op("LESS", [1, limit], (1,), dtype="BOOL", options=S.LessOptionsT())
    loop.until(judged)
    with pytest.raises(ConversionError, match=r'op 0 WHILE "layer/while": is a loop whose number of rounds depends on'):
        convert(loop.build(*loop.end()), np.ones((3, 1), np.float32))


def test_a_loop_without_end_is_refused() -> None:
    main = FloatModel()
    loop = Loop(main, 10, start=0, by=0)
    loop.variable(main.input((1, 2)))
    with pytest.raises(ConversionError, match="depends on data, or is above 4,096"):
        convert(loop.build(*loop.end()), np.ones((3, 2), np.float32))


def test_a_loop_in_a_loop_is_refused() -> None:
    model = open_model(recurrent("simple")).copy()
    body, main = model.subgraphs[2], model.subgraphs[0]
    loop = next(op for op in main.operators if flat.kind_of(model, op) == "WHILE")
    body.operators.append(loop)
    with pytest.raises(ConversionError, match="is a loop with loops or conditions inside"):
        counted_loops(model)


def test_conditions_are_refused() -> None:
    model = FloatModel()
    y = model.op("IF", [model.input((1,), "BOOL")], (1, 2), name="choice")
    with pytest.raises(ModelError, match=r'op 0 IF "choice": .*conditions or state.*`quantize=False`'):
        convert(model.build(y, subgraphs=2), "random")
