"""LSTM ops with int16 activations, which TensorFlow's quantizer does not make: it gets them unrolled.

In what it gives, the op takes the place of its rounds again, by the specification's rules for the op: weights int8 with
one scale each, biases int64, the cell int16 with a power of two as its scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert import affine
from mcugen.convert.histogram import Range
from mcugen.convert.loops.lstm_op import parse_lstm
from mcugen.convert.loops.rows import drop_unread
from mcugen.tflite import fields as flat
from mcugen.tflite.grafts import Graft, quantization
from mcugen.tflite.lstm_operands import CELL, GATES, HIDDEN, LSTM, OPERANDS, TO_BIAS, TO_RECURRENT
from mcugen.tflite.schema import printable
from mcugen.tflite.schema_types import ModelT, SubGraphT

_VERSION = 4


@dataclass(frozen=True, eq=False)
class WideLstm:
    """An LSTM of the float model, to be found again by the names of its input and output.

    Attributes:
        gates: by name, weights [units, inputs], recurrent weights [units, units], bias [units].
        cell: the largest magnitude of a cell.
        states: shape of both states.
    """

    source: str
    output: str
    gates: Mapping[str, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]
    cell: float
    states: tuple[int, int]
    options: Any


def name_lstms(model: ModelT, ranges: Mapping[int, Range]) -> list[WideLstm]:
    """The LSTM ops of a float model; their inputs and outputs get names of their own, in place.

    Args:
        ranges: what was observed of the cells, by tensor id.
    """
    main = model.subgraphs[0]
    found = []
    for number, op in enumerate(op for op in main.operators if flat.kind_of(model, op) == LSTM):
        lstm = parse_lstm(model, main, op)
        names = []
        for i, role in ((lstm.source, "source"), (lstm.output, "output")):
            tensor = main.tensors[i]
            if i not in flat.ints(main.inputs):
                tensor.name = f"{printable(tensor.name)}/lstm{number}_{role}"
            names.append(printable(tensor.name))
        gates = {name: tuple(_floats(model, main, i) for i in ids) for name, ids in lstm.gates.items()}
        size = max(abs(end) for end in ranges[lstm.cell])
        states = lstm.batches, lstm.units
        found.append(WideLstm(names[0], names[1], gates, size, states, op.builtinOptions))  # type: ignore[arg-type]
    return found


def put_lstms_back(model: ModelT, lstms: Sequence[WideLstm]) -> None:
    """Make the ops of a quantized model with unrolled LSTMs, in place."""
    main = model.subgraphs[0]
    by_name = {printable(tensor.name): i for i, tensor in enumerate(main.tensors)}
    for lstm in lstms:
        source, output = by_name[lstm.source], by_name[lstm.output]
        writer = next(op for op in main.operators if output in flat.ints(op.outputs))
        graft = Graft(model, main, lstm.output.rsplit("/", 1)[0])
        ids = [-1] * OPERANDS
        ids[0] = source
        input_scale, hidden_scale = (flat.quantization_of(main.tensors[i])[0] for i in (source, output))
        for name, at in GATES.items():
            weights, recurrent, bias = lstm.gates[name]
            scales = affine.weight_scales(weights, None, bias, input_scale, hidden_scale)
            ids[at] = _constant(graft, affine.quantize_weights(weights, scales, None), scales)
            bias_scales = affine.bias_scales(scales, input_scale)
            ids[at + TO_BIAS] = _constant(graft, affine.quantize_wide_bias(bias, bias_scales), bias_scales)
            scales = affine.weight_scales(recurrent, None, None, hidden_scale, hidden_scale)
            ids[at + TO_RECURRENT] = _constant(graft, affine.quantize_weights(recurrent, scales, None), scales)
        for position, scale in ((HIDDEN, hidden_scale), (CELL, affine.power_of_two_scale(lstm.cell))):
            ids[position] = graft.activation(lstm.states, "int16", variable=True)
            graft.tensors[ids[position]].quantization = quantization([scale])
        graft.add(LSTM, ids, output, lstm.options, version=_VERSION)
        main.operators[main.operators.index(writer)] = graft.made[0]
        main.tensors[output].name = graft.name
    drop_unread(main)


def _floats(model: ModelT, graph: SubGraphT, i: int) -> NDArray[Any]:
    values = flat.constant(model, graph.tensors[i])
    assert values is not None, i
    return values


def _constant(graft: Graft, values: NDArray[Any], scales: NDArray[np.float32]) -> int:
    i = graft.constant(values)
    graft.tensors[i].quantization = quantization(scales)
    return i
