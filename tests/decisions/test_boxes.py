"""Boxes of grids: the C, compiled for this computer, equals the reference; and what is decoded is right."""

from __future__ import annotations

import ctypes
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import decisions
from mcugen.decisions import FoundBox, ModelIO
from mcugen.decisions.boxes import BoxesDecision
from mcugen.environment import find_host_compiler
from mcugen.errors import DataError, McugenError
from mcugen.graph.types import DType, Quantization, Tensor
from mcugen.resources import resource_dir
from tests.decisions.test_on_host import WARNINGS, pointer, table


def grid(shape: tuple[int, ...], scale: float, zero_point: int, dtype: DType = DType.INT8) -> Tensor:
    return Tensor(0, "grid", shape, dtype, Quantization((float(np.float32(scale)),), (zero_point,)))


def bound(output: Tensor, **fields: Any) -> BoxesDecision:
    made = decisions.parse(table(kind="boxes", **fields)).bind(ModelIO(output, output, 0.1))
    assert isinstance(made, BoxesDecision)
    return made


def drawn(rng: np.random.Generator) -> BoxesDecision:
    labels = [f"label {n}" for n in range(int(rng.integers(1, 5)))]
    shape = (1, int(rng.integers(1, 9)), int(rng.integers(1, 9)))
    dtype = DType.UINT8 if rng.random() < 0.3 else DType.INT8
    zero = int(rng.integers(*((0, 256) if dtype is DType.UINT8 else (-128, 128))))
    anchors = [float(v) for v in rng.uniform(0.05, 1.2, 2 * int(rng.integers(0, 4)))]
    threshold = float(rng.uniform(0.05, 0.5))
    fields: dict[str, Any] = {
        "labels": labels,
        "background": labels[:1] if len(labels) > 1 and rng.random() < 0.3 else [],
        "anchors": anchors,
        "overlap": float(rng.uniform(0, 1)),
        "most": int(rng.integers(1, 12)),
        "threshold": threshold,
        "release": threshold * float(rng.uniform(0.2, 1)),
        "consecutive": int(rng.integers(1, 3)),
        "refractory": int(rng.choice([0, 3])),
    }
    if anchors:
        return bound(
            grid((*shape, len(anchors) // 2 * (5 + len(labels))), float(rng.uniform(0.01, 0.1)), zero, dtype), **fields
        )
    return bound(grid((*shape, len(labels) + int(rng.integers(0, 2))), 1 / 256, zero, dtype), **fields)


def source(made: list[BoxesDecision]) -> str:
    """One .c file with `reset_I`, `update_I` and `boxes_I` for each decision, of the type of its output."""
    parts = ['#include "mcg_decision_gate.h"']
    for i, decision in enumerate(made):
        emitted = decision.emitted()
        own = [
            emitted.config,
            emitted.reset,
            emitted.update,
            emitted.label,
            emitted.score,
            emitted.boxes,
            emitted.box_count,
        ]
        config, reset, update, label, score, boxes, count = (text.replace("mcg_decide", f"d{i}") for text in own)
        parts.append(
            f"{config}\nvoid reset_{i}(void);\nint update_{i}(const void *output, int64_t *told);\n"
            f"const void *boxes_{i}(void);\n"
            f"void reset_{i}(void) {{ {reset} }}\n"
            f"int update_{i}(const void *output, int64_t *told) {{\n"
            f"  const int kind = {update};\n"
            f"  told[0] = {label}; told[1] = {score}; told[2] = {count};\n  return kind;\n}}\n"
            f"const void *boxes_{i}(void) {{ return {boxes}; }}"
        )
    return "\n".join(parts) + "\n"


def built(folder: Path, made: list[BoxesDecision]) -> ctypes.CDLL:
    before = made[0].emitted().before + '#include "mcg_decision_boxes.h"\n'
    path, library = folder / "boxes.c", folder / "libboxes.so"
    path.write_text(before + source(made))
    compiler = find_host_compiler()
    assert compiler is not None
    include = f"-I{resource_dir('firmware') / 'decisions'}"
    flags = [*WARNINGS, "-fsanitize=undefined", "-fno-sanitize-recover", "-O1", include, "-shared", "-fPIC"]
    done = subprocess.run(
        [compiler, *flags, "-o", str(library), str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:4000]
    return ctypes.CDLL(str(library))


@pytest.mark.parametrize("dtype", [DType.INT8, DType.UINT8])
def test_the_c_equals_the_reference(tmp_path: Path, dtype: DType) -> None:
    rng = np.random.default_rng(23)
    made = [one for one in (drawn(rng) for _ in range(80)) if one.output.dtype is dtype]
    c = built(tmp_path, made)
    form = np.dtype([("score", "<i4"), ("label", "<u2"), ("corners", "<i2", 4), ("_", "<u2")])
    seen = {"start": 0, "end": 0, "boxes": 0, "ties": 0}
    for i, decision in enumerate(made):
        reference = decision.reference()
        boxes_of = getattr(c, f"boxes_{i}")
        boxes_of.restype = ctypes.c_void_p
        told = (ctypes.c_int64 * 3)()
        for attempt in range(2):
            getattr(c, f"reset_{i}")()
            reference.reset()
            for _ in range(30):
                info = np.iinfo(decision.output.dtype.numpy)
                values = rng.integers(info.min, info.max + 1, decision.output.shape)
                if attempt:  # few levels: many ties
                    values = values // 32 * 32
                if rng.random() < 0.4:
                    values[:] = info.min
                values = values.astype(decision.output.dtype.numpy)
                kind = getattr(c, f"update_{i}")(pointer(values), told)
                decided = reference.update(values, values)
                assert kind == (0 if decided is None else decisions.KINDS.index(decided.kind) + 1)
                raw = np.ctypeslib.as_array((ctypes.c_uint8 * (16 * int(told[2]))).from_address(boxes_of()))
                rows = [(int(r["score"]), int(r["label"]), *map(int, r["corners"])) for r in raw.view(form)]
                assert [FoundBox(*row) for row in rows] == list(reference.boxes)
                seen["boxes"] += len(rows)
                scores = [row[0] for row in rows]
                seen["ties"] += len(scores) - len(set(scores))
                if decided is not None:
                    seen[decided.kind] += 1
                    assert (decided.label, decided.score) == (told[0], told[1])
                    assert decided.boxes == reference.boxes
    assert min(seen.values()) > 20, seen


def test_a_grid_with_anchors_is_decoded_as_its_formulas_say() -> None:
    """To a part in 2048 of the image and a 500th of the box, of sigmoids and exponentials in double."""
    rng = np.random.default_rng(4)
    output, labels = grid((1, 5, 7, 2 * 8), 0.05, 3), ["a", "b", "c"]
    decision = bound(output, labels=labels, anchors=[0.2, 0.3, 0.5, 0.1], threshold=0.2, most=64, overlap=1.0)
    values = rng.integers(-60, 60, output.shape).astype(np.int8)
    found = decision.reference().smooth(values, values).reshape(5, 7, 2, 6)
    real = (values.astype(np.float64) - 3) * output.scale
    for row in range(5):
        for column in range(7):
            for anchor, (height, width) in enumerate([(0.2, 0.3), (0.5, 0.1)]):
                x, y, w, h, there, *scores = real[0, row, column, 8 * anchor : 8 * anchor + 8]
                cx, cy = (column + 1 / (1 + math.exp(-x))) / 7, (row + 1 / (1 + math.exp(-y))) / 5
                half_w, half_h = width * math.exp(w) / 2, height * math.exp(h) / 2
                score = 1 / (1 + math.exp(-there)) / (1 + math.exp(-max(scores)))
                wanted = np.array([cy - half_h, cx - half_w, cy + half_h, cx + half_w])
                got = found[row, column, anchor]
                np.testing.assert_allclose(got[2:] / 4096, wanted, atol=2 / 4096 + 2e-3 * (half_h + half_w))
                assert got[0] / 32768 == pytest.approx(score, abs=2e-4)
                assert got[1] == int(np.argmax(scores))


def test_cells_that_touch_are_one_thing() -> None:
    output = grid((1, 4, 4, 3), 1 / 256, -128)
    decision = bound(output, labels=["cup", "ball"], threshold=0.5, release=0.25)
    cells = np.full(output.shape, -128, np.int8)
    cells[0, 0, 0, 1], cells[0, 1, 1, 1], cells[0, 3, 3, 1] = 90, 70, 60  # cups; the first two touch
    cells[0, 0, 1, 2] = 40  # a ball beside the cup
    reference = decision.reference()
    decided = reference.update(cells, cells)
    assert decided is not None
    assert (decided.kind, decided.label, decided.score) == ("start", 0, 218)
    told = [(box.label, box.ymin, box.xmin, box.ymax, box.xmax) for box in decided.boxes]
    assert told == [(0, 0, 0, 1024, 1024), (0, 3072, 3072, 4096, 4096), (1, 0, 1024, 1024, 2048)]
    cells[0, :, :, 1] = -128
    ended = reference.update(cells, cells)
    assert ended is not None
    assert (ended.kind, ended.label, ended.score, len(ended.boxes)) == ("end", 0, 0, 1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"anchors": [0.1, 0.2, 0.3]}, "anchors: is not height, width"),
        ({"anchors": [0.0, 0.2]}, "not a list of numbers between"),
        ({"smooth": 2}, "smooth: is 2, not between 1 and 1"),
        ({"most": 0}, "most: is 0"),
        ({"overlap": 1.5}, r"overlap: is 1\.5"),
        ({"labels": []}, "labels: is missing"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(McugenError, match=words):
        decisions.parse(table(**({"kind": "boxes", "labels": ["a"], "threshold": 0.5} | fields)))


@pytest.mark.parametrize(
    ("output", "fields", "words"),
    [
        (grid((1, 4, 4, 4), 0.1, 0), {}, r"\[1, 4, 4, 4\], and 2 labels need \[1, rows, columns, 2 or 3\]"),
        (grid((1, 16, 2), 0.1, 0), {}, r"2 labels need \[1, rows"),
        (grid((1, 4, 4, 7), 0.1, 0), {"anchors": [0.1, 0.1, 0.2, 0.2]}, r"2 anchors need \[1, rows, columns, 14\]"),
        (Tensor(0, "f", (1, 4, 4, 2), DType.FLOAT32), {}, "a grid needs quantized cells"),
        (grid((1, 4, 4, 2), 0.1, 0, DType.INT16), {}, "output is int16"),
    ],
)
def test_what_does_not_go_with_the_model_is_refused(output: Tensor, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        bound(output, labels=["a", "b"], threshold=0.5, **fields)
