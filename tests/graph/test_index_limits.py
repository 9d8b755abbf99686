"""How large an input may be that is, or becomes, an index."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcugen.ops.moving.gather import index_limit
from mcugen.runtimes.aot.graph import read_graph
from tests.convert.float_models import FloatModel, S

ROWS = 20
INT = "INT32"


def picked(model: FloatModel, indices: int) -> int:
    table = model.constant(np.zeros((ROWS, 2)))
    return int(model.op("GATHER", [table, indices], (1, 4, 2), options=S.GatherOptionsT()))


def plain(model: FloatModel, x: int) -> int:
    return picked(model, x)


def as_keras_does(model: FloatModel, x: int) -> int:
    """Negative indices count from the end."""
    negative = model.op("LESS", [x, model.constant(0, np.int32)], (1, 4), dtype="BOOL", options=S.LessOptionsT())
    behind = model.op("ADD", [x, model.constant(ROWS, np.int32)], (1, 4), dtype=INT, options=S.AddOptionsT())
    return picked(model, model.op("SELECT_V2", [negative, behind, x], (1, 4), dtype=INT, options=S.SelectV2OptionsT()))


def by_sums(model: FloatModel, x: int) -> int:
    """The same where SELECT does not take int32."""
    negative = model.op("LESS", [x, model.constant(0, np.int32)], (1, 4), dtype="BOOL", options=S.LessOptionsT())
    chosen = model.op("CAST", [negative], (1, 4), dtype=INT, options=S.CastOptionsT(inDataType=6, outDataType=2))
    behind = model.op("ADD", [x, model.constant(ROWS, np.int32)], (1, 4), dtype=INT, options=S.AddOptionsT())
    apart = model.op("SUB", [behind, x], (1, 4), dtype=INT, options=S.SubOptionsT())
    step = model.op("MUL", [chosen, apart], (1, 4), dtype=INT, options=S.MulOptionsT())
    return picked(model, model.op("ADD", [x, step], (1, 4), dtype=INT, options=S.AddOptionsT()))


def moved(model: FloatModel, x: int) -> int:
    later = model.op("ADD", [x, model.constant(5, np.int32)], (1, 4), dtype=INT, options=S.AddOptionsT())
    return picked(model, later)


def doubled(model: FloatModel, x: int) -> int:
    return picked(model, model.op("ADD", [x, x], (1, 4), dtype=INT, options=S.AddOptionsT()))


def always_outside(model: FloatModel, x: int) -> int:
    later = model.op("ADD", [x, model.constant(ROWS, np.int32)], (1, 4), dtype=INT, options=S.AddOptionsT())
    return picked(model, later)


def of_two_inputs(model: FloatModel, x: int) -> int:
    other = model.input((1, 4), INT, "y")
    return picked(model, model.op("ADD", [x, other], (1, 4), dtype=INT, options=S.AddOptionsT()))


def clamped(model: FloatModel, x: int) -> int:
    """An activation that is fused is not computed here, so nothing is known."""
    fused = S.SubOptionsT(fusedActivationFunction=S.ActivationFunctionType.RELU6)
    return picked(model, model.op("SUB", [x, model.constant(1, np.int32)], (1, 4), dtype=INT, options=fused))


@pytest.mark.parametrize(
    ("build", "limit"),
    [
        (plain, ROWS - 1),
        (as_keras_does, ROWS - 1),
        (by_sums, ROWS - 1),
        (moved, ROWS - 6),
        (doubled, ROWS // 2 - 1),
        (always_outside, None),
        (of_two_inputs, None),
        (clamped, None),
    ],
)
def test_the_largest_number_that_picks_a_row(build: Callable[[FloatModel, int], int], limit: int | None) -> None:
    model = FloatModel()
    x = model.input((1, 4), INT)
    graph = read_graph(model.build(build(model, x)), "model")
    assert index_limit(graph, graph.inputs[0]) == limit
