"""Boxes: what a grid of cells detects, decoded and suppressed in integers; the surest box starts an event.

Two kinds of grids are known. Cells with a score per label (FOMO's): a cell is a box. Cells with anchors (YOLO's, of the
second version on): x, y, w, h, a score of there being anything, and one per label for each anchor.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.decisions.gate import STATE_BYTES, Gate, GateReference, GateWanted, bound, parse_gate, shortest_threshold
from mcugen.decisions.labels import parse_labels
from mcugen.decisions.types import Decided, DecisionSpec, EmittedDecision, FoundBox, ModelIO
from mcugen.errors import DataError
from mcugen.graph.types import DType, Tensor
from mcugen.toml_table import Table

UNIT = 4096
"""Of corners: this is the height, or width, of the image."""

_ONE = 1 << 15
"""Of sigmoids."""
_GROWTH = 1 << 16
"""Of exponentials."""
_MOST_GROWTH = 1 << 24
_TYPES = {DType.INT8: "int8_t", DType.UINT8: "uint8_t"}
_MOST_BOXES = 64
_MOST_GRID = 1 << 16
_MOST_ANCHORS = 32
_BEFORE_LABELS = 5


@dataclass(frozen=True, eq=False)
class BoxesDecision:
    """Detections for one model: see `firmware/decisions/mcg_decision_boxes.h`."""

    labels: tuple[str, ...]
    background: tuple[bool, ...]
    gate: Gate
    output: Tensor
    rows: int
    columns: int
    sizes: tuple[tuple[int, int], ...]
    first: int
    upper: int
    lower: int
    most_boxes: int
    overlap: int

    top = 0

    @property
    def fields(self) -> int:
        return self.output.shape[-1] // max(1, len(self.sizes))

    @property
    def count(self) -> int:
        """Boxes of the grid."""
        return self.rows * self.columns * max(1, len(self.sizes))

    @property
    def most(self) -> int:
        return _ONE if self.sizes else int(np.iinfo(self.output.dtype.numpy).max) - self.output.zero_point

    @property
    def reads_input(self) -> bool:
        return False

    @property
    def unit(self) -> Fraction:
        return Fraction(1, _ONE) if self.sizes else Fraction(self.output.scale)

    def real(self, score: int) -> float:
        return float(score * self.unit)

    def threshold_at(self, score: int) -> float:
        return shortest_threshold(score, self.unit)

    def reference(self) -> BoxesReference:
        return BoxesReference(self)

    def tables(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sigmoids in 1/32768 and exponentials in 1/65536 of what the output's values stand for, by their bytes."""
        values = np.arange(256).astype(np.uint8).view(self.output.dtype.numpy).astype(np.int64)
        real = [float(v) * self.output.scale for v in values - self.output.zero_point]
        sigmoid = [round(_ONE / (1 + math.exp(-max(min(x, 500.0), -500.0)))) for x in real]
        growth = [round(min(_GROWTH * math.exp(min(x, 20.0)), _MOST_GROWTH)) for x in real]
        return np.array(sigmoid, np.int64), np.array(growth, np.int64)

    def emitted(self) -> EmittedDecision:
        has_anchors = bool(self.sizes)
        sigmoid, growth = self.tables()
        background = _listed(map(int, self.background))
        arrays = f"static const uint8_t mcg_decide_background[{len(self.labels)}] = {{{background}}};\n"
        if has_anchors:
            arrays += (
                f"static const uint16_t mcg_decide_sigmoid[256] = {{\n{_listed(sigmoid)}\n}};\n"
                f"static const uint32_t mcg_decide_growth[256] = {{\n{_listed(growth)}\n}};\n"
                f"static const uint16_t mcg_decide_sizes[{2 * len(self.sizes)}] = "
                f"{{{_listed(n for size in self.sizes for n in size)}}};\n"
            )
        config = (
            f"{arrays}static uint16_t mcg_decide_scores[{self.count}];\n"
            f"static uint32_t mcg_decide_places[{self.most_boxes}];\n"
            f"static MCG_DECISION_BOX mcg_decide_boxes[{self.most_boxes}];\n"
            "static const mcg_decision_boxes mcg_decide = {\n"
            f"    .gate = {self.gate.initializer},\n"
            f"    .rows = {self.rows},\n"
            f"    .columns = {self.columns},\n"
            f"    .anchors = {len(self.sizes)},\n"
            f"    .fields = {self.fields},\n"
            f"    .first = {self.first},\n"
            f"    .labels = {len(self.labels)},\n"
            f"    .zero_point = {self.output.zero_point},\n"
            f"    .upper = {self.upper},\n"
            f"    .lower = {self.lower},\n"
            f"    .most = {self.most_boxes},\n"
            f"    .overlap = {self.overlap},\n"
            "    .background = mcg_decide_background,\n"
            f"    .sigmoid = {'mcg_decide_sigmoid' if has_anchors else 0},\n"
            f"    .growth = {'mcg_decide_growth' if has_anchors else 0},\n"
            f"    .sizes = {'mcg_decide_sizes' if has_anchors else 0},\n"
            "    .scores = mcg_decide_scores,\n"
            "    .places = mcg_decide_places,\n"
            "    .boxes = mcg_decide_boxes,\n"
            "};\n"
            "static mcg_decision_boxes_state mcg_decide_state;\n"
        )
        return EmittedDecision(
            header="mcg_decision_boxes.h",
            needs=("mcg_decision_gate.h",),
            before=f"#define MCG_DECISION_SCORE {_TYPES[self.output.dtype]}\n",
            config=config,
            reset="mcg_decision_boxes_reset(&mcg_decide, &mcg_decide_state);",
            update="mcg_decision_boxes_update(&mcg_decide, &mcg_decide_state, output)",
            label="(uint16_t)mcg_decide_state.label",
            score="mcg_decide_state.score",
            score_type="int32_t",
            rank="",
            state_bytes=2 * self.count + (4 + 16) * self.most_boxes + STATE_BYTES + 12,
            most_boxes=self.most_boxes,
            box_count="mcg_decide_state.count",
            boxes="mcg_decide_boxes",
            meaning="of the label's best box",
        )


