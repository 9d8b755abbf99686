"""Whole detectors on emulated boards: one that is trained here, and one that TensorFlow quantized."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

from mcugen import api
from mcugen.errors import McugenError
from mcugen.report.write import write_report
from mcugen.tflite.detections import KIND, places_of_graph
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, oracle
from tests.kernels.test_detection_postprocess import OPTIONS, anchors_of, build
from tests.schemas import check

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "detector" / "train.py"

pytestmark = pytest.mark.emulator

_TRAIN = """
import runpy, sys
from pathlib import Path
runpy.run_path(sys.argv[1])["train"](Path(), scenes=3000, epochs=8, filters=(16, 32, 48, 48))
"""


def in_tensorflow(program: str, folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"},  # a third faster
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.tensorflow
@pytest.mark.xdist_group("tensorflow")
def test_a_detector_of_digits(tmp_path: Path) -> None:
    """Trained on composed scenes: its mean average precision in float32, in int8, and on a Cortex-M55."""
    in_tensorflow(_TRAIN, tmp_path, str(EXAMPLE))
    scenes = np.load(tmp_path / "test.npz")
    np.savez(tmp_path / "few.npz", x=scenes["x"][:60], y=scenes["y"][:60])
    out = tmp_path / "firmware"
    proof = api.deploy(
        tmp_path / "detector.tflite",
        board="mps3-an547",
        out=out,
        data=tmp_path / "calibration.npz",
        eval_data=tmp_path / "few.npz",
        max_drop=6.0,
    )
    assert proof.exit_code == 0
    assert proof.verdict.bit_exact
    found = proof.assessment
    assert found is not None
    assert (found.kind, found.metric) == ("detection", "map")
    floats, host, device = found.runs
    half, all_of_them = floats.value("map_50"), floats.value("map")
    assert half is not None
    assert half > 0.7
    assert all_of_them is not None
    assert all_of_them > 0.45
    assert device.equal_to_host == device.samples == 60
    assert device.scores == host.scores
    assert check(proof.to_dict())["accuracy"]["metric"] == "map"

    write_report(tmp_path / "report.html", proof, "mcugen deploy", None)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") == 12
    assert "img-src data:" in page

    result = api.run(out, inputs=scenes["x"][:16], draw=tmp_path / "found.png")
    from PIL import Image

    with Image.open(tmp_path / "found.png") as picture:
        assert picture.size == (4 * 244 - 4, 4 * 244 - 4)
        colours = {colour for _, colour in picture.getcolors(1 << 20)}  # type: ignore[union-attr]
    assert any(max(c) - min(c) > 100 for c in colours)  # type: ignore[arg-type, call-overload]
    assert result.drawn == tmp_path / "found.png"
    check(result.to_dict())


_TENSORFLOW = """
import sys
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
anchors = np.concatenate([rng.uniform(0, 1, (36, 2)), rng.uniform(0.1, 0.4, (36, 2))], axis=1).astype(np.float32)
whole = {"max_detections": 10, "max_classes_per_detection": 1, "num_classes": 3}
real = {"nms_score_threshold": 0.2, "nms_iou_threshold": 0.5, "y_scale": 10, "x_scale": 10, "h_scale": 5, "w_scale": 5}
words = ['name: "TFLite_Detection_PostProcess"', f'attr {{ key: "use_regular_nms" value {{ b: {sys.argv[1]} }} }}']
words += [f'attr {{ key: "{k}" value {{ i: {v} }} }}' for k, v in whole.items()]
words += [f'attr {{ key: "{k}" value {{ f: {float(v)} }} }}' for k, v in real.items()]


@tf.function(experimental_implements=" ".join(words))
def post(boxes, scores, given):
    return tf.zeros([1, 10, 4]), tf.zeros([1, 10]), tf.zeros([1, 10]), tf.zeros([1])


class Detector(tf.Module):
    def __init__(self):
        self.body = tf.Variable(rng.normal(0, 0.4, (3, 3, 1, 8)).astype(np.float32))
        self.boxes = tf.Variable(rng.normal(0, 0.3, (1, 1, 8, 4)).astype(np.float32))
        self.scores = tf.Variable(rng.normal(0, 1.0, (1, 1, 8, 4)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([1, 12, 12, 1], tf.float32)])
    def __call__(self, x):
        h = tf.nn.relu(tf.nn.conv2d(x, self.body, 2, "SAME"))
        boxes = tf.reshape(tf.nn.conv2d(h, self.boxes, 1, "SAME"), [1, 36, 4])
        scores = tf.reshape(tf.sigmoid(tf.nn.conv2d(h, self.scores, 1, "SAME")), [1, 36, 4])
        return post(boxes, scores, tf.constant(anchors))


