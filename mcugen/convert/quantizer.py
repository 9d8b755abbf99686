"""Chooses the quantization of every tensor of a float model, by the rules of :mod:`mcugen.tflite.int8_rules`.

Gives decisions only; :mod:`mcugen.convert.rewrite` carries them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.affine import Affine, affine_params, power_of_two_scale
from mcugen.convert.choices import Choices
from mcugen.convert.histogram import Range, Statistics, clip_range
from mcugen.errors import ConversionError
from mcugen.ops import advice as fallback
from mcugen.tflite import fields as flat
from mcugen.tflite.int8_rules import PER_CHANNEL_DENSE, RULES, WIDE_KINDS, Rule
from mcugen.tflite.schema import type_name
from mcugen.tflite.schema_types import ModelT, OperatorT

# Rounding slack when a range is compared with a fixed one: half a step of 1/256.
_SLACK = 0.5 / 256


@dataclass(frozen=True, eq=False)
class Scheme:
    """The quantization of a model.

    Attributes:
        activations: parameters of every float tensor that is not weights or bias, constants among them.
        requantized: tensors whose producer demands other parameters than their readers share: the producer
            writes with these, and a QUANTIZE op follows.
        ranges: real ranges behind `activations`.
        rules: what every operator demands.
        means: of activations over the samples, element by element, where biases are to be corrected by them.
        wide: positions of the ops that compute with int16 activations, and the largest magnitudes of these.
        cells: scales of int16 states.
        made_up: nobody observed the ranges, so that weights must not depend on them.
    """

    activations: Mapping[int, Affine]
    requantized: Mapping[int, Affine]
    ranges: Mapping[int, Range]
    rules: Mapping[str, Rule] = field(default_factory=lambda: RULES)
    means: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    wide: Mapping[int, Mapping[int, float]] = field(default_factory=dict)
    cells: Mapping[int, float] = field(default_factory=dict)
    made_up: bool = False


def decide(
    model: ModelT,
    choices: Choices,
    observed: Mapping[int, Range],
    statistics: Mapping[int, Statistics],
    trained: Mapping[int, Range],
    ties: Sequence[tuple[int, ...]] = (),
    *,
    made_up: bool = False,
) -> Scheme:
    """The scheme that follows from a user's choices and from what was observed.

    Args:
        observed: real (minimum, maximum) of every float activation by tensor id.
        statistics: of the same tensors, where `choices` need them.
        trained: ranges that training found, which count more than observed ones.
        ties: tensors that are one variable, see :mod:`mcugen.convert.loops.merged`.
        made_up: nothing real was observed.

    Raises:
        ConversionError: see :func:`choose_scheme`; a wide op that has no int16 form.
    """
    ranges = dict(observed)
    if choices.method != "minmax":
        for i, known in statistics.items():
            ranges[i] = clip_range(choices.method, known.counts, observed[i], choices.percentile)
    scheme = choose_scheme(model, ranges, trained, ties)
    return replace(
        scheme,
        rules=PER_CHANNEL_DENSE if choices.per_channel_dense else RULES,
        means={i: known.mean for i, known in statistics.items()} if choices.correct_bias else {},
        wide=_wide_magnitudes(model, choices.wide, observed),
        made_up=made_up,
    )


def _wide_magnitudes(
    model: ModelT, positions: tuple[int, ...], observed: Mapping[int, Range]
) -> dict[int, Mapping[int, float]]:
    main = model.subgraphs[0]
    found: dict[int, Mapping[int, float]] = {}
    for position in positions:
        kind = flat.kind_of(model, main.operators[position]) if position < len(main.operators) else ""
        if kind not in WIDE_KINDS:
            raise ConversionError(
                f"no op that can have int16 activations among int8 ones is at position {position}",
                hint=f"There is a form for {', '.join(WIDE_KINDS)}",
            )
        op = main.operators[position]
        found[position] = {
            i: max(abs(end) for end in observed[i]) for i in (*activation_inputs(model, op), *float_outputs(model, op))
        }
    return found


def choose_scheme(
    model: ModelT,
    observed: Mapping[int, Range],
    trained: Mapping[int, Range] = MappingProxyType({}),
    ties: Sequence[tuple[int, ...]] = (),
) -> Scheme:
    """Decide on scales and zero points of all activations.

    Args:
        model: a float model (`ModelT`) with one subgraph.
        observed: real (minimum, maximum) of every float activation by tensor id.
        trained: ranges that training found; a group of tensors that shares parameters takes these alone.
        ties: tensors that share parameters beyond what ops demand.

    Raises:
        ConversionError: an op without a rule, or used in a way that int8 kernels do not run.
    """
    main = model.subgraphs[0]
    check_rules(model)
    ranges = {i: (float(low), float(high)) for i, (low, high) in observed.items()}
    groups = _Groups()
    fixed: dict[int, Affine] = {}
    cells: dict[int, float] = {}
    for op in main.operators:
        rule = RULES[flat.kind_of(model, op)]
        members = activation_inputs(model, op) + float_outputs(model, op)
        for i in members:
            value = flat.constant(model, main.tensors[i])
            if value is not None and value.size:
                ranges[i] = (float(value.min()), float(value.max()))
            groups.add(i)
        if rule.same_scale:
            groups.join(members)
        if rule.tied:
            groups.join([*(_input(op, position) for position in rule.tied), *float_outputs(model, op)])
        if rule.cell is not None:
            cell = _input(op, rule.cell)
            cells[cell] = power_of_two_scale(max(abs(end) for end in ranges[cell]))
        if rule.output is not None:
            fixed.update((i, Affine(*rule.output)) for i in float_outputs(model, op))
    results = {i for op in main.operators if RULES[flat.kind_of(model, op)].final for i in flat.ints(op.outputs)}
    for i in (*flat.ints(main.inputs), *flat.ints(main.outputs)):
        if type_name(main.tensors[i].type) == "float32" and i not in results:
            groups.add(i)
    for tied in ties:
        if type_name(main.tensors[tied[0]].type) == "float32":
            for i in tied:
                value = flat.constant(model, main.tensors[i])
                if value is not None and value.size:
                    ranges[i] = (float(value.min()), float(value.max()))
                groups.add(i)
            groups.join(list(tied))
    activations: dict[int, Affine] = {}
    requantized: dict[int, Affine] = {}
    for group in groups.all():
        params, moved = _group_params(group, ranges, fixed, trained)
        activations.update((i, params) for i in group)
        requantized.update(moved)
    return Scheme(activations, requantized, ranges, cells=cells)


def without_rule(model: ModelT) -> list[int]:
    """Positions of the ops that have no int8 form."""
    operators = model.subgraphs[0].operators
    return [index for index, op in enumerate(operators) if flat.kind_of(model, op) not in RULES]


def check_rules(model: ModelT) -> None:
    """Refuse what cannot be quantized.

    Raises:
        ConversionError: names the op, its layer, and what to try.
    """
    main = model.subgraphs[0]
    for index, op in enumerate(main.operators):
        kind = flat.kind_of(model, op)
        rule = RULES.get(kind)
        where = flat.where(model, main, index)
        if rule is None:
            raise ConversionError(
                f"{kind} has no int8 form here",
                where=where,
                hint=fallback.hint([kind], quantizing=True),
            )
        weights = weights_of(model, op, rule)
        computed = any(not flat.is_constant(model, main.tensors[i]) for i in _product_constants(op, rule))
        if computed or (rule.axis is not None and weights is None):
            raise ConversionError("its weights are computed, not constant", where=where, hint="Use fixed weights")
        if weights is None or rule.bias is None:
            continue
        bias = _input(op, rule.bias)
        if bias >= 0 and not flat.is_constant(model, main.tensors[bias]):
            raise ConversionError("its bias is computed, not constant", where=where, hint="Use a fixed bias")


def weights_of(model: ModelT, op: OperatorT, rule: Rule) -> int | None:
    """Tensor id of the op's constant weights; None if it has none (or they are an activation)."""
    if rule.weights is None:
        return None
    i = _input(op, rule.weights)
    return i if i >= 0 and flat.is_constant(model, model.subgraphs[0].tensors[i]) else None


