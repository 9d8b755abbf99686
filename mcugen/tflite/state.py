"""Whose state it is that a model keeps: the sample's, or that of a stream of which every sample is a step."""

from __future__ import annotations

from mcugen.tflite.fields import ints, kind_of, shape_of
from mcugen.tflite.schema_types import ModelT, OperatorT
from mcugen.tflite.streaming import is_streamed

_OVER_TIME = ("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM")
"""Ops that walk over all steps of their input, and keep a state for a next part of it."""
_OF_A_STREAM = ("VAR_HANDLE", "SVDF")
"""Ops whose state is meant to live on: resource variables (a `stateful=True` layer's, say), a filter's memory."""


def takes_sequences(model: ModelT) -> bool:
    """Every sample is a whole sequence, so that the state is the sample's and is reset before each.

    So it is where all that is kept are the states of ops that walk over more than one step. A Keras LSTM that is not
    stateful begins every call with zeros; its TensorFlow Lite op does not.
    """
    if is_streamed():
        return False
    main = model.subgraphs[0]
    walkers = 0
    for op in main.operators:
        kind = kind_of(model, op)
        if kind in _OF_A_STREAM:
            return False
        kept = any(main.tensors[i].isVariable for i in (*ints(op.inputs), *ints(op.outputs)) if i >= 0)
        if not kept:
            continue
        if kind not in _OVER_TIME or _steps(op, shape_of(main.tensors[ints(op.inputs)[0]])) < 2:
            return False
        walkers += 1
    return walkers > 0


def _steps(op: OperatorT, shape: tuple[int, ...]) -> int:
    """Of an input [batch, time, features], or [time, batch, features] where the options say so."""
    if len(shape) < 3:
        return 1
    return shape[0] if getattr(op.builtinOptions, "timeMajor", False) else shape[1]
