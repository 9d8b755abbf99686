"""Scaling of features at a model's inputs: taken out of the network, into how the device quantizes its input.

Pressure in Pa beside humidity from 0 to 1 has no scale that serves both in eight bits. Where a model begins by bringing
such features to one size (Normalization, BatchNormalization, Rescaling, a scaler), the network proper begins behind
that, and its first tensor has a scale that fits. What stood before is arithmetic in float32 per value
(:func:`mcugen.numerics.affine.quantize_features`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Units
from mcugen.ops.common import fused_activation_name
from mcugen.tflite import fields as flat
from mcugen.tflite.schema import type_name
from mcugen.tflite.schema_types import ModelT, OperatorT

T = TypeVar("T")

_SCALING = frozenset({"ADD", "SUB", "MUL", "DIV"})
_PASSING = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
_FEWEST_STEPS = 16
"""A feature's size is at least so many steps of the input's one scale, or the scaling is taken out. It is 42 where all
features have one size and lie around 0."""
_SPREAD = 3.0
"""Features lie within so many sizes of their offsets."""


@dataclass(frozen=True, eq=False)
class FeatureScaling:
    """What the first ops of a model do to one of its inputs, and no other op sees.

    Attributes:
        position: of the input.
        ops: that scale, in order.
        before, after: the tensors between these ops, and behind the last.
        passed: tensors before and between them that hold the same values in other shapes, the input among them.
    """

    position: int
    ops: tuple[OperatorT, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    passed: tuple[int, ...]
    units: Units


def feature_scaling(model: ModelT, inputs: Sequence[int], *, always: bool = False) -> list[FeatureScaling]:
    """The scaling at a float model's inputs that belongs in front of the network.

    Args:
        model: may be merged.
        inputs: its inputs, without those of loops' bodies.
        always: also where one scale would do for all features.
    """
    found = (_of_input(model, position, i) for position, i in enumerate(inputs))
    return [scaling for scaling in found if scaling is not None and (always or needs_units(scaling.units))]


def units_of(scalings: Sequence[FeatureScaling], inputs: int) -> list[Units | None]:
    """Per input of a model with so many."""
    known = {s.position: s.units for s in scalings}
    return [known.get(position) for position in range(inputs)]


def needs_units(units: Units) -> bool:
    """Whether one scale for all features leaves too few steps to one of them."""
    offset, size = np.asarray(units.offset), np.abs(units.size)
    low, high = min(0.0, float((offset - _SPREAD * size).min())), max(0.0, float((offset + _SPREAD * size).max()))
    return float(size.min()) < _FEWEST_STEPS * (high - low) / 255


def take_out(model: ModelT, scalings: Sequence[FeatureScaling]) -> dict[int, int]:
    """Remove the ops that scale from a model, in place: what read their results reads what they read.

    Returns:
        The new positions of the ops that stay, by the old ones.
    """
    main = model.subgraphs[0]
    instead = {new: old for s in scalings for old, new in zip(s.before, s.after, strict=True)}
    gone = {id(op) for s in scalings for op in s.ops}
    stay = [(n, op) for n, op in enumerate(main.operators) if id(op) not in gone]

    def source(i: int) -> int:
        while i in instead:
            i = instead[i]
        return i

    for _, op in stay:
        op.inputs = np.array([source(i) for i in flat.ints(op.inputs)], np.int32)
    main.operators = [op for _, op in stay]
    return {old: new for new, (old, _) in enumerate(stay)}


def behind(scalings: Sequence[FeatureScaling], observed: Mapping[int, T]) -> dict[int, T]:
    """What was observed, by tensor id: in front of the network, of the values behind the scaling."""
    scaled = {i: observed[s.after[-1]] for s in scalings for i in s.passed if s.after[-1] in observed}
    return {**observed, **scaled}


def _of_input(model: ModelT, position: int, tensor: int) -> FeatureScaling | None:
    main = model.subgraphs[0]
    if type_name(main.tensors[tensor].type) != "float32":
        return None
    shape = flat.shape_of(main.tensors[tensor])
    factor, shift = np.ones(shape), np.zeros(shape)  # scaled = factor · (value − shift)
    ops: list[OperatorT] = []
    before: list[int] = []
    after: list[int] = []
    passed, waiting = [tensor], []
    here = tensor
    while True:
        readers = [op for op in main.operators if here in flat.ints(op.inputs)]
        if len(readers) != 1 or here in flat.ints(main.outputs):
            break
        (op,) = readers
        kind, (out, *more) = flat.kind_of(model, op), flat.ints(op.outputs)
        shape = flat.shape_of(main.tensors[out])
        if more or type_name(main.tensors[out].type) != "float32":
            break
        if kind in _PASSING and flat.ints(op.inputs)[0] == here:
            factor, shift, here = factor.reshape(shape), shift.reshape(shape), out
            waiting.append(out)
            continue
        made = _scaled(model, op, kind, here, factor, shift) if kind in _SCALING else None
        if made is None or made[0].shape != shape:
            break
        factor, shift = made
        ops.append(op)
        before.append(here)
        after.append(out)
        passed += waiting
        waiting, here = [out], out
    if not ops or after[-1] in flat.ints(main.outputs):
        return None
    units = _units(factor.reshape(-1), shift.reshape(-1))
    if units is None:
        return None
    kept = tuple(i for i in passed if i not in after)
    return FeatureScaling(position, tuple(ops), tuple(before), tuple(after), kept, units)


def _scaled(
    model: ModelT, op: OperatorT, kind: str, tensor: int, factor: NDArray[np.float64], shift: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Factor and shift behind an op with a constant; None for anything else."""
    inputs = flat.ints(op.inputs)
    if len(inputs) != 2 or fused_activation_name(op.builtinOptions.fusedActivationFunction) != "NONE":
        return None
    other = inputs[1] if inputs[0] == tensor else inputs[0]
    value = flat.constant(model, model.subgraphs[0].tensors[other])
    if value is None or value.dtype != np.float32 or not np.isfinite(value).all():
        return None
    number = value.astype(np.float64)
    turned = inputs[0] == other
    if kind == "MUL":
        return factor * number, shift + np.zeros_like(number)
    if kind == "DIV":
        if turned or (number == 0).any():
            return None
        return factor / number, shift + np.zeros_like(number)
    if (factor == 0).any():
        return None
    if kind == "SUB" and turned:  # number − scaled
        return -factor + np.zeros_like(number), shift + number / factor
    return factor + np.zeros_like(number), shift + (number if kind == "SUB" else -number) / factor


def _units(factor: NDArray[np.float64], shift: NDArray[np.float64]) -> Units | None:
    """Flat factors and shifts by feature: the shortest run of values that repeats. None if float32 does not hold it."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        offset, size = shift.astype(np.float32), (1 / factor).astype(np.float32)
    if not (np.isfinite(offset).all() and np.isfinite(size).all() and (np.abs(size) >= 1e-30).all()):
        return None
    count = next(
        n
        for n in range(1, len(offset) + 1)
        if len(offset) % n == 0 and all((numbers.reshape(-1, n) == numbers[:n]).all() for numbers in (offset, size))
    )
    return Units(tuple(map(float, offset[:count])), tuple(map(float, size[:count])))
