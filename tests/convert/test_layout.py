"""Channels first becomes channels last: the same results, fewer transpositions. Needs no framework."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcugen.convert import calibrate
from mcugen.convert.data import load_samples
from mcugen.convert.layout import ChangedInput, fold_transposes, inputs_channels_last, outputs_as_given
from mcugen.errors import DataError
from mcugen.tflite import fields as flat
from mcugen.tflite.schema import pack_model, unpack_model
from mcugen.tflite.types import TensorSpec
from tests.convert.float_models import FloatModel, S, conv, dense

RNG = np.random.default_rng(0)


def transposed(model: FloatModel, x: int, order: tuple[int, ...]) -> int:
    shape = tuple(model.tensors[x].shape[a] for a in order)
    inputs = [x, model.constant(np.array(order), np.int32)]
    return int(model.op("TRANSPOSE", inputs, shape, options=S.TransposeOptionsT()))


def reshaped(model: FloatModel, x: int, shape: tuple[int, ...]) -> int:
    inputs = [x, model.constant(np.array(shape), np.int32)]
    return int(model.op("RESHAPE", inputs, shape, options=S.ReshapeOptionsT(list(shape))))


def convolved(model: FloatModel, x: int, channels: int = 3) -> int:
    _, height, width, depth = (int(d) for d in model.tensors[x].shape)
    weights = RNG.normal(size=(channels, 3, 3, depth))
    return conv(model, x, weights, RNG.normal(size=channels), (1, height, width, channels))


def kinds(model: Any) -> list[str]:
    return [flat.kind_of(model, op) for op in model.subgraphs[0].operators]


def results(tflite: bytes, inputs: list[Any]) -> Any:
    main = unpack_model(tflite).subgraphs[0]
    feeds = [a.astype(np.float32)[None] for a in inputs]
    return calibrate.observe(tflite, feeds, (), flat.ints(main.outputs)).outputs[0][0]


def settled(tflite: bytes) -> tuple[Any, tuple[ChangedInput, ...]]:
    """The model with all transpositions folded, after both were run on the same numbers."""
    model = unpack_model(tflite)
    given = [RNG.normal(size=s.shape) for s in flat.input_specs(model)]
    changed = inputs_channels_last(model)
    fold_transposes(model)
    moved = list(given)
    for change in changed:
        moved[change.position] = np.moveaxis(given[change.position], 1, -1)
        assert moved[change.position].shape == change.after
    found, expected = results(pack_model(model), moved), results(tflite, given)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    return model, changed


def test_input_and_flattening() -> None:
    m = FloatModel()
    features = convolved(m, transposed(m, m.input((1, 2, 4, 6), name="image"), (0, 2, 3, 1)))
    back = transposed(m, features, (0, 3, 1, 2))
    active = m.op("RELU", [back], (1, 3, 4, 6))
    flattened = reshaped(m, active, (1, 72))
    model, changed = settled(m.build(dense(m, flattened, RNG.normal(size=(5, 72)), RNG.normal(size=5))))
    assert changed == (ChangedInput(0, "image", (1, 2, 4, 6), (1, 4, 6, 2)),)
    assert kinds(model) == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED"]
    assert model.subgraphs[0].operators[0].builtinOptions.fusedActivationFunction == S.ActivationFunctionType.RELU
    assert flat.input_specs(model)[0] == TensorSpec("image:channels_last", (1, 4, 6, 2), "float32")


def test_sequences() -> None:
    m = FloatModel()
    high = reshaped(m, m.input((1, 4, 16)), (1, 4, 1, 16))
    features = convolved(m, transposed(m, high, (0, 2, 3, 1)))
    model, changed = settled(m.build(features))
    assert [c.after for c in changed] == [(1, 16, 4)]
    assert kinds(model) == ["RESHAPE", "CONV_2D"]


@pytest.mark.parametrize("keep", [False, True])
def test_means(keep: bool) -> None:
    m = FloatModel()
    back = transposed(m, convolved(m, m.input((1, 4, 6, 2))), (0, 3, 1, 2))
    shape = (1, 3, 1, 1) if keep else (1, 3)
    axes = m.constant(np.array([2, -1]), np.int32)
    model, _ = settled(m.build(m.op("MEAN", [back, axes], shape, options=S.ReducerOptionsT(keepDims=keep))))
    assert kinds(model) == ["CONV_2D", "MEAN", *["RESHAPE"] * keep]


def test_a_mean_over_channels_keeps_its_order() -> None:
    m = FloatModel()
    turned = transposed(m, convolved(m, m.input((1, 4, 6, 2))), (0, 2, 1, 3))
    axes = m.constant([3], np.int32)
    model, _ = settled(m.build(m.op("MEAN", [turned, axes], (1, 6, 4), options=S.ReducerOptionsT())))
    assert kinds(model) == ["CONV_2D", "TRANSPOSE", "MEAN"]


def test_transpositions_in_turn() -> None:
    m = FloatModel()
    there = transposed(m, convolved(m, m.input((1, 4, 6, 2))), (0, 3, 1, 2))
    active = m.op("TANH", [there], (1, 3, 4, 6))
    back = transposed(m, active, (0, 2, 3, 1))
    turned = transposed(m, transposed(m, convolved(m, back), (0, 2, 1, 3)), (0, 3, 1, 2))
    model, _ = settled(m.build(turned))
    assert kinds(model) == ["CONV_2D", "TANH", "CONV_2D", "TRANSPOSE"]


def test_one_channel_needs_no_mark() -> None:
    m = FloatModel()
    model, changed = settled(m.build(convolved(m, reshaped(m, m.input((1, 1, 4, 6), name="x"), (1, 4, 6, 1)))))
    assert [c.after for c in changed] == [(1, 4, 6, 1)]
    assert (kinds(model), flat.input_specs(model)[0].name) == (["CONV_2D"], "x")


@pytest.mark.parametrize("shape", [(1, 4, 4, 4), (1, 4, 1, 4)])
def test_an_input_whose_orders_look_alike_stays(shape: tuple[int, ...]) -> None:
    m = FloatModel()
    model, changed = settled(m.build(convolved(m, transposed(m, m.input(shape), (0, 2, 3, 1)))))
    assert changed == ()
    assert kinds(model) == ["TRANSPOSE", "CONV_2D"]


def test_an_input_that_is_read_in_both_orders_stays() -> None:
    m = FloatModel()
    x = m.input((1, 2, 4, 6))
    back = transposed(m, convolved(m, transposed(m, x, (0, 2, 3, 1)), 2), (0, 3, 1, 2))
    model, changed = settled(m.build(m.op("ADD", [back, x], (1, 2, 4, 6), options=S.AddOptionsT())))
    assert changed == ()
    assert kinds(model) == ["TRANSPOSE", "CONV_2D", "TRANSPOSE", "ADD"]


def test_outputs_get_the_order_of_the_original() -> None:
    m = FloatModel()
    tflite = m.build(convolved(m, m.input((1, 4, 6, 2))))
    x = RNG.normal(size=(1, 4, 6, 2))
    model = unpack_model(tflite)
    name = flat.output_specs(model.subgraphs[0])[0].name
    outputs_as_given(model, [(1, 3, 4, 6)])
    assert flat.output_specs(model.subgraphs[0]) == (TensorSpec(name, (1, 3, 4, 6), "float32"),)
    np.testing.assert_array_equal(results(pack_model(model), [x]), results(tflite, [x]).transpose(0, 3, 1, 2))


MARKED = (TensorSpec("image:channels_last", (1, 4, 6, 3), "float32"),)


def test_samples_in_both_orders(tmp_path: Any) -> None:
    last = RNG.normal(size=(5, 4, 6, 3)).astype(np.float32)
    first = last.transpose(0, 3, 1, 2)
    for given in (last, first, {"image": first, "y": np.arange(5)}, list(first)):
        assert np.array_equal(load_samples(given, MARKED).inputs[0], last)
    assert np.array_equal(load_samples(first[0], MARKED).inputs[0], last[:1])
    assert "channels first" in load_samples(first, MARKED).notes[0]
    (tmp_path / "rows.csv").write_text(",".join("1" * 72))
    for given in (last.reshape(5, -1), str(tmp_path / "rows.csv"), last.transpose(0, 2, 1, 3)):
        with pytest.raises(DataError, match=r"whether channels come first or last.*\(N, 3, 4, 6\)"):
            load_samples(given, MARKED)
