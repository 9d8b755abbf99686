"""Ops without an int16 form: written with others that have one, or refused by the layer's name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcugen.convert import calibrate
from mcugen.convert.equivalents import use_equivalents, use_int16_equivalents
from mcugen.convert.quantize_16x8 import check_int16
from mcugen.errors import ConversionError
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel, open_model, packed
from tests.convert.float_models import FloatModel as Making
from tests.convert.float_models import S, dense

RNG = np.random.default_rng(3)


def prelu(making: Making, shape: tuple[int, ...], slope: Any) -> bytes:
    return making.build(making.op("PRELU", [making.input(shape), making.constant(slope)], shape))


def largest(making: Making, shape: tuple[int, ...], axes: list[int], *, keep: bool = False) -> bytes:
    over = {axis % len(shape) for axis in axes}
    out = tuple(1 if n in over else size for n, size in enumerate(shape) if keep or n not in over)
    inputs = [making.input(shape), making.constant(axes, np.int32)]
    return making.build(making.op("REDUCE_MAX", inputs, out, options=S.ReducerOptionsT(keepDims=keep)))


def stretch(making: Making, shape: tuple[int, ...], wanted: tuple[int, ...]) -> bytes:
    inputs = [making.input(shape), making.constant(wanted, np.int32)]
    return making.build(making.op("BROADCAST_TO", inputs, wanted, options=S.BroadcastToOptionsT()))


REWRITTEN: list[tuple[str, Callable[[], bytes], tuple[int, ...]]] = [
    ("PRELU", lambda: prelu(Making(), (1, 4, 6), RNG.normal(size=(1, 6))), (1, 4, 6)),
    ("PRELU", lambda: prelu(Making(), (1, 6), np.zeros(6)), (1, 6)),
    ("REDUCE_MAX", lambda: largest(Making(), (1, 5, 3), [1]), (1, 5, 3)),
    ("REDUCE_MAX", lambda: largest(Making(), (1, 5, 4, 3), [2, 1]), (1, 5, 4, 3)),
    ("REDUCE_MAX", lambda: largest(Making(), (1, 5, 4, 3), [-1], keep=True), (1, 5, 4, 3)),
    ("BROADCAST_TO", lambda: stretch(Making(), (1, 4, 1, 3), (1, 4, 2, 3)), (1, 4, 1, 3)),
    ("BROADCAST_TO", lambda: stretch(Making(), (1, 1, 5, 1), (1, 3, 5, 4)), (1, 1, 5, 1)),
]


@pytest.mark.parametrize(("kind", "build", "shape"), REWRITTEN)
def test_another_form_gives_the_same(kind: str, build: Callable[[], bytes], shape: tuple[int, ...]) -> None:
    given = open_model(build())
    changed = given.copy()
    assert use_int16_equivalents(changed) == [kind]
    made = packed(changed)
    assert kind not in {flat.kind_of(made.schema, op) for op in made.main.operators}
    check_int16(made.schema)
    samples = [RNG.normal(size=(6, *shape)).astype(np.float32)]
    before, after = (calibrate.observe(m, samples, (), flat.ints(m.main.outputs)).outputs[0] for m in (given, made))
    assert np.array_equal(before, after)


LEFT: list[tuple[Callable[[], bytes], str]] = [
    (lambda: largest(Making(), (1, 5, 4, 3), [1, 3]), "REDUCE_MAX"),
    (lambda: stretch(Making(), (1, 1, 3), (1, 11, 3)), "BROADCAST_TO"),
]


@pytest.mark.parametrize(("build", "kind"), LEFT)
def test_what_has_no_other_form_stays(build: Callable[[], bytes], kind: str) -> None:
    changed = open_model(build()).copy()
    assert use_int16_equivalents(changed) == []
    assert [flat.kind_of(changed, op) for op in changed.subgraphs[0].operators] == [kind]


def with_layer(kind: str) -> bytes:
    making = Making()
    hidden = dense(making, making.input((1, 4)), RNG.normal(size=(6, 4)))
    made = making.op(kind, [hidden], (1, 6), name="my_layer")
    return making.build(dense(making, made, RNG.normal(size=(3, 6))))


@pytest.mark.parametrize(
    ("kind", "only"),
    [
        ("ELU", ": TensorFlow Lite Micro computes it in int8 and float32 alone"),
        ("EXP", ": TensorFlow Lite Micro computes it in float32 alone"),
        ("GELU", ""),
    ],
)
def test_a_layer_without_an_int16_form_is_named(kind: str, only: str) -> None:
    with pytest.raises(ConversionError) as error:
        check_int16(open_model(with_layer(kind)).schema)
    assert error.value.what == f"{kind} has no int16 form{only}"
    assert error.value.where == f'op 1 {kind} "my_layer"'


def test_rewrites_for_float32_leave_what_runs() -> None:
    making = Making()
    x = making.input((1, 4))
    square = making.op("SQUARE", [x], (1, 4))
    tiled = making.op("TILE", [square, making.constant([1, 3], np.int32)], (1, 12), options=S.TileOptionsT())
    given = open_model(making.build(tiled))
    for_float, for_int8 = given.copy(), given.copy()
    assert use_equivalents(for_float, for_int8=False) == ["TILE"]
    assert use_equivalents(for_int8) == ["SQUARE", "TILE"]
    samples = [RNG.normal(size=(4, 1, 4)).astype(np.float32)]
    results = [
        calibrate.observe(packed(m), samples, (), flat.ints(m.subgraphs[0].outputs)).outputs[0]
        for m in (for_float, for_int8)
    ]
    assert np.array_equal(results[0], results[1])
    assert np.allclose(results[0], np.tile(samples[0] ** 2, 3))


@pytest.mark.parametrize(("for_int8", "kinds"), [(True, ["MUL", "MUL"]), (False, ["RELU", "MINIMUM"])])
def test_relu_up_to_one(for_int8: bool, kinds: list[str]) -> None:
    making = Making()
    given = open_model(making.build(making.op("RELU_0_TO_1", [making.input((1, 9))], (1, 9))))
    changed = given.copy()
    assert use_equivalents(changed, for_int8=for_int8) == ["RELU_0_TO_1"]
    assert [flat.kind_of(changed, op) for op in changed.subgraphs[0].operators] == kinds
    samples = [RNG.normal(0, 2, size=(20, 1, 9)).astype(np.float32)]
    made = packed(changed)
    result = calibrate.observe(made, samples, (), flat.ints(made.main.outputs)).outputs[0]
    wanted = np.clip(samples[0], 0, 1)
    assert np.abs(result - wanted).max() <= (1e-6 if for_int8 else 0)


def gelu_of(approximate: bool) -> OpenedModel:
    making = Making()
    options = S.GeluOptionsT(approximate=approximate)
    return open_model(making.build(making.op("GELU", [making.input((1, 9))], (1, 9), options=options)))


@pytest.mark.parametrize("approximate", [True, False])
def test_gelu_by_a_sigmoid(approximate: bool) -> None:
    changed = gelu_of(approximate).copy()
    assert use_equivalents(changed) == ["GELU"]
    values = np.linspace(-8, 8, 900).astype(np.float32).reshape(100, 1, 9)
    made = packed(changed)
    result = calibrate.observe(made, [values], (), flat.ints(made.main.outputs)).outputs[0].reshape(-1)
    of_erf = np.array([x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in values.reshape(-1).astype(float)])
    assert np.abs(result - of_erf).max() < 0.003
    assert np.abs(result - of_erf)[np.abs(values.reshape(-1)) < 3.4].max() < 0.0006


def test_gelu_in_float32_has_its_form_by_tanh_alone() -> None:
    assert use_equivalents(gelu_of(False).copy(), for_int8=False) == []
    changed = gelu_of(True).copy()
    assert use_equivalents(changed, for_int8=False) == ["GELU"]
    values = RNG.normal(0, 4, size=(20, 1, 9)).astype(np.float32)
    made = packed(changed)
    result = calibrate.observe(made, [values], (), flat.ints(made.main.outputs)).outputs[0]
    cube = math.sqrt(2 / math.pi) * (values + 0.044715 * values**3)
    np.testing.assert_allclose(result, values * (1 + np.tanh(cube)) / 2, rtol=1e-5, atol=1e-5)


@pytest.mark.tensorflow
@pytest.mark.xdist_group("tensorflow")
def test_they_are_quantized_to_int16() -> None:
    from mcugen.convert import convert

    making = Making()
    hidden = dense(making, making.input((1, 4)), RNG.normal(size=(6, 4)))
    slopes = making.op("PRELU", [hidden, making.constant(RNG.uniform(0.1, 0.5, size=(6,)))], (1, 6))
    data = making.build(dense(making, slopes, RNG.normal(size=(3, 6))))
    found = convert(data, RNG.normal(size=(60, 4)).astype(np.float32), activations="int16")
    assert found.report.agreement[0].cosine_similarity > 0.9999
    assert "PRELU became ops of the same result that run in int16" in found.report.notes
