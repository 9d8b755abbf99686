"""Ops that the quantizer keeps in reals, or says in other words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert, float_runner
from mcugen.errors import ConversionError
from tests.convert.float_models import FloatModel, S
from tests.convert.test_quantizer import IMAGE, RNG, kinds, normal, options_of, sqnr, tensors
from tests.kernels.single_op import assert_bit_exact


def test_masks_and_casts() -> None:
    """Comparisons, logic, casts between conversions, and a choice."""
    model = FloatModel()
    x = model.input(IMAGE)
    low = model.op("LESS", [x, model.constant(np.float32(-0.5))], IMAGE, dtype="BOOL")
    high = model.op("GREATER", [x, model.constant(np.float32(0.5))], IMAGE, dtype="BOOL")
    outside = model.op("LOGICAL_OR", [low, high], IMAGE, dtype="BOOL")
    inside = model.op(
        "LOGICAL_NOT", [model.op("LOGICAL_AND", [outside, outside], IMAGE, dtype="BOOL")], IMAGE, dtype="BOOL"
    )
    types = S.TensorType
    ones = model.op("CAST", [inside], IMAGE, options=S.CastOptionsT(inDataType=types.BOOL, outDataType=types.FLOAT32))
    kept = model.op("MUL", [x, ones], IMAGE, options=options_of("Mul"))
    chosen = model.op("SELECT_V2", [outside, kept, x], IMAGE, options=options_of("SelectV2"))
    x_values = RNG.choice([-2.0, -1.0, -0.2, 0.0, 0.2, 1.0, 2.0], (40, *IMAGE[1:]))  # none near the limits
    converted = convert(model.build(chosen), x_values.astype(np.float32))
    made = kinds(converted)
    assert made[made.index("CAST") + 1] == "QUANTIZE"
    assert tensors(converted)[f"t{ones}/real"].type == types.FLOAT32
    assert sqnr(converted) > 28
    assert_bit_exact(converted.tflite, 4)


def test_casts_of_computed_numbers() -> None:
    """A float that is cast comes back from int8 first."""
    model = FloatModel()
    x = model.input(IMAGE)
    types = S.TensorType
    whole = model.op(
        "CAST", [x], IMAGE, dtype="INT32", options=S.CastOptionsT(inDataType=types.FLOAT32, outDataType=types.INT32)
    )
    converted = convert(model.build(whole), 20 * normal(40, *IMAGE[1:]))
    assert kinds(converted) == ["DEQUANTIZE", "CAST"]


def test_rows_of_an_embedding() -> None:
    model = FloatModel()
    indices = model.input((4,), "INT32")
    table = normal(9, 5)
    rows = model.op("EMBEDDING_LOOKUP", [indices, model.constant(table)], (4, 5))
    converted = convert(model.build(rows), RNG.integers(0, 9, (40, 4)).astype(np.int32))
    assert sqnr(converted) > 28


def test_one_number_fills_a_tensor() -> None:
    model = FloatModel()
    x = model.input(IMAGE)
    most = model.op("REDUCE_MAX", [x, model.constant([0, 1, 2, 3], np.int32)], (), options=options_of("Reducer"))
    filled = model.op("FILL", [model.constant(IMAGE, np.int32), most], IMAGE)
    apart = model.op("SUB", [filled, x], IMAGE, options=options_of("Sub"))
    converted = convert(model.build(apart), normal(40, *IMAGE[1:]))
    assert kinds(converted) == ["REDUCE_MAX", "FILL", "SUB"]
    assert sqnr(converted) > 28


# ---- ops in other words


@pytest.mark.parametrize(
    ("kind", "build", "made", "expected"),
    [
        ("NEG", lambda m, x: m.op("NEG", [x], IMAGE), ["MUL"], lambda x: -x),
        ("ADD_N", lambda m, x: m.op("ADD_N", [x, m.constant(normal(*IMAGE)), x], IMAGE), ["ADD", "ADD"], None),
        ("SQUARE", lambda m, x: m.op("SQUARE", [x], IMAGE), ["MUL"], lambda x: x * x),
        (
            "TILE",
            lambda m, x: m.op("TILE", [x, m.constant([1, 2, 1, 3], np.int32)], (1, 8, 4, 9)),
            ["RESHAPE", "BROADCAST_TO", "RESHAPE"],
            lambda x: np.tile(x, (1, 2, 1, 3)),
        ),
        (
            "CONCATENATION",
            lambda m, x: m.op(
                "CONCATENATION", [x] * 23, (*IMAGE[:3], 23 * IMAGE[3]), options=options_of("Concatenation", axis=-1)
            ),
            ["CONCATENATION"] * 4,
            lambda x: np.concatenate([x] * 23, axis=-1),
        ),
        (
            "SELECT",
            lambda m, x: m.op(
                "SELECT",
                [m.op("GREATER", [x, m.constant(np.float32(0))], IMAGE, dtype="BOOL"), x, m.op("ABS", [x], IMAGE)],
                IMAGE,
            ),
            ["GREATER", "ABS", "SELECT_V2"],
            np.abs,
        ),
    ],
)
def test_ops_in_other_words(kind: str, build: Any, made: list[str], expected: Any) -> None:
    model = FloatModel()
    x = normal(40, *IMAGE[1:])
    converted = convert(model.build(build(model, model.input(IMAGE))), x)
    assert [k for k in kinds(converted) if k != "QUANTIZE"] == made
    assert any(kind in note for note in converted.report.notes)
    if expected is not None:
        np.testing.assert_allclose(float_runner(converted)(x), expected(x[:, None])[:, 0], rtol=1e-6)
    assert sqnr(converted) > 28
    assert_bit_exact(converted.tflite, 4)


@pytest.mark.parametrize("times", [[1, 1, 1, 2], [1, 2, 3, 1], [1, 5, 1, 1]])
def test_repetitions(times: list[int]) -> None:
    model = FloatModel()
    x = normal(12, *IMAGE[1:])
    shape = tuple(a * b for a, b in zip(IMAGE, times, strict=True))
    tiled = model.op("TILE", [model.input(IMAGE), model.constant(times, np.int32)], shape)
    runner = float_runner(convert(model.build(tiled), x))
    np.testing.assert_array_equal(runner(x), np.tile(x, times))


def test_repetitions_in_too_many_dimensions() -> None:
    model = FloatModel()
    tiled = model.op("TILE", [model.input(IMAGE), model.constant([1, 2, 2, 2], np.int32)], (1, 8, 8, 6))
    with pytest.raises(ConversionError, match="TILE has no int8 form"):
        convert(model.build(tiled), normal(12, *IMAGE[1:]))


def test_indices_are_chosen_by_sums() -> None:
    """SELECT of int32, as Keras embeddings write it for indices from the end."""
    model = FloatModel()
    i = model.input((6,), "INT32")
    negative = model.op("LESS", [i, model.constant(0, np.int32)], (6,), dtype="BOOL")
    shifted = model.op("ADD", [i, model.constant(9, np.int32)], (6,), dtype="INT32", options=options_of("Add"))
    chosen = model.op("SELECT", [negative, shifted, i], (6,), dtype="INT32")
    table = normal(9, 4)
    rows = model.op("GATHER", [model.constant(table), chosen], (6, 4), options=options_of("Gather"))
    indices = RNG.integers(-9, 9, (30, 6)).astype(np.int32)
    converted = convert(model.build(rows), indices)
    np.testing.assert_array_equal(float_runner(converted)(indices), table[indices])
    assert sqnr(converted) > 28