def bias_of(op: OperatorT, rule: Rule) -> int | None:
    """Tensor id of the op's bias, or None."""
    i = _input(op, rule.bias) if rule.bias is not None else -1
    return i if i >= 0 else None


def activation_inputs(model: ModelT, op: OperatorT) -> list[int]:
    """Float inputs that are quantized as activations: all but weights and bias."""
    rule = RULES[flat.kind_of(model, op)]
    apart = {weights_of(model, op, rule), bias_of(op, rule), *_product_constants(op, rule)}
    if rule.cell is not None:
        apart.add(_input(op, rule.cell))
    tensors = model.subgraphs[0].tensors
    if rule.final:
        apart.update(i for i in flat.ints(op.inputs) if i >= 0 and flat.is_constant(model, tensors[i]))
    return [i for i in flat.ints(op.inputs) if i >= 0 and i not in apart and type_name(tensors[i].type) == "float32"]


def _product_constants(op: OperatorT, rule: Rule) -> set[int]:
    positions = (position for product in rule.products for position in (product.weights, product.bias))
    return {_input(op, position) for position in positions if position is not None}


def float_outputs(model: ModelT, op: OperatorT) -> list[int]:
    """Float outputs that are quantized as activations."""
    if RULES[flat.kind_of(model, op)].final:
        return []
    tensors = model.subgraphs[0].tensors
    return [i for i in flat.ints(op.outputs) if type_name(tensors[i].type) == "float32"]


def _input(op: OperatorT, position: int) -> int:
    inputs = flat.ints(op.inputs)
    return inputs[position] if position < len(inputs) else -1


def _group_params(
    group: list[int], ranges: Mapping[int, Range], fixed: Mapping[int, Affine], trained: Mapping[int, Range]
) -> tuple[Affine, dict[int, Affine]]:
    """Parameters that a group shares, and the members whose producers need their own."""
    known = [trained[i] for i in group if i in trained] or [ranges[i] for i in group]
    low, high = min(low for low, _ in known), max(high for _, high in known)
    demanded = {i: fixed[i] for i in group if i in fixed}
    if demanded:
        params = next(iter(demanded.values()))
        fits = params.low - _SLACK <= low and high <= params.high + params.scale + _SLACK
        if fits and all(p == params for p in demanded.values()):
            return params, {}
    return affine_params(low, high), demanded


class _Groups:
    """Disjoint sets of tensors that share parameters (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def add(self, i: int) -> None:
        self._parent.setdefault(i, i)

    def join(self, members: list[int]) -> None:
        for i in members[1:]:
            self._parent[self._root(i)] = self._root(members[0])

    def all(self) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        for i in sorted(self._parent):
            found.setdefault(self._root(i), []).append(i)
        return list(found.values())

    def _root(self, i: int) -> int:
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i