def _listed(values: Iterable[int]) -> str:
    return ", ".join(str(int(value)) for value in values)


class BoxesReference:
    """The same as the C, in Python's integers."""

    def __init__(self, decision: BoxesDecision) -> None:
        self._d, self._gate = decision, GateReference(decision.gate)
        self._sigmoid, self._growth = decision.tables()
        self.reset()

    def reset(self) -> None:
        self._gate.reset()
        self._label = 0
        self.boxes: tuple[FoundBox, ...] = ()

    def update(self, given: NDArray[Any], output: NDArray[Any]) -> Decided | None:
        return self.decide(self.smooth(given, output))

    def smooth(self, given: NDArray[Any], output: NDArray[Any]) -> NDArray[np.int64]:
        """(boxes of the grid, 6): score, label, ymin, xmin, ymax, xmax."""
        d = self._d
        grid = output.reshape(d.count, d.fields)
        labels = grid[:, d.first : d.first + len(d.labels)].argmax(axis=1)
        best = grid[np.arange(d.count), d.first + labels]
        cells, anchors = np.divmod(np.arange(d.count), max(1, len(d.sizes)))
        row, column = np.divmod(cells, d.columns)
        if d.sizes:
            scores = (self._of(self._sigmoid, grid[:, 4]) * self._of(self._sigmoid, best)) >> 15
            sizes = np.array(d.sizes, np.int64)[anchors]
            down = self._side(grid[:, 1], grid[:, 3], row, d.rows, sizes[:, 0])
            across = self._side(grid[:, 0], grid[:, 2], column, d.columns, sizes[:, 1])
        else:
            scores = np.maximum(best.astype(np.int64) - d.output.zero_point, 0)
            down = row * UNIT // d.rows, (row + 1) * UNIT // d.rows
            across = column * UNIT // d.columns, (column + 1) * UNIT // d.columns
        scores = np.where(np.array(d.background)[labels], 0, scores)
        return np.stack([scores, labels, down[0], across[0], down[1], across[1]], axis=1).astype(np.int64)

    def score(self, smoothed: NDArray[np.int64]) -> int | None:
        best = int(smoothed[:, 0].max())
        return best or None

    def decide(self, smoothed: NDArray[np.int64]) -> Decided | None:
        self.boxes = found = tuple(self._kept(smoothed))
        if not self._gate.is_active and found and found[0].label != self._label:
            self._label, self._gate.above = found[0].label, 0
        score = next((box.score for box in found if box.label == self._label), 0)
        starts = bool(found) and found[0].label == self._label and found[0].score > self._d.upper
        kind = self._gate.update(starts, score > 0)
        return None if kind is None else Decided(kind, self._label, score, boxes=found)

    def _kept(self, boxes: NDArray[np.int64]) -> list[FoundBox]:
        order = np.argsort(-boxes[:, 0], kind="stable")
        kept: list[int] = []
        for place in order[boxes[order, 0] > self._d.lower].tolist():
            if len(kept) == self._d.most_boxes:
                break
            if not any(self._same(boxes, other, place) for other in kept):
                kept.append(place)
        return [FoundBox(*boxes[place].tolist()) for place in kept]

    def _same(self, boxes: NDArray[np.int64], a: int, b: int) -> bool:
        d, first, second = self._d, boxes[a].tolist(), boxes[b].tolist()
        if first[1] != second[1]:
            return False
        if not d.sizes:
            return abs(a // d.columns - b // d.columns) <= 1 and abs(a % d.columns - b % d.columns) <= 1
        shared = 1
        for side in (2, 3):
            shared *= max(min(first[side + 2], second[side + 2]) - max(first[side], second[side]), 0)
        both = sum((box[4] - box[2]) * (box[5] - box[3]) for box in (first, second)) - shared
        return bool(shared * 65536 > both * d.overlap)

    def _of(self, table: NDArray[np.int64], values: NDArray[Any]) -> NDArray[np.int64]:
        return table[np.ascontiguousarray(values).view(np.uint8)]

    def _side(
        self, centre: NDArray[Any], size: NDArray[Any], cell: NDArray[np.int64], cells: int, anchor: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        middle = (cell * _ONE + self._of(self._sigmoid, centre)) // (8 * cells)
        half = np.minimum((anchor * self._of(self._growth, size)) >> 17, 32768)
        low, high = (np.clip(middle + sign * half, -32768, 32767) for sign in (-1, 1))
        return low, high


@dataclass(frozen=True)
class BoxesWanted:
    """What the pipeline file says. `anchors` are (height, width), as parts of the image."""

    labels: tuple[str, ...]
    background: tuple[str, ...]
    anchors: tuple[tuple[float, float], ...]
    overlap: float
    most_boxes: int
    gate: GateWanted

    def at(self, threshold: float) -> BoxesWanted:
        return replace(self, gate=self.gate.at(threshold))

    def bind(self, model: ModelIO) -> BoxesDecision:
        """The decision for a model.

        Raises:
            DataError: the model's output is no such grid.
        """
        output, count = model.output, len(self.labels)
        if output.dtype not in _TYPES or output.quant is None or output.quant.per_channel or output.scale <= 0:
            raise DataError(
                f"the model's output is {output.dtype.value}, and a grid needs quantized cells",
                where="[decision]",
                hint="Quantize the model to int8",
            )
        shape = output.shape
        fields = len(self.anchors) * (_BEFORE_LABELS + count) if self.anchors else count
        fits = len(shape) == 4 and shape[0] == 1 and shape[3] in ((fields,) if self.anchors else (fields, fields + 1))
        boxes = math.prod(shape[1:3]) * max(1, len(self.anchors)) if fits else 0
        if not fits or not 0 < boxes <= _MOST_GRID or max(shape[1:3]) > _ONE // 8:
            wanted = f"{fields}" if self.anchors else f"{fields} or {fields + 1}"
            raise DataError(
                f"the model's output is {list(shape)}, and {count} labels"
                f"{f' and {len(self.anchors)} anchors' if self.anchors else ''} need [1, rows, columns, {wanted}]",
                where="[decision] labels",
                hint="docs/DETECTION.md describes the grids",
            )
        unit = Fraction(1, _ONE) if self.anchors else Fraction(output.scale)
        return BoxesDecision(
            labels=self.labels,
            background=tuple(name in self.background for name in self.labels),
            gate=self.gate.bind(model),
            output=output,
            rows=shape[1],
            columns=shape[2],
            sizes=tuple((round(height * UNIT), round(width * UNIT)) for height, width in self.anchors),
            first=_BEFORE_LABELS if self.anchors else shape[3] - count,
            upper=bound(self.gate.threshold, unit),
            lower=bound(self.gate.release, unit),
            most_boxes=self.most_boxes,
            overlap=round(self.overlap * 65536),
        )


def _parse(table: Table) -> BoxesWanted:
    labels, background = parse_labels(table)
    numbers = table.numbers("anchors", 0.001, 8.0, [])
    if len(numbers) % 2 or len(numbers) > 2 * _MOST_ANCHORS:
        raise table.error("anchors", f"is not height, width, height, width, … of at most {_MOST_ANCHORS} anchors")
    return BoxesWanted(
        labels,
        background,
        tuple(zip(numbers[::2], numbers[1::2], strict=True)),
        table.number("overlap", 0.0, 1.0, 0.5),
        table.integer("most", 1, _MOST_BOXES, 10),
        parse_gate(table, 1e6, 1),
    )


SPEC = DecisionSpec("boxes", _parse)
