"""Rounds of unrolled layers with int16 activations: a variable gets one scale in all of them.

TensorFlow's quantizer looks at every round by itself, and so gives each its own scales, biases and multipliers. With
one scale for all rounds these are the same, and one piece of code runs every round without tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.loops.rounds import rounds_of, tied_inputs, tied_rounds
from mcugen.tflite import fields as flat
from mcugen.tflite.grafts import Graft, quantization
from mcugen.tflite.int8_rules import RULES, Rule
from mcugen.tflite.schema import type_name
from mcugen.tflite.schema_types import ModelT, OperatorT
from mcugen.tflite.unused import drop_unused

_FREE = Rule()


def scale_rounds_alike(model: ModelT) -> None:
    """Give the variables of unrolled layers one scale each, the largest of all rounds, in place.

    Args:
        model: with int16 activations; equal constants are one tensor.
    """
    sizes = _together(model, (*tied_rounds(model), *tied_inputs(model)))
    if not sizes:
        return
    main = model.subgraphs[0]
    old = {i: flat.quantization_of(main.tensors[i])[0] for i in sizes}
    for i, scale in sizes.items():
        main.tensors[i].quantization = quantization([scale])
    biases = _Biases(model, old)
    positions = {n: firsts[0] for firsts in rounds_of(model) for n in firsts}
    for n, op in enumerate(main.operators):
        biases.scale(op, main.operators[positions.get(n, n)])
    drop_unused(model)


def _together(model: ModelT, tied: Sequence[Sequence[int]]) -> dict[int, float]:
    """The new scales, by tensor. What an op only moves has the scale that it had before, as the op demands."""
    main = model.subgraphs[0]
    scales = {
        i: flat.quantization_of(tensor)[0]
        for i, tensor in enumerate(main.tensors)
        if type_name(tensor.type) == "int16" and not flat.is_constant(model, tensor)
    }
    leaders = {i: i for i in scales}

    def leader(i: int) -> int:
        while leaders[i] != i:
            leaders[i] = i = leaders[leaders[i]]
        return i

    groups = [tuple(i for i in ids if i in scales) for ids in tied]
    fixed: set[int] = set()
    kept: set[int] = set()
    for op in main.operators:
        rule = RULES.get(flat.kind_of(model, op), _FREE)
        ids = [i for i in (*flat.ints(op.inputs), *flat.ints(op.outputs)) if i >= 0]
        if rule.output is not None or flat.kind_of(model, op) == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            fixed.update(flat.ints(op.outputs))
        if rule.same_scale:
            groups.append(tuple(i for i in ids if i in scales))
            # A constant among them has been quantized with their scale.
            if any(type_name(main.tensors[i].type) == "int16" and i not in scales for i in ids):
                kept.update(ids)
    for group in groups:
        for a, b in pairwise(group):
            leaders[leader(a)] = leader(b)
    members: dict[int, list[int]] = {}
    for i in scales:
        members.setdefault(leader(i), []).append(i)
    found = {}
    for same in members.values():
        largest = max(scales[i] for i in same)
        if all(scales[i] == largest for i in same) or any(i in fixed or i in kept for i in same):
            continue
        found.update(dict.fromkeys(same, largest))
    return found


class _Biases:
    """Makes biases anew where the scale of what the weights are multiplied with has changed."""

    def __init__(self, model: ModelT, old: Mapping[int, float]) -> None:
        self.model, self.main, self.old = model, model.subgraphs[0], old
        self.made: dict[tuple[int, float], int] = {}

    def scale(self, op: OperatorT, first: OperatorT) -> None:
        """Of one op; `first` is the same one in the first round, whose values all rounds take if they are theirs."""
        rule, inputs = RULES.get(flat.kind_of(self.model, op), _FREE), flat.ints(op.inputs)
        if rule.bias is None or len(inputs) <= rule.bias or inputs[rule.bias] < 0 or inputs[rule.data] not in self.old:
            return
        changed = list(inputs)
        source = inputs[rule.bias]
        theirs = flat.ints(first.inputs)[rule.bias]
        if self._is_same(source, theirs):
            source = theirs
        factor = flat.quantization_of(self.main.tensors[inputs[rule.data]])[0] / self.old[inputs[rule.data]]
        before = self._scales(inputs[rule.bias])
        changed[rule.bias] = self._make(source, before * factor)
        op.inputs = np.array(changed, np.int32)

    def _scales(self, i: int) -> NDArray[np.float64]:
        given = self.main.tensors[i].quantization
        assert given is not None, i
        return np.asarray(given.scale, np.float64)

    def _real(self, i: int) -> NDArray[np.float64]:
        values = flat.constant(self.model, self.main.tensors[i])
        assert values is not None, i
        return np.asarray(values.astype(np.float64) * self._scales(i))

    def _is_same(self, a: int, b: int) -> bool:
        """Whether both are one bias, each rounded to its own scales."""
        if self._scales(a).shape != self._scales(b).shape:
            return False
        return bool(np.all(np.abs(self._real(a) - self._real(b)) <= self._scales(a) + self._scales(b)))

    def _make(self, source: int, scales: NDArray[np.float64]) -> int:
        rounded = scales.astype(np.float32)
        key = source, float(rounded[0])
        if key not in self.made:
            graft = Graft(self.model, self.main, flat.name_of(self.main.tensors[source], source))
            self.made[key] = graft.constant(np.rint(self._real(source) / rounded.astype(np.float64)).astype(np.int64))
            self.main.tensors[self.made[key]].quantization = quantization(rounded)
        return self.made[key]
