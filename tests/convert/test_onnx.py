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
