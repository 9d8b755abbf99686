"""Grids of boxes on an emulated board: rows, outputs, events and their boxes equal the host's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options
from tests.schemas import check

pytestmark = pytest.mark.emulator

SIDE, CELL = 24, 4
CELLS = SIDE // CELL

PIPELINE = """
[input]
kind = "image"
format = "grey"
width = 24
height = 24
rate = 240

[frontend]
kind = "image"
output = "int8"

[model]
file = "model.tflite"

[decision]
kind = "boxes"
labels = {labels}
threshold = {threshold}
{more}
"""


def pattern(across: bool) -> Any:
    """A cell of stripes."""
    stripes = np.tile(np.array([1, -1, 1, -1]), (CELL, 1))
    return stripes if across else stripes.T


def cells_model() -> bytes:
    """Scores of no stripes, and of stripes down and across, for every cell."""
    weights = np.zeros((3, CELL, CELL, 1), np.int8)
    weights[1, :, :, 0], weights[2, :, :, 0] = 100 * pattern(True), 100 * pattern(False)
    image = TensorSpec((1, SIDE, SIDE, 1), scale=1 / 255, zero_point=-128)
    scores = TensorSpec((1, CELLS, CELLS, 3), scale=0.1, zero_point=0)
    shares = TensorSpec((1, CELLS, CELLS, 3), scale=1 / 256, zero_point=-128)
    bias = constant(np.array([4, 0, 0], np.int32) * 25500, [0.01 / 255] * 3)
    inputs = [image, constant(weights, [0.01] * 3, [0] * 3), bias]
    strides = options("Conv2DOptions", strideH=CELL, strideW=CELL, padding=1)
    nodes = [
        Node("CONV_2D", strides, inputs, [scores]),
        Node("SOFTMAX", options("SoftmaxOptions", beta=1.0), [scores], [shares]),
    ]
    return build_graph(nodes, [shares])


def anchors_model() -> bytes:
    """Some x, y, w, h, a score, and those of two labels, for two anchors of every cell."""
    rng = np.random.default_rng(8)
    weights = rng.integers(-40, 41, (14, CELL, CELL, 1)).astype(np.int8)
    image = TensorSpec((1, SIDE, SIDE, 1), scale=1 / 255, zero_point=-128)
    grid = TensorSpec((1, CELLS, CELLS, 14), scale=0.05, zero_point=5)
    inputs = [image, constant(weights, [0.05] * 14, [0] * 14), constant(np.zeros(14, np.int32), [0.05 / 255] * 14)]
    strides = options("Conv2DOptions", strideH=CELL, strideW=CELL, padding=1)
    return build_graph([Node("CONV_2D", strides, inputs, [grid])], [grid])


def film(images: int) -> Any:
    """Images as lines: striped cells at random places, on some of them none; and which cell holds which stripes."""
    rng = np.random.default_rng(3)
    lines, truth = [], []
    for n in range(images):
        image = np.full((SIDE, SIDE), 20, np.uint8)
        there: dict[tuple[int, int], int] = {}
        for _ in range(0 if n % 3 == 2 else int(rng.integers(1, 4))):
            row, column, label = int(rng.integers(0, CELLS)), int(rng.integers(0, CELLS)), int(rng.integers(0, 2))
            if any(abs(row - r) <= 1 and abs(column - c) <= 1 for r, c in there):
                continue
            there[row, column] = label
            part = image[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
            part[pattern(label == 0) > 0] = 250
        lines.append(image)
        truth.append(there)
    return np.concatenate(lines), truth


def test_cells_on_a_board(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(cells_model())
    path = tmp_path / "pipeline.toml"
    path.write_text(PIPELINE.format(labels='["down", "across"]', threshold=0.6, more="most = 5"))
    lines, truth = film(30)
    proof = api.deploy(path, board="mps2-an386", data=lines, out=tmp_path / "firmware")
    assert proof.signal is not None
    assert proof.signal.passed, proof.signal.first
    assert proof.signal.inferences == 30
    starts = [event for event in proof.signal.listed if event.kind == "start"]
    assert len(starts) > 5
    for event in starts:
        found = {(round(b.ymin * CELLS), round(b.xmin * CELLS)): b.label for b in event.boxes}
        wanted = truth[event.frame // SIDE - 1]
        assert found == {place: ["down", "across"][label] for place, label in wanted.items()}
        assert event.boxes[0].label == event.label
        assert event.boxes[0].score == pytest.approx(event.score)
    check(proof.to_dict())
    header = (tmp_path / "firmware" / "lib" / "mcg_model" / "mcg_app.h").read_text()
    assert "const mcg_app_box *mcg_app_boxes(uint32_t *count);" in header


def test_anchors_on_a_board(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(anchors_model())
    path = tmp_path / "pipeline.toml"
    more = "anchors = [0.2, 0.3, 0.5, 0.4]\noverlap = 0.3\nrelease = 0.3\nmost = 20"
    path.write_text(PIPELINE.format(labels='["a", "b"]', threshold=0.5, more=more))
    noise = np.random.default_rng(1).integers(0, 256, (SIDE * 20, SIDE)).astype(np.uint8)
    noise[SIDE * 5 : SIDE * 8] = 0
    proof = api.deploy(path, board="mps2-an386", data=noise, out=tmp_path / "firmware")
    assert proof.signal is not None
    assert proof.signal.passed, proof.signal.first
    assert proof.signal.events > 0
    assert max(len(event.boxes) for event in proof.signal.listed) > 3
