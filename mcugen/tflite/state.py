"""What models keep from one inference to the next, and whose it is: the sample's, or that of a stream of which every
sample is a step."""

from __future__ import annotations

from collections.abc import Mapping

from mcugen.tflite.fields import ints, kind_of, shape_of
from mcugen.tflite.schema_types import ModelT, OperatorT
from mcugen.tflite.streaming import is_streamed

_OVER_TIME = ("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM")
"""Ops that walk over all steps of their input, and keep a state for a next part of it."""
_OF_A_STREAM = ("VAR_HANDLE", "SVDF")
"""Ops whose state is meant to live on: resource variables (a `stateful=True` layer's, say), a filter's memory."""

OWN_STATE: Mapping[str, str] = {
    "CUSTOM:CIRCULAR_BUFFER": "how many calls are left until the ops after it run",
    "CUSTOM:SignalDelay": "the samples that are delayed",
    "CUSTOM:SignalFilterBankSpectralSubtraction": "the estimate of the noise",
    "CUSTOM:SignalFramer": "the samples that are not in a whole frame yet",
    "CUSTOM:SignalOverlapAdd": "the rest of the frame before",
    "CUSTOM:SignalStacker": "the frames that are stacked",
}
"""Ops of TensorFlow Lite Micro that keep something in data of their own, which no tensor of the model shows → what.

Others keep their state in variable tensors (SVDF, LSTM) or in resource variables. Users' ops say it in their Python
file (`STATEFUL`, docs/CUSTOM_OPS.md).
"""

MAY_NOT_WRITE: Mapping[str, int] = {"CUSTOM:SignalFramer": 1, "CUSTOM:SignalStacker": 1}
"""Ops that only write their first output once they have enough samples → which output, a bool, says if they did."""


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
        if kind in _OF_A_STREAM or kind in OWN_STATE:
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
