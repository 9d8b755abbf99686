"""What messages say to write instead of ops that do not run: models written so run in int8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert
from mcugen.convert.loops.unrolled import unroll
from mcugen.ops.advice import REWRITES
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.tflite.opened import open_model
from tests import zoo
from tests.convert.float_models import FloatModel, S
from tests.convert.recurrent_models import recurrent


def _one(kind: str, shape: tuple[int, ...] = (1, 6), options: Any = None, **more: Any) -> bytes:
    model = FloatModel()
    return model.build(model.op(kind, [model.input(shape)], more.pop("gives", shape), options=options, **more))


def _two(kind: str, constant: Any, options: Any = None, shape: tuple[int, ...] = (1, 6), gives: Any = None) -> bytes:
    model = FloatModel()
    given = [model.input(shape), model.constant(constant, np.asarray(constant).dtype)]
    return model.build(model.op(kind, given, gives or shape, options=options))


def _clipped() -> bytes:
    model = FloatModel()
    options = S.MaximumMinimumOptionsT()
    above = model.op("MAXIMUM", [model.input((1, 6)), model.constant(0.0)], (1, 6), options=options)
    return model.build(model.op("MINIMUM", [above, model.constant(1.0)], (1, 6), options=options))


def _positive_rsqrt() -> bytes:
    model = FloatModel()
    square = model.op("SQUARE", [model.input((1, 6))], (1, 6))
    sums = model.op("ADD", [square, model.constant(0.5)], (1, 6), options=S.AddOptionsT())
    return model.build(model.op("RSQRT", [sums], (1, 6)))


def _arg_max() -> bytes:
    model = FloatModel()
    given = [model.input((1, 6)), model.constant(1, np.int32)]
    return model.build(model.op("ARG_MAX", given, (1,), dtype="INT32", options=S.ArgMaxOptionsT(outputType=2)))


def _plain() -> bytes:
    return _one("RELU")


_GELU = ("GELU", (1, 6), S.GeluOptionsT(approximate=True))
INSTEAD: dict[str, list[Callable[[], bytes]]] = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": [lambda: unroll(open_model(recurrent("lstm"))).model.data],
    "UNIDIRECTIONAL_SEQUENCE_RNN": [lambda: unroll(open_model(recurrent("simple"))).model.data],
    "IF": [_plain],
    "CUMSUM": [lambda: _two("FULLY_CONNECTED", np.tril(np.ones((6, 6), np.float32)), S.FullyConnectedOptionsT())],
    "GELU": [lambda: _one(*_GELU), lambda: _one("RELU"), lambda: _one("RELU6"), lambda: _one("HARD_SWISH")],
    "SVDF": [lambda: zoo.model("svdf")],
    "CONV_3D": [lambda: zoo.float_model("ds_cnn")],
    "POW": [lambda: _one("SQUARE"), _positive_rsqrt],
    "RELU_0_TO_1": [lambda: _one("RELU6"), _clipped],
    "TILE": [
        lambda: _two("BROADCAST_TO", np.array([1, 3, 6], np.int32), S.BroadcastToOptionsT(), (1, 1, 6), (1, 3, 6))
    ],
    "TOPK_V2": [_arg_max],
    "UNIQUE": [_plain],
    "NON_MAX_SUPPRESSION_V4": [_plain],
    "NON_MAX_SUPPRESSION_V5": [_plain],
    "RANDOM_UNIFORM": [_plain],
    "RANDOM_STANDARD_NORMAL": [_plain],
    "CUSTOM:FlexErf": [lambda: _one(*_GELU), lambda: _one("RELU")],
}
"""By op: models written as `ops.advice.REWRITES` says; where an op is to be left out, one without it."""


def test_there_is_a_model_for_every_rewrite() -> None:
    assert list(INSTEAD) == list(REWRITES)


@pytest.mark.parametrize("kind", list(INSTEAD))
def test_what_is_written_instead_runs_in_int8(kind: str) -> None:
    for build in INSTEAD[kind]:
        graph = read_graph(convert(build(), None if kind == "SVDF" else "random").tflite)
        assert make_plan(optimize(graph)).steps


def test_an_argument_of_keras_is_said_to_be_one() -> None:
    """Models from PyTorch and ONNX have none of that name."""
    for text in REWRITES.values():
        assert "unroll=True" not in text or text.startswith("in Keras, ")
