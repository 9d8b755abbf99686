"""TensorFlow Lite's op for an LSTM over a whole sequence, read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcugen.errors import ConversionError
from mcugen.ops.common import fused_activation_name
from mcugen.tflite import fields as flat
from mcugen.tflite.lstm_operands import ABSENT, CELL, GATES, HIDDEN, LSTM, OPERANDS, TO_BIAS, TO_RECURRENT
from mcugen.tflite.schema_types import ModelT, OperatorT, SubGraphT


@dataclass(frozen=True, eq=False)
class LstmOp:
    """An LSTM without peepholes, projection and normalization.

    Attributes:
        source: input [batches, steps, inputs], or [steps, batches, inputs] if `time_major`; `output` likewise.
        gates: by name, weights [units, inputs], recurrent weights [units, units], bias [units].
        hidden, cell: state tensors [batches, units].
        cell_clip: the largest magnitude of a cell; 0 for no limit.
    """

    op: OperatorT
    source: int
    output: int
    hidden: int
    cell: int
    gates: Mapping[str, tuple[int, int, int]]
    batches: int
    steps: int
    inputs: int
    units: int
    time_major: bool
    cell_clip: float


def parse_lstm(model: ModelT, graph: SubGraphT, op: OperatorT) -> LstmOp:
    """Raises:
    ConversionError: an LSTM of another kind.
    """
    ids = flat.ints(op.inputs)
    options = op.builtinOptions
    where = f'{LSTM} "{flat.layer_of_op(graph, op)}"'
    plain = (
        len(ids) >= OPERANDS - 4
        and ids[0] >= 0
        and options is not None
        and all(i >= 0 for i in ids[1:9])
        and all(i >= 0 for i in ids[12:16])
    )
    if not plain or any(ids[position] >= 0 for position in ABSENT if position < len(ids)):
        raise ConversionError(
            "has peepholes, projection, normalization or coupled gates, and so no int8 form here",
            where=where,
            hint="Use a plain LSTM layer",
        )
    name = fused_activation_name(options.fusedActivationFunction)
    if name != "TANH":
        raise ConversionError(
            f"is an LSTM with the activation {name}, which has no int8 form here", where=where, hint="Use tanh"
        )
    shape = flat.shape_of(graph.tensors[ids[0]])
    if len(shape) != 3 or min(shape) < 1 or ids[HIDDEN] < 0 or ids[CELL] < 0:
        raise ConversionError("has no sequence, or no state", where=where, hint="The file is damaged: convert it again")
    first, second, inputs = shape
    batches, steps = (second, first) if options.timeMajor else (first, second)
    gates = {name: (ids[at], ids[at + TO_RECURRENT], ids[at + TO_BIAS]) for name, at in GATES.items()}
    return LstmOp(
        op,
        ids[0],
        flat.ints(op.outputs)[0],
        ids[HIDDEN],
        ids[CELL],
        gates,
        batches,
        steps,
        inputs,
        flat.shape_of(graph.tensors[ids[1 + TO_RECURRENT]])[0],
        bool(options.timeMajor),
        float(options.cellClip),
    )
