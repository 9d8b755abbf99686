"""TFLite_Detection_PostProcess: every bit of its outputs, ties, what the reference stops at, and hostile options."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers
from numpy.typing import NDArray

from mcugen.errors import ModelError, UnsupportedOpError
from mcugen.reference import NumpyReference
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.supported import check_supported
from mcugen.tflite.detections import KIND, read_options
from mcugen.tflite.flexbuffer import read_numbers
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, constant, oracle

OPTIONS: dict[str, Any] = {
    "max_detections": 10,
    "max_classes_per_detection": 1,
    "num_classes": 3,
    "nms_score_threshold": 0.25,
    "nms_iou_threshold": 0.5,
    "y_scale": 10.0,
    "x_scale": 10.0,
    "h_scale": 5.0,
    "w_scale": 5.0,
}


def anchors_of(count: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(0, 1, (count, 2)), rng.uniform(0.1, 0.4, (count, 2))], axis=1).astype(np.float32)


def build(
    count: int = 60, background: int = 1, rows: int | None = None, raw: bytes | None = None, **changed: Any
) -> bytes:
    told = OPTIONS | changed
    columns = told["num_classes"] + background
    rows = told["max_detections"] if rows is None else rows
    boxes, scores = TensorSpec((1, count, 4), "float32"), TensorSpec((1, count, columns), "float32")
    outputs = [TensorSpec(shape, "float32") for shape in ((1, rows, 4), (1, rows), (1, rows), (1,))]
    options = bytes(flexbuffers.Dumps(told)) if raw is None else raw
    return build_graph([Node(KIND, options, [boxes, scores, constant(anchors_of(count))], outputs)], outputs)


def drawn(count: int, columns: int, levels: int = 0, seed: int = 1) -> list[list[NDArray[Any]]]:
    """Boxes and scores; of `levels` values only, so that many scores are equal and boxes lie upon each other."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(6):
        boxes, scores = rng.uniform(-3, 3, (1, count, 4)), rng.uniform(0, 1, (1, count, columns))
        if levels:
            boxes, scores = np.round(boxes), np.floor(scores * levels) / levels
        samples.append([boxes.astype(np.float32), scores.astype(np.float32)])
    return samples


@pytest.mark.parametrize("levels", [0, 2, 5])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"use_regular_nms": True},
        {"use_regular_nms": True, "detections_per_class": 2},
        {"nms_iou_threshold": 0.01},
        {"nms_iou_threshold": 1.0, "nms_score_threshold": 0.0},
        {"nms_score_threshold": 2.0},
        {"max_detections": 200},
        {"max_detections": 1},
        {"max_classes_per_detection": 2, "rows": 40},
        {"max_classes_per_detection": 7, "rows": 90},
        {"num_classes": 1, "background": 0},
        {"use_regular_nms": True, "background": 0, "rows": 12},
    ],
    ids=str,
)
def test_every_bit(changed: dict[str, Any], levels: int) -> None:
    model = build(**changed)
    columns = changed.get("num_classes", 3) + changed.get("background", 1)
    samples = drawn(60, columns, levels)
    expected = assert_bit_exact(model, samples)
    second = NumpyReference(model)
    for sample, wanted in zip(samples, expected, strict=True):
        for got, want in zip(second.run(sample), wanted, strict=True):
            np.testing.assert_array_equal(got.reshape(want.shape), want)
    counts = [int(outputs[3][0]) for outputs in expected]
    assert (max(counts) > 0) == (changed.get("nms_score_threshold", 0) < 1)


def test_suppression_takes_boxes_away() -> None:
    """Otherwise the cases above would show sorting alone."""
    few = [int(o[3][0]) for o in oracle(build(max_detections=60, nms_iou_threshold=0.1), drawn(60, 4))]
    all_of_them = [int(o[3][0]) for o in oracle(build(max_detections=60, nms_iou_threshold=1.0), drawn(60, 4))]
    assert all(few_n < all_n for few_n, all_n in zip(few, all_of_them, strict=True))


@pytest.mark.parametrize("regular", [False, True])
def test_a_box_without_extent_is_passed_over(regular: bool) -> None:
    """The reference stops there; here the other boxes are found."""
    model = build(use_regular_nms=regular)
    sample = drawn(60, 4)[0]
    best = int(np.argmax(sample[1][0, :, 1:].max(axis=1)))
    sample[0][0, best, 2] = -1e4  # exp() of it is 0
    with pytest.raises(RuntimeError, match="failed"):
        oracle(model, [sample])
    without = [array.copy() for array in sample]
    without[0][0, best, 2] = 0.0
    without[1][0, best] = 0.0
    (wanted,) = oracle(model, [without])
    with HostModel(make_plan(read_graph(model))) as host:
        for got in (host.run(sample), NumpyReference(model).run(sample)):
            for a, b in zip(got, wanted, strict=True):
                np.testing.assert_array_equal(a.reshape(b.shape), b)