detector = Detector()
converter = tf.lite.TFLiteConverter.from_concrete_functions([detector.__call__.get_concrete_function()], detector)
converter.allow_custom_ops = True
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([rng.uniform(0, 1, (1, 12, 12, 1)).astype(np.float32)] for _ in range(50))
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = tf.int8
open("ssd.tflite", "wb").write(converter.convert())
"""


@pytest.mark.tensorflow
@pytest.mark.xdist_group("tensorflow")
@pytest.mark.parametrize("regular", ["false", "true"])
def test_an_ssd_that_tensorflow_quantized(tmp_path: Path, regular: str) -> None:
    in_tensorflow(_TENSORFLOW, tmp_path, regular)
    proof = api.deploy(tmp_path / "ssd.tflite", board="mps2-an386", out=tmp_path / "firmware")
    assert proof.exit_code == 0
    assert proof.verdict.bit_exact
    places = places_of_graph(proof.plan.graph)
    assert places is not None
    assert all(int(outputs[places.count].reshape(-1)[0]) > 3 for outputs in proof.verdict.outputs)
    assert len({outputs[places.boxes].tobytes() for outputs in proof.verdict.outputs}) > 10
    layers = api.verify(tmp_path / "firmware", layers=True, samples=4)
    assert layers.verdict.bit_exact
    assert layers.verdict.layers_checked > 0


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_quantized_inputs_and_outputs_without_shapes(tmp_path: Path, dtype: str) -> None:
    """TensorFlow Lite runs such models as they are, TensorFlow Lite Micro with DEQUANTIZE and shapes in them."""
    low = 0 if dtype == "uint8" else -128
    boxes = TensorSpec((1, 30, 4), dtype, 0.05, low + 100)
    scores = TensorSpec((1, 30, 4), dtype, 1 / 256, low)
    outputs = [TensorSpec((), "float32", name=f"out{n}") for n in range(4)]
    raw = anchors_of(30)
    stored = constant(np.clip(np.round(raw / 0.004) + low, low, low + 255).astype(dtype), 0.004, low)
    options = bytes(flexbuffers.Dumps(OPTIONS))
    (tmp_path / "ssd.tflite").write_bytes(build_graph([Node(KIND, options, [boxes, scores, stored], outputs)], outputs))
    proof = api.verify(tmp_path / "ssd.tflite", board="mps2-an386", quantize=False)
    assert proof.exit_code == 0
    assert proof.verdict.bit_exact
    shapes = [values.shape for values in proof.verdict.outputs[0]]
    assert shapes == [(1, 10, 4), (1, 10), (1, 10), (1,)]
    # The same by hand.
    assert stored.data is not None
    anchors = (stored.data.astype(np.float32) - np.float32(low)) * np.float32(0.004)
    reals = [TensorSpec((1, 30, 4), "float32") for _ in range(2)]
    shaped = [TensorSpec(shape, "float32") for shape in shapes]
    nodes = [Node("DEQUANTIZE", None, [a], [b]) for a, b in zip((boxes, scores), reals, strict=True)]
    model = build_graph([*nodes, Node(KIND, options, [*reals, constant(anchors)], shaped)], shaped)
    rng = np.random.default_rng(2)
    sample = [rng.integers(low, low + 256, (1, 30, 4)).astype(dtype) for _ in range(2)]
    result = api.run(tmp_path / "ssd.tflite", board="mps2-an386", inputs=sample, quantize=False)
    for got, want in zip(result.outputs, oracle(model, [sample])[0], strict=True):
        np.testing.assert_array_equal(got.reshape(want.shape), want)


def test_what_cannot_be_drawn_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "boxes.tflite").write_bytes(build())
    x, y = TensorSpec((1, 3), scale=0.5), TensorSpec((1, 3), scale=0.5)
    (tmp_path / "relu.tflite").write_bytes(build_graph([Node("RELU", None, [x], [y])], [y]))
    inputs = [np.zeros((1, 60, 4), np.float32)] * 2
    float_ones: dict[str, Any] = {"inputs": inputs, "quantize": False}
    for model, given, draw, words in (
        ("boxes.tflite", float_ones, "x.png", "boxes are drawn on images"),
        ("boxes.tflite", float_ones, "x.gif", r"pictures are written as \.png"),
        ("relu.tflite", {"inputs": np.zeros((1, 3), np.int8)}, "x.png", "gives no boxes that could be drawn"),
    ):
        with pytest.raises(McugenError, match=words):
            api.run(tmp_path / model, board="mps2-an386", draw=tmp_path / draw, **given)
    assert not (tmp_path / "x.png").exists()
