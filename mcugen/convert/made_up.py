"""Ranges that nobody observed: for the sizes of a model without data, and where random data leads to none.

A model's sizes follow from its shapes and weights; scales only have to be such that every op can be planned. Nothing
may be concluded from them (see `drop_channels`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcugen.convert.affine import Affine
from mcugen.convert.calibrate import float_activations
from mcugen.convert.data import random_range
from mcugen.convert.histogram import Range
from mcugen.convert.quantizer import activation_inputs, float_outputs
from mcugen.ops.common import fused_activation_name
from mcugen.tflite import fields as flat
from mcugen.tflite.int8_rules import RULES
from mcugen.tflite.schema_types import ModelT, OperatorT
from mcugen.tflite.types import TensorSpec

_USUAL = (-4.0, 4.0)
"""Of what a layer computes, as trained networks have it."""

_CLAMPED = {"RELU": (0.0, 4.0), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}

_POSITIVE = (0.0, 4.0)

_NEVER_NEGATIVE = frozenset({"ABS", "SQUARED_DIFFERENCE", "SQRT", "RSQRT", "EXP"})
_KEEPING_SIGNS = frozenset({"ADD", "MUL", "DIV", "MEAN", "SUM", "BATCH_MATMUL"})
"""Ops that make no negative number of numbers that are not negative."""

_NEEDING_POSITIVE = frozenset({"SQRT", "RSQRT", "LOG"})

_SMALLEST = 2.0**-10
"""Magnitudes below this say that a network was not trained: they shrink from layer to layer."""


def made_up_ranges(model: ModelT, inputs: Sequence[TensorSpec], *, pixels: bool) -> dict[int, Range]:
    """A plausible range of every float activation, by tensor id.

    Args:
        model: a float model whose ops all have a rule, merged if it has loops.
        inputs: its inputs, without those of loops' bodies.
        pixels: the model takes 0…255.
    """
    main = model.subgraphs[0]
    ranges: dict[int, Range] = dict.fromkeys(float_activations(model), _USUAL)  # such as what a loop's body takes
    ranges.update(
        (i, random_range(spec, pixels=pixels))
        for i, spec in zip(flat.ints(main.inputs), inputs, strict=False)
        if spec.dtype == "float32"
    )
    for op in main.operators:
        if flat.kind_of(model, op) in _NEEDING_POSITIVE:
            ranges.update(dict.fromkeys(activation_inputs(model, op), _POSITIVE))
        made = _of_op(model, op, ranges)
        ranges.update(dict.fromkeys(float_outputs(model, op), made))
    return ranges


def _of_op(model: ModelT, op: OperatorT, ranges: Mapping[int, Range]) -> Range:
    kind = flat.kind_of(model, op)
    rule = RULES[kind]
    if rule.output is not None:
        demanded = Affine(*rule.output)
        return demanded.low, demanded.high
    activation = kind if kind in _CLAMPED else _fused(op)
    if activation in _CLAMPED:
        return _CLAMPED[activation]
    known = [ranges.get(i) or _of_constant(model, i) for i in activation_inputs(model, op)]
    if rule.same_scale and known:
        return min(low for low, _ in known), max(high for _, high in known)
    squares = kind == "MUL" and len(set(flat.ints(op.inputs))) == 1
    keeps = kind in _KEEPING_SIGNS and all(low >= 0 for low, _ in known)
    return _POSITIVE if keeps or squares or kind in _NEVER_NEGATIVE else _USUAL


def _of_constant(model: ModelT, i: int) -> Range:
    values = flat.constant(model, model.subgraphs[0].tensors[i])
    return (float(values.min()), float(values.max())) if values is not None and values.size else _USUAL


def _fused(op: OperatorT) -> str:
    number = getattr(op.builtinOptions, "fusedActivationFunction", None)
    return "NONE" if number is None else fused_activation_name(number)


def not_too_small(ranges: Mapping[int, Range]) -> dict[int, Range]:
    """Ranges from random data, those of an untrained network's last layers as large as kernels can count."""
    return {i: _widened(*ends) for i, ends in ranges.items()}


def _widened(low: float, high: float) -> Range:
    size = max(abs(low), abs(high))
    factor = _SMALLEST / size if 0 < size < _SMALLEST else 1.0
    return low * factor, high * factor
