"""What kind of `.tflite` model was given, and whether it can be used at all: checked once, at load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mcugen.convert.types import PIXELS_BEYOND, OwnScaling
from mcugen.errors import ModelError, UnsupportedOpError
from mcugen.ops import advice as fallback
from mcugen.ops import registry
from mcugen.ops.custom import takes_others
from mcugen.tflite import fields as flat
from mcugen.tflite.known_ops import CUSTOMS
from mcugen.tflite.opened import OpenedModel
from mcugen.tflite.schema import type_name
from mcugen.tflite.schema_types import ModelT, SubGraphT, TensorT
from mcugen.tflite.types import TensorSpec

QUANTIZED_TYPES = ("int8", "uint8", "int16", "int4")
_EDGE_OPS = ("QUANTIZE", "DEQUANTIZE")
_STEPS = {"int8": 255, "uint8": 255, "int16": 32767}
"""Steps of a quantized type that values from 0 up may take: int16 is symmetric."""
# Types that a microcontroller runtime can hold. resource: the state of streaming models.
_KNOWN_TYPES = (frozenset(flat.NUMPY_TYPES) - {"float64"}) | {"int4", "resource"}


@dataclass(frozen=True)
class Inspection:
    """Facts about a model that passed all checks.

    Attributes:
        form: "float" needs quantization, "hybrid" (float activations, quantized weights: dynamic range) too,
            "quantized" is taken as it is.
        hybrid_op: the first op with float activations and quantized weights, as messages name it; "" if none.
        rescales_input: the model itself scales its input down by so much, or was quantized for such values, that it
            expects pixel values 0…255.
        scaling: what the source's layers say of that; None where only the `.tflite` is known.
        has_scaler: the user's scaler was put in front of the model.
    """

    form: Literal["float", "hybrid", "quantized"]
    hybrid_op: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    rescales_input: bool
    scaling: OwnScaling | None = None
    has_scaler: bool = False


def inspect_model(opened: OpenedModel, scaling: OwnScaling | None = None) -> Inspection:
    """Find out what a model is, and refuse what cannot be used.

    Args:
        scaling: what the model does first with its input, where its source told it.

    Raises:
        ModelError: partly quantized, dynamic shapes beyond the batch, types that nothing here can run.
        UnsupportedOpError: TensorFlow (FLEX) or custom ops.
    """
    model, main = opened.schema, opened.main
    for subgraph in model.subgraphs:
        _check_types(subgraph)
    _check_ops(model)
    notes = [note for i in flat.ints(main.inputs) if (note := _freeze_note(main.tensors[i], i))]
    if opened.densified:
        many = f"{opened.densified} sparse weight tensors"
        notes.append(f"{many} were written out: zeros take as much room as other weights")
    hybrid = _hybrid_ops(model)
    floats, quantized = _computing_ops(model)
    form: Literal["float", "hybrid", "quantized"] = "float" if floats and not quantized else "quantized"
    if hybrid:
        form = "hybrid"
        if quantized:
            raise ModelError(
                "the model mixes float32 activations on quantized weights with quantized activations",
                where=hybrid[0],
                hint="Pass the float model (Keras, SavedModel or float32 .tflite) together with calibration data",
            )
    partly = floats[:5] if form == "quantized" else []
    warnings = [f"{op} runs in float32: the model is not fully quantized" for op in partly]
    return Inspection(
        form,
        hybrid[0] if hybrid else "",
        flat.input_specs(model),
        flat.output_specs(main),
        tuple(notes),
        tuple(warnings),
        scaling.takes_pixels if scaling is not None else _rescales(model) or takes_pixels(flat.input_specs(model)[0]),
        scaling,
    )


def takes_pixels(spec: TensorSpec) -> bool:
    """An input is quantized over a range of values that pixels from 0 to 255 have, and scaled ones do not."""
    size = 1.0 if spec.units is None else max(map(abs, spec.units.size))
    return spec.scale * size * _STEPS.get(spec.dtype, 0) > PIXELS_BEYOND


def _check_types(subgraph: SubGraphT) -> None:
    for i, tensor in enumerate(subgraph.tensors):
        kind = type_name(tensor.type)
        if kind not in _KNOWN_TYPES:
            raise ModelError(
                f"has type {kind}, which no runtime here supports",
                where=f'tensor {i} "{flat.name_of(tensor, i)}"',
                hint="Move casts, string look-ups and preprocessing out of the model",
            )


_ACCELERATORS = {
    "edgetpu-custom-op": "Google's Coral Edge TPU, by its compiler",
    "ethos-u": "Arm's Ethos-U NPU, by Vela",
}
"""Custom ops that hold the code of another processor, and what made them."""


def _refuse_compiled(kind: str, where: str) -> None:
    name = kind.removeprefix("CUSTOM:")
    if name in _ACCELERATORS:
        raise UnsupportedOpError(
            f"the model was compiled for {_ACCELERATORS[name]}: its layers are that processor's code",
            where=where,
            hint="Pass the .tflite that went into that compiler, or the float model",
        )


def _check_ops(model: ModelT) -> None:
    flex: list[tuple[str, str]] = []
    custom: list[tuple[str, str]] = []
    for subgraph in model.subgraphs:
        for i, op in enumerate(subgraph.operators):
            kind = flat.kind_of(model, op)
            _refuse_compiled(kind, flat.where(model, subgraph, i))
            if kind.startswith("CUSTOM:Flex"):
                flex.append((kind, flat.where(model, subgraph, i)))
            elif kind.startswith("CUSTOM:") and kind not in registry() and kind.removeprefix("CUSTOM:") not in CUSTOMS:
                custom.append((kind, flat.where(model, subgraph, i)))
    if flex:
        raise UnsupportedOpError(
            "the model needs TensorFlow itself to run (SELECT_TF_OPS)",
            where="; ".join(where for _, where in flex[:4]),
            hint=fallback.hint([kind for kind, _ in flex]),
        )
    if custom and not takes_others():
        raise UnsupportedOpError(
            "the model holds custom operators",
            where="; ".join(where for _, where in custom[:4]),
            hint=fallback.hint([kind for kind, _ in custom]),
        )


def _freeze_note(tensor: TensorT, index: int) -> str | None:
    """Refuse dynamic dimensions other than the batch; say that the batch is frozen."""
    signature = flat.ints(tensor.shapeSignature) or flat.shape_of(tensor)
    shape = flat.shape_of(tensor)
    name = flat.name_of(tensor, index)
    free = [axis for axis, d in enumerate(signature) if d < 0]
    if any(axis > 0 for axis in free):
        example = ",".join("1" if d < 0 and not axis else "N" if d < 0 else str(d) for axis, d in enumerate(signature))
        raise ModelError(
            f"has the shape {[d if d >= 0 else None for d in signature]}: "
            "only the batch (the first dimension) may be left open",
            where=f'input "{name}"',
            hint=f'Say it with `input_shape="{name}={example}"`, a number for each N, '
            "or export the model with a fixed input shape",
        )
    return f'input "{name}": the batch is open in the model and was frozen to {shape[0]}' if free else None


def _hybrid_ops(model: ModelT) -> list[str]:
    """Ops with float activations and quantized constants: no microcontroller kernel runs them."""
    found = []
    for subgraph in model.subgraphs:
        for i, op in enumerate(subgraph.operators):
            constants = (subgraph.tensors[j] for j in flat.ints(op.inputs) if j >= 0)
            if not any(flat.is_constant(model, t) and type_name(t.type) in QUANTIZED_TYPES for t in constants):
                continue
            involved = flat.activations(model, subgraph, (*flat.ints(op.inputs), *flat.ints(op.outputs)))
            if any(type_name(t.type) == "float32" for t in involved):
                found.append(flat.where(model, subgraph, i))
    return found


def _computing_ops(model: ModelT) -> tuple[list[str], list[str]]:
    """Ops that compute on (float, quantized) activations, QUANTIZE and DEQUANTIZE apart."""
    floats, quantized = [], []
    for subgraph in model.subgraphs:
        for i, op in enumerate(subgraph.operators):
            if flat.kind_of(model, op) in _EDGE_OPS:
                continue
            involved = (*flat.ints(op.inputs), *flat.ints(op.outputs))
            types = {type_name(t.type) for t in flat.activations(model, subgraph, involved)}
            if "float16" in types:
                raise ModelError(
                    "computes in float16",
                    where=flat.where(model, subgraph, i),
                    hint="Pass the float32 model; float16 is accepted for weights only",
                )
            if "float32" in types:
                floats.append(flat.where(model, subgraph, i))
            elif types & set(QUANTIZED_TYPES):
                quantized.append(flat.where(model, subgraph, i))
    return floats, quantized


def _rescales(model: ModelT) -> bool:
    """The first op on the input multiplies by about 1/255 (or 1/127.5): a Keras Rescaling layer."""
    main = model.subgraphs[0]
    first = flat.ints(main.inputs)[0]
    for op in main.operators:
        inputs = flat.ints(op.inputs)
        if first in inputs and flat.kind_of(model, op) in ("MUL", "DIV"):
            for j in inputs:
                value = flat.constant(model, main.tensors[j]) if j >= 0 else None
                if value is not None and value.size and value.dtype == np.float32:
                    size = float(np.max(np.abs(value)))
                    return 1 / 300 < size < 1 / 100 or 100 < size < 300
    return False
