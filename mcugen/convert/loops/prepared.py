"""Brings a float model's loops into the form that is quantized."""

from __future__ import annotations

from mcugen.convert.loops.counted import counted_loops
from mcugen.convert.loops.lstm_layers import fuse_lstm_layers
from mcugen.convert.loops.lstm_op import parse_lstm
from mcugen.convert.loops.rows import write_rows_in_place
from mcugen.convert.loops.variables import begin_with_zeros, check_variables, tied_variables
from mcugen.errors import ConversionError, ModelError
from mcugen.tflite import fields as flat
from mcugen.tflite.lstm_operands import LSTM
from mcugen.tflite.schema import printable
from mcugen.tflite.schema_types import ModelT
from mcugen.tflite.state import takes_sequences
from mcugen.tflite.unused import drop_unused

_OTHER_GRAPHS = ("IF", "CALL")


def check_control_flow(model: ModelT) -> None:
    """Refuse what cannot be quantized, before the long steps.

    Raises:
        ModelError: conditions; variables that do not begin with zeros, or that a loop uses.
        ConversionError: a loop whose number of rounds is not known; an LSTM of another kind, or of a stream.
    """
    main = model.subgraphs[0]
    kinds = [flat.kind_of(model, op) for op in main.operators]
    check_variables(model)
    other = next((n for n, kind in enumerate(kinds) if kind in _OTHER_GRAPHS), None)
    if other is not None or (len(model.subgraphs) > 1 and not {"WHILE", "CALL_ONCE"} & {*kinds}):
        where = f'subgraph 1 "{printable(model.subgraphs[1].name)}"' if other is None else ""
        raise ModelError(
            f"the model has {len(model.subgraphs)} subgraphs (conditions or state), which cannot be quantized here",
            where=where or flat.where(model, main, other or 0),
            hint="Remove conditions, run the model in float32 with `quantize=False`, or pass an int8 .tflite",
        )
    counted_loops(model)
    lstms = [op for op, kind in zip(main.operators, kinds, strict=True) if kind == LSTM]
    for op in lstms:
        parse_lstm(model, main, op)
    if lstms and not takes_sequences(model):
        raise ConversionError(
            "keeps its state from sample to sample, and so cannot be calibrated here",
            where=f'{LSTM} "{flat.layer_of_op(main, lstms[0])}"',
            hint="Pass whole sequences as samples, or an int8 .tflite",
        )


def prepare_loops(model: ModelT, *, fuse: bool) -> list[str]:
    """Rewrite the loops of a float model, in place; notes of what was done.

    Args:
        fuse: the model is to be quantized: LSTM layers become TensorFlow Lite's op, and variables, which
            `check_control_flow` has let through, begin with zeros by default.

    Raises:
        ConversionError: a loop whose number of rounds is not known.
    """
    notes = []
    if fuse and (variables := len(tied_variables(model))):
        begin_with_zeros(model)
        kept = "a state is" if variables == 1 else f"{variables} states are"
        notes.append(f"{kept} kept from sample to sample: the samples are taken in order, as steps of one stream")
    rows = sum(write_rows_in_place(model, loop) for loop in counted_loops(model))
    if rows:
        notes.append(f"{rows} sequences that loops gather are written in place")
    layers = fuse_lstm_layers(model) if fuse else []
    if layers:
        notes.append(f"{len(layers)} loops became LSTM ops")
        drop_unused(model)
    return notes