def test_what_is_not_a_number_takes_no_part() -> None:
    model = build()
    sample = drawn(60, 4)[0]
    sample[1][0, :, 1:] = np.nan
    with HostModel(make_plan(read_graph(model))) as host:
        assert int(host.run(sample)[3].reshape(-1)[0]) == 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"max_detections": 0}, "max_detections is 0"),
        ({"max_classes_per_detection": 0}, "max_classes_per_detection is 0"),
        ({"use_regular_nms": True, "detections_per_class": 0}, "detections_per_class is 0"),
        ({"nms_iou_threshold": 1.5}, r"nms_iou_threshold is 1\.5"),
        ({"nms_iou_threshold": 0.0}, "nms_iou_threshold is 0"),
        ({"h_scale": 0.0}, "h_scale, w_scale is 0"),
        ({"background": 2}, r"scores \(1, 60, 5\) of 3 classes"),
        ({"rows": 9}, "9 rows, and the reference writes 10"),
        ({"max_classes_per_detection": 2, "rows": 20}, "20 rows, and the reference writes 40"),
    ],
)
def test_uses_that_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedOpError, match=words):
        check_supported(read_graph(build(**changed)))


def test_outputs_with_unset_rows_are_the_models() -> None:
    boxes, scores = TensorSpec((1, 5, 4), "float32"), TensorSpec((1, 5, 4), "float32")
    outputs = [TensorSpec(shape, "float32") for shape in ((1, 10, 4), (1, 10), (1, 10), (1,))]
    after = TensorSpec((1, 10), "float32")
    for told, problem in (({}, "is used by another op"), ({"use_regular_nms": True}, "")):
        node = Node(KIND, bytes(flexbuffers.Dumps(OPTIONS | told)), [boxes, scores, constant(anchors_of(5))], outputs)
        graph = read_graph(build_graph([node, Node("RELU", None, [outputs[2]], [after])], [outputs[0], after]))
        if problem:
            with pytest.raises(UnsupportedOpError, match=problem):
                check_supported(graph)
        else:
            check_supported(graph)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"max_detections": 2.5}, r"max_detections is 2\.5"),
        ({"max_detections": float("nan")}, "max_detections is nan"),
        ({"max_detections": 1 << 40}, "no 32-bit number"),
        ({"y_scale": float("inf")}, "y_scale is inf"),
    ],
)
def test_options_that_mean_nothing_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        read_graph(build(rows=10, raw=bytes(flexbuffers.Dumps(OPTIONS | changed))))


def test_a_number_beyond_float32_is_refused() -> None:
    raw = bytes(flexbuffers.Dumps(OPTIONS | {"y_scale": 0.1})).replace(struct.pack("<d", 0.1), struct.pack("<d", 1e300))
    with pytest.raises(ModelError, match=r"y_scale is 1e\+300, which is no finite float32"):
        read_graph(build(rows=10, raw=raw))


def test_options_are_read_as_they_were_written() -> None:
    """Numbers of every width, and values that are none."""
    told = {
        **OPTIONS,
        "max_detections": 70000,
        "num_classes": 90.0,
        "use_regular_nms": True,
        "a_name": "text",
        "nothing": None,
        "a_list": [1, 2],
        "y_scale": 3,
    }
    found = read_options(bytes(flexbuffers.Dumps(told)))
    assert (found.detections, found.classes, found.regular, found.per_class) == (70000, 90, True, 100)
    assert found.scales == (3.0, 10.0, 5.0, 5.0)
    assert found.score_threshold == float(np.float32(0.25))


def test_damaged_options_are_refused_or_read() -> None:
    """Whatever the bytes are: an answer at once, a ValueError or numbers."""
    good = bytes(flexbuffers.Dumps({**OPTIONS, "text": "t" * 40}))
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(4000):
        raw = bytearray(good)
        for place in rng.integers(0, len(raw), int(rng.integers(1, 6))):
            raw[place] = int(rng.integers(0, 256))
        cut = bytes(raw[int(rng.integers(0, 3)) * int(rng.integers(0, len(raw))) :])
        try:
            read_numbers(cut)
            read_options(cut)
        except ValueError:
            refused += 1
    assert 500 < refused < 4000
    for raw_bytes in (b"", b"\0", b"\x24\x01", bytes(64), b"\xff" * 64):
        with pytest.raises(ValueError, match="options"):
            read_numbers(raw_bytes)
