"""Quantizes a float32 `.tflite` to int16 activations and int8 weights, by TensorFlow's own quantizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen import ops
from mcugen.convert import calibrate
from mcugen.convert.histogram import Range
from mcugen.convert.loops.rounds import tied_rounds
from mcugen.convert.loops.unrolled import drop_zeros, unroll
from mcugen.convert.loops.variables import keeps_variables
from mcugen.convert.observed import is_recurrent
from mcugen.convert.prepare import constant_outputs, fold_constants
from mcugen.convert.wide_lstm import WideLstm, name_lstms, put_lstms_back
from mcugen.convert.wide_rounds import scale_rounds_alike
from mcugen.convert.worker_client import run_worker
from mcugen.errors import ConversionError
from mcugen.outputs import temporary_folder, write_arrays
from mcugen.progress import Share
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel, open_model, packed
from mcugen.tflite.schema import type_name
from mcugen.tflite.schema_types import ModelT
from mcugen.tflite.unused import drop_unused, own_constants, share_equal_constants

_SCALE_OF_FRACTIONS = 2.0**-15
_UNROLLED = ("WHILE", "UNIDIRECTIONAL_SEQUENCE_LSTM")
"""What is brought into another form before it is quantized."""


def quantize_16x8(
    floats: OpenedModel,
    inputs: Sequence[NDArray[Any]],
    ranges: Mapping[int, Range],
    progress: Share | None = None,
    *,
    per_tensor_dense: bool = False,
) -> OpenedModel:
    """A model with int16 inputs, activations and outputs, int8 weights and int64 biases.

    Loops and LSTMs are unrolled, which is all that the quantizer takes. LSTMs become the op again; what the rounds of
    other loops, and of layers that came unrolled, have in common is there once.

    Args:
        floats: a float32 model of any source.
        inputs: calibration samples, one (N, *shape) array per model input, in the model's order.
        ranges: of the float model's tensors, among them the cells of LSTMs.
        per_tensor_dense: a single scale for all outputs of a fully connected layer.

    Raises:
        ConversionError: TensorFlow's quantizer refuses the model, for example an op that it has no int16 form for.
        ToolError: TensorFlow is not installed.
    """
    lstms: list[WideLstm] = []
    if is_recurrent(floats):
        named = floats.copy()
        lstms = name_lstms(named, ranges)
        floats = unroll(packed(named)).model
    if not tied_rounds(floats.schema) and not lstms:  # nothing comes more than once
        made = _run(floats.data, inputs, per_tensor_dense, progress)
        model = open_model(made).copy()
        return packed(model) if _scale_zeros(model) else open_model(made)
    model = floats.copy()
    _fold_first_rounds(model, [a[:1] for a in inputs])
    own_constants(model)
    quantized = open_model(_run(packed(model).data, inputs, per_tensor_dense, progress)).copy()
    _scale_zeros(quantized)
    put_lstms_back(quantized, lstms)
    share_equal_constants(quantized)
    scale_rounds_alike(quantized)
    share_equal_constants(quantized)
    return packed(quantized)


def check_int16(model: ModelT) -> None:
    """Refuse what has no int16 form, by its layer.

    Raises:
        ConversionError: names the op, its layer, and what to try.
    """
    main = model.subgraphs[0]
    if keeps_variables(model):
        raise ConversionError(
            "the model keeps a state in variables, for which TensorFlow's quantizer has no int16 form",
            hint="Leave `activations` at int8",
        )
    for index, op in enumerate(main.operators):
        kind, inputs = flat.kind_of(model, op), flat.ints(op.inputs)
        specs = ops.builtin().get(kind, ())
        quantized = bool(inputs) and inputs[0] >= 0 and type_name(main.tensors[inputs[0]].type) == "float32"
        if quantized and kind not in _UNROLLED and not any("int16" in spec.types for spec in specs):
            known = [name for name in ("int8", "float32") if any(name in spec.types for spec in specs)]
            only = f": TensorFlow Lite Micro computes it in {' and '.join(known)} alone" if known else ""
            raise ConversionError(
                f"{kind} has no int16 form{only}",
                where=flat.where(model, main, index),
                hint="Omit `activations` for int8, or write the layer with other ops",
            )


def _fold_first_rounds(model: ModelT, samples: Sequence[NDArray[Any]]) -> None:
    """Compute once, in place, what first rounds make of states that are still zero; their zeros disappear."""
    while True:
        drop_zeros(model)
        drop_unused(model)
        folded = constant_outputs(model)
        if not folded:
            return
        known = calibrate.observe(packed(model), samples, (), flat.ints(model.subgraphs[0].outputs), keep=folded).values
        fold_constants(model, known)


def _scale_zeros(model: ModelT) -> bool:
    """Give constants that are all zeros, and from which the quantizer derives no scale, the one of fractions.

    Returns:
        Whether there are any.
    """
    found = False
    for tensor in model.subgraphs[0].tensors:
        value = flat.constant(model, tensor)
        if value is None or value.dtype != np.int16 or value.any() or tensor.quantization is None:
            continue
        tensor.quantization.scale = np.array([_SCALE_OF_FRACTIONS], np.float32)
        found = True
    return found


def _run(float_tflite: bytes, inputs: Sequence[NDArray[Any]], per_tensor_dense: bool, progress: Share | None) -> bytes:
    with temporary_folder() as folder:
        (folder / "model.tflite").write_bytes(float_tflite)
        write_arrays(folder / "samples.npz", **{f"input_{n}": a for n, a in enumerate(inputs)})
        job = {"job": "quantize_16x8", "per_tensor_dense": per_tensor_dense}
        answer = run_worker(folder, job, progress=progress)
        if answer.error:
            raise ConversionError(
                f"TensorFlow's quantizer does not make int16 activations of this model: {answer.error}",
                hint="Omit `activations` for int8, or rewrite the op",
            )
        return (folder / "quantized.tflite").read_bytes()
