"""Labels: every label's score, averaged over inferences; the best one starts an event."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.decisions.gate import STATE_BYTES, Gate, GateReference, GateWanted, bound, parse_gate, shortest_threshold
from mcugen.decisions.types import LONGEST_WINDOW, Decided, DecisionSpec, EmittedDecision, ModelIO
from mcugen.errors import DataError
from mcugen.graph.types import DType, Tensor
from mcugen.toml_table import Table

_SCORES = {DType.INT8: "int8_t", DType.UINT8: "uint8_t", DType.INT16: "int16_t"}
_MOST_LABELS = 1000
_MOST_TOP = 16
_NEVER = (1 << 31) - 1
"""No sum is above it."""


@dataclass(frozen=True)
class Labels:
    """A decision over labels for one model: see `firmware/decisions/mcg_decision_labels.h`."""

    labels: tuple[str, ...]
    background: tuple[bool, ...]
    top: int
    window: int
    gate: Gate
    output: Tensor
    upper: int
    lower: int

    @property
    def most(self) -> int:
        return self.window * (int(np.iinfo(self.output.dtype.numpy).max) - self.output.zero_point)

    @property
    def reads_input(self) -> bool:
        return False

    def real(self, score: int) -> float:
        return score * self.output.scale / self.window

    def threshold_at(self, score: int) -> float:
        return shortest_threshold(score, Fraction(self.output.scale) / self.window)

    def reference(self) -> LabelsReference:
        return LabelsReference(self)

    def emitted(self) -> EmittedDecision:
        count, item = len(self.labels), self.output.dtype.itemsize
        background = ", ".join(str(int(one)) for one in self.background)
        score = _SCORES[self.output.dtype]
        config = (
            f"static {score} mcg_decide_history[{self.window} * {count}];\n"
            f"static int32_t mcg_decide_sums[{count}];\n"
            f"static const uint8_t mcg_decide_background[{count}] = {{{background}}};\n"
            "static const mcg_decision_labels mcg_decide = {\n"
            f"    .gate = {self.gate.initializer},\n"
            f"    .labels = {count},\n"
            f"    .window = {self.window},\n"
            f"    .zero_point = {self.output.zero_point},\n"
            f"    .upper = {self.upper},\n"
            f"    .lower = {self.lower},\n"
            "    .background = mcg_decide_background,\n"
            "    .history = mcg_decide_history,\n"
            "    .sums = mcg_decide_sums,\n"
            "};\n"
            "static mcg_decision_labels_state mcg_decide_state;\n"
        )
        return EmittedDecision(
            header="mcg_decision_labels.h",
            needs=("mcg_decision_gate.h",),
            before=f"#define MCG_DECISION_SCORE {score}\n",
            config=config,
            reset="mcg_decision_labels_reset(&mcg_decide, &mcg_decide_state);",
            update="mcg_decision_labels_update(&mcg_decide, &mcg_decide_state, output)",
            label="(uint16_t)mcg_decide_state.label",
            score="mcg_decide_sums[mcg_decide_state.label]",
            score_type="int32_t",
            rank=f"mcg_decision_labels_rank(&mcg_decide, {self.top}, event->top, event->top_scores);",
            state_bytes=self.window * count * item + 4 * count + STATE_BYTES + 12,
        )


class LabelsReference:
    """The same as the C, in Python's integers."""

    def __init__(self, decision: Labels) -> None:
        self._d, self._gate = decision, GateReference(decision.gate)
        self.reset()

    def reset(self) -> None:
        self._gate.reset()
        self._history: deque[NDArray[np.int64]] = deque(maxlen=self._d.window)
        self._label = 0

    def update(self, given: NDArray[Any], output: NDArray[Any]) -> Decided | None:
        smoothed = self.smooth(given, output)
        return self.decide(smoothed) if smoothed is not None else None

    def smooth(self, given: NDArray[Any], output: NDArray[Any]) -> NDArray[np.int64] | None:
        self._history.append(output.reshape(-1).astype(np.int64) - self._d.output.zero_point)
        return np.sum(self._history, axis=0, dtype=np.int64) if len(self._history) == self._d.window else None

    def score(self, smoothed: NDArray[np.int64]) -> int | None:
        best = int(smoothed.argmax())
        return None if self._d.background[best] else int(smoothed[best])

    def decide(self, smoothed: NDArray[np.int64]) -> Decided | None:
        sums: list[int] = smoothed.tolist()
        best = sums.index(max(sums))
        if not self._gate.is_active and best != self._label:
            self._label, self._gate.above = best, 0
        candidate = best == self._label and not self._d.background[best] and sums[best] > self._d.upper
        kind = self._gate.update(candidate, sums[self._label] > self._d.lower)
        if kind is None:
            return None
        ranked = sorted(range(len(sums)), key=lambda label: (-sums[label], label))[: self._d.top]
        return Decided(kind, self._label, sums[self._label], tuple((label, sums[label]) for label in ranked))


@dataclass(frozen=True)
class LabelsWanted:
    """What the pipeline file says."""

    labels: tuple[str, ...]
    background: tuple[str, ...]
    top: int
    gate: GateWanted

    def at(self, threshold: float) -> LabelsWanted:
        return replace(self, gate=self.gate.at(threshold))

    def bind(self, model: ModelIO) -> Labels:
        """The decision for a model.

        Raises:
            DataError: the model's output has other elements than there are labels, or no integer scores.
        """
        output, names = model.output, self.labels
        if output.dtype not in _SCORES or output.quant is None or output.scale <= 0:
            raise DataError(
                f"the model's output is {output.dtype.value}, and labels need quantized scores",
                where="[decision]",
                hint="Quantize the model to int8",
            )
        if len(names) != output.elements:
            raise DataError(
                f"{len(names)} labels for {output.elements} scores of the model",
                where="[decision] labels",
                hint="Give one per score, in the model's order",
            )
        unit = Fraction(output.scale) / self.gate.smooth
        return Labels(
            labels=names,
            background=tuple(name in self.background for name in names),
            top=min(self.top, len(names)),
            window=self.gate.smooth,
            gate=self.gate.bind(model),
            output=output,
            upper=min(bound(self.gate.threshold, unit), _NEVER),
            lower=min(bound(self.gate.release, unit), _NEVER),
        )


def parse_labels(table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of a model's scores, and those of them that start no event."""
    labels = table.strings("labels", None)
    if not labels:
        raise table.error("labels", "is missing: the names of the model's outputs, in their order")
    if len(labels) > _MOST_LABELS or len(set(labels)) < len(labels):
        raise table.error("labels", f"is not a list of at most {_MOST_LABELS} different names")
    if any(len(label) > 60 or not label or not label.isprintable() for label in labels):
        raise table.error("labels", "holds a name that is empty, longer than 60 characters, or not printable")
    background = table.strings("background", tuple(labels))
    if set(background) == set(labels):
        raise table.error("background", "names all labels, so that nothing ever starts an event")
    return tuple(labels), tuple(background)


def _parse(table: Table) -> LabelsWanted:
    labels, background = parse_labels(table)
    return LabelsWanted(
        labels, background, table.integer("top", 1, _MOST_TOP, 1), parse_gate(table, 1e6, LONGEST_WINDOW)
    )


SPEC = DecisionSpec("labels", _parse)
