"""ONNX models. What converts them runs where the extra mcugen[onnx] is."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert, float_runner
from mcugen.convert.compare import run_int8
from mcugen.errors import ConversionError, ToolError
from mcugen.tflite import fields as flat
from mcugen.tflite.lstm_operands import LSTM
from tests.convert.digits_channels import ONNX, TRAINING, digits

needs_onnx = pytest.mark.skipif(find_spec("onnx2tf") is None, reason="without the extra mcugen[onnx]")
X, Y = digits()


def accuracy(scores: Any) -> float:
    return float(np.mean(scores.reshape(len(scores), -1).argmax(axis=1) == Y[TRAINING:]))


@needs_onnx
def test_model_with_its_channels_first() -> None:
    import onnxruntime

    converted = convert(ONNX, {"x": X[:TRAINING], "y": Y[:TRAINING]})
    report = converted.report
    assert (converted.name, report.source_kind) == ("digits", "onnx")
    assert report.inputs[0].name == "image:channels_last"
    assert report.inputs[0].shape == (1, 8, 8, 2)
    assert report.outputs[0].name == "scores"
    assert "compare with ONNX Runtime on random inputs" in [a.step for a in report.attempts]
    test = X[TRAINING:]
    (expected,) = onnxruntime.InferenceSession(str(ONNX)).run(None, {"image": test})
    assert np.abs(float_runner(converted)(test) - expected).max() < 1e-3
    assert accuracy(expected) > 0.85
    int8 = run_int8(converted.tflite, [np.moveaxis(test, 1, -1)[:, None]], report.inputs, report.outputs)[0]
    assert accuracy(int8) > accuracy(expected) - 0.02


def two_outputs(path: Path) -> None:
    """x (1, 3, 8, 8) → conv → mean → boxes (4) and scores (5)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    shapes = {"w": (8, 3, 3, 3), "w1": (4, 8), "b1": (4,), "w2": (5, 8), "b2": (5,)}
    weights = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name) for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w1", "b1"], ["boxes"], transB=1),
        helper.make_node("Gemm", ["f", "w2", "b2"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)  # noqa: E731
    outputs = [value("boxes", [1, 4]), value("scores", [1, 5])]
    graph = helper.make_graph(nodes, "two", [value("x", [1, 3, 8, 8])], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))


@needs_onnx
def test_two_outputs_keep_their_names_and_order(tmp_path: Path) -> None:
    two_outputs(tmp_path / "two.onnx")
    report = convert(tmp_path / "two.onnx", "random").report
    assert [(spec.name, spec.shape) for spec in report.outputs] == [("boxes", (1, 4)), ("scores", (1, 5))]


@needs_onnx
def test_refusals(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(str(ONNX))
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    with pytest.raises(ConversionError, match=r"\[None, 2, None, 8\]: only the batch"):
        convert(model, "random")
    (tmp_path / "cut.onnx").write_bytes(ONNX.read_bytes()[:-500])
    with pytest.raises(ConversionError, match="onnx2tf cannot convert the model: "):
        convert(tmp_path / "cut.onnx", "random")


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A package of that name that cannot be imported stands for one that is not there.
    (tmp_path / "onnx.py").write_text("raise ModuleNotFoundError('No module named onnx', name='onnx')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"onnx is needed .*pip install 'mcugen\[onnx\]'"):
        convert(ONNX, "random")


def recurrent_onnx(kind: str, *, steps: int = 6, features: int = 3, units: int = 5, **attributes: Any) -> Any:
    """x [1, steps, features] → a recurrent node of ONNX → its last state → softmax over 4."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(4)
    rows = {"GRU": 3, "LSTM": 4, "RNN": 1}[kind] * units
    ways = 2 if attributes.get("direction") == "bidirectional" else 1
    constants = {
        "W": rng.normal(0, 0.5, (ways, rows, features)).astype(np.float32),
        "R": rng.normal(0, 0.4, (ways, rows, units)).astype(np.float32),
        "B": rng.normal(0, 0.2, (ways, 2 * rows)).astype(np.float32),
        "D": rng.normal(0, 0.8, (ways * units, 4)).astype(np.float32),
        "flat": np.array([1, ways * units]),
    }
    nodes = [
        helper.make_node("Transpose", ["x"], ["rows"], perm=[1, 0, 2]),
        helper.make_node(kind, ["rows", "W", "R", "B"], ["", "last"], hidden_size=units, **attributes),
        helper.make_node("Transpose", ["last"], ["side"], perm=[1, 0, 2]),
        helper.make_node("Reshape", ["side", "flat"], ["state"]),
        helper.make_node("MatMul", ["state", "D"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"], axis=-1),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", steps, features])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
    weights = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    graph = helper.make_graph(nodes, kind, [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


@needs_onnx
@pytest.mark.parametrize(
    ("kind", "attributes", "op"),
    [
        ("LSTM", {}, LSTM),
        ("LSTM", {"direction": "bidirectional"}, LSTM),
        ("GRU", {"linear_before_reset": 1}, "WHILE"),
        ("GRU", {"linear_before_reset": 0}, "WHILE"),
        ("RNN", {}, "WHILE"),
    ],
)
def test_recurrent_nodes(kind: str, attributes: dict[str, Any], op: str) -> None:
    """Nodes whose states begin with zeros, which they do not say."""
    x = np.random.default_rng(0).normal(size=(60, 6, 3)).astype(np.float32)
    converted = convert(recurrent_onnx(kind, **attributes), x)
    main = converted.model.main
    assert op in [flat.kind_of(converted.model.schema, each) for each in main.operators]
    figures = converted.report.agreement[0]
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 25
