"""Anomaly: how far an autoencoder's output is from its input; an event starts where it is too far."""

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

_TYPES = {DType.INT8: "int8_t", DType.UINT8: "uint8_t"}
_FACTOR_BITS = 14
_SUM_BITS = 50
"""Of an inference's sum of squares, so that those of a window fit 64."""


@dataclass(frozen=True)
class Anomaly:
    """A reconstruction error for one model: see `firmware/decisions/mcg_decision_anomaly.h`."""

    input: Tensor
    output: Tensor
    window: int
    gate: Gate
    input_factor: int
    output_factor: int
    shift: int
    unit: Fraction
    """What a score of 1 is, as a mean of squares over elements and window."""
    upper: int
    lower: int

    labels = ("anomaly",)
    top = 0

    @property
    def most(self) -> None:
        return None

    @property
    def reads_input(self) -> bool:
        return True

    def real(self, score: int) -> float:
        return float(score * self.unit)

    def threshold_at(self, score: int) -> float:
        return shortest_threshold(score, self.unit)

    def reference(self) -> AnomalyReference:
        return AnomalyReference(self)

    def emitted(self) -> EmittedDecision:
        config = (
            f"static uint64_t mcg_decide_history[{self.window}];\n"
            "static const mcg_decision_anomaly mcg_decide = {\n"
            f"    .gate = {self.gate.initializer},\n"
            f"    .elements = {self.input.elements},\n"
            f"    .window = {self.window},\n"
            f"    .input_zero_point = {self.input.zero_point},\n"
            f"    .output_zero_point = {self.output.zero_point},\n"
            f"    .input_factor = {self.input_factor},\n"
            f"    .output_factor = {self.output_factor},\n"
            f"    .shift = {self.shift},\n"
            f"    .upper = {self.upper}u,\n"
            f"    .lower = {self.lower}u,\n"
            "    .history = mcg_decide_history,\n"
            "};\n"
            "static mcg_decision_anomaly_state mcg_decide_state;\n"
        )
        return EmittedDecision(
            header="mcg_decision_anomaly.h",
            needs=("mcg_decision_gate.h",),
            before=f"#define MCG_DECISION_INPUT {_TYPES[self.input.dtype]}\n"
            f"#define MCG_DECISION_OUTPUT {_TYPES[self.output.dtype]}\n",
            config=config,
            reset="mcg_decision_anomaly_reset(&mcg_decide, &mcg_decide_state);",
            update="mcg_decision_anomaly_update(&mcg_decide, &mcg_decide_state, input, output)",
            label="0",
            score="mcg_decide_state.sum",
            score_type="uint64_t",
            rank="",
            state_bytes=8 * self.window + STATE_BYTES + 20,
        )


class AnomalyReference:
    """The same as the C, in integers of 64 bits."""

    def __init__(self, decision: Anomaly) -> None:
        self._d, self._gate = decision, GateReference(decision.gate)
        self.reset()

    def reset(self) -> None:
        self._gate.reset()
        self._history: deque[int] = deque(maxlen=self._d.window)

    def update(self, given: NDArray[Any], output: NDArray[Any]) -> Decided | None:
        smoothed = self.smooth(given, output)
        return self.decide(smoothed) if smoothed is not None else None

    def smooth(self, given: NDArray[Any], output: NDArray[Any]) -> NDArray[np.int64] | None:
        d = self._d
        x = given.reshape(-1).astype(np.int64) - d.input.zero_point
        y = output.reshape(-1).astype(np.int64) - d.output.zero_point
        difference = d.input_factor * x - d.output_factor * y
        self._history.append(int(np.sum(difference * difference)) >> d.shift)
        return np.array([sum(self._history)], np.int64) if len(self._history) == d.window else None

    def score(self, smoothed: NDArray[np.int64]) -> int | None:
        return int(smoothed[0])

    def decide(self, smoothed: NDArray[np.int64]) -> Decided | None:
        score = int(smoothed[0])
        kind = self._gate.update(score > self._d.upper, score > self._d.lower)
        return Decided(kind, 0, score) if kind is not None else None


@dataclass(frozen=True)
class AnomalyWanted:
    """What the pipeline file says."""

    gate: GateWanted

    labels = ("anomaly",)
    background = ()

    def at(self, threshold: float) -> AnomalyWanted:
        return replace(self, gate=self.gate.at(threshold))

    def bind(self, model: ModelIO) -> Anomaly:
        """The decision for a model.

        Raises:
            DataError: the model's output is not one value for each of its input, or one of them is not of 8 bits.
        """
        given, output = model.input, model.output
        if given.elements != output.elements:
            raise DataError(
                f"the model takes {given.elements} values and gives {output.elements}, so it is no autoencoder",
                where='[decision] kind = "anomaly"',
                hint="Its output must be a reconstruction of its input",
            )
        for what, tensor in (("input", given), ("output", output)):
            if tensor.dtype not in _TYPES or tensor.quant is None or tensor.scale <= 0:
                raise DataError(
                    f"the model's {what} is {tensor.dtype.value}, and a reconstruction error needs int8 or uint8",
                    where='[decision] kind = "anomaly"',
                    hint="Quantize the model to int8",
                )
        scales = Fraction(given.scale), Fraction(output.scale)
        most = max(scales)
        factors = (1, 1) if scales[0] == scales[1] else tuple(round(s / most * (1 << _FACTOR_BITS)) for s in scales)
        largest = 255 * (factors[0] + factors[1])
        shift = max(0, (largest * largest * given.elements).bit_length() - _SUM_BITS)
        step = most / max(factors)
        unit = step * step * (1 << shift) / (given.elements * self.gate.smooth)
        return Anomaly(
            input=given,
            output=output,
            window=self.gate.smooth,
            gate=self.gate.bind(model),
            input_factor=factors[0],
            output_factor=factors[1],
            shift=shift,
            unit=unit,
            upper=min(bound(self.gate.threshold, unit), (1 << 63) - 1),
            lower=min(bound(self.gate.release, unit), (1 << 63) - 1),
        )


def _parse(table: Table) -> AnomalyWanted:
    return AnomalyWanted(parse_gate(table, 1e12, LONGEST_WINDOW))


SPEC = DecisionSpec("anomaly", _parse)
