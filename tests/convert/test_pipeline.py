"""The whole convert stage on `.tflite` sources."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert, float_runner
from mcugen.convert.affine import affine_params
from mcugen.errors import ConversionError, DataError, ModelError, ToolError
from mcugen.tflite.schema import pack_model, unpack_model
from tests import zoo
from tests.conftest import find_model
from tests.convert.float_models import FloatModel, S, dense, small_dense
from tests.models import both, model_bytes, model_path, real

RNG = np.random.default_rng(5)
X = RNG.normal(size=(300, 4)).astype(np.float32)


def hybrid(data: bytes, kind: str) -> bytes:
    """A float model with the weights of all ops of a kind in int8, one scale per output channel."""
    model = unpack_model(data)
    main = model.subgraphs[0]
    for op in main.operators:
        if model.operatorCodes[op.opcodeIndex].builtinCode != getattr(S.BuiltinOperator, kind):
            continue
        tensor = main.tensors[op.inputs[1]]
        weights = np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(np.float32).reshape(tensor.shape)
        scales = np.abs(weights).max(axis=(1, 2, 3)) / 127
        stored = np.round(weights / scales[:, None, None, None]).astype(np.int8)
        tensor.type = S.TensorType.INT8
        tensor.quantization = S.QuantizationParametersT(
            scale=scales.astype(np.float32), zeroPoint=np.zeros(len(scales), np.int64), quantizedDimension=0
        )
        model.buffers[tensor.buffer].data = stored.reshape(-1).view(np.uint8)
    return pack_model(model)


def test_float_model_becomes_int8_with_a_full_report(tmp_path: Path) -> None:
    path = tmp_path / "my model.tflite"
    path.write_bytes(small_dense())
    steps: list[tuple[str, float]] = []
    converted = convert(path, X, progress=lambda step, share: steps.append((step, share)))
    assert converted.name == "my_model"
    assert converted.float_tflite == small_dense()
    report = converted.report
    assert report.source_kind == "float tflite"
    assert (report.calibration.samples, report.calibration.available) == (200, 300)
    assert report.trusted
    (source,), (result,) = report.inputs, report.outputs
    assert (source.dtype, source.shape, result.dtype, result.scale) == ("int8", (1, 4), "int8", 1 / 256)
    assert report.ranges[0].name == "x"
    for r in report.ranges[:-1]:
        assert affine_params(r.minimum, r.maximum).scale == pytest.approx(r.scale)
    (figures,) = report.agreement
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 25
    assert figures.same_argmax is not None
    assert figures.same_argmax > 0.9
    assert [s for s, _ in steps] == ["calibrate"] * 200 + ["compare"] * 200
    assert steps[-1][1] == 1.0
    text = json.dumps(report.to_dict(), allow_nan=False)
    assert json.loads(text)["trusted"] is True


def test_the_same_call_gives_the_same_bytes() -> None:
    assert convert(small_dense(), X).tflite == convert(small_dense(), X).tflite


REAL = ("hello_world_int8", "kws_ref_model", "keyword_scrambled_8bit", "trained_lstm_int8", "okay_nabu")


@pytest.mark.parametrize("name", both(zoo.NAMES, REAL))
def test_quantized_models_are_taken_byte_for_byte(name: str) -> None:
    converted = convert(model_path(name))
    assert converted.tflite == model_bytes(name)
    assert converted.report.source_kind == "int8 tflite"
    assert converted.report.calibration.kind == "none"
    assert converted.float_tflite is None


def test_data_for_a_quantized_model_is_not_used() -> None:
    converted = convert(zoo.path("sine"), "random")
    assert converted.tflite == zoo.model("sine")
    assert any("not used" in n for n in converted.report.notes)


def test_float_without_data() -> None:
    with pytest.raises(DataError, match=r'needs calibration data.*`data`.*"x": float32 \(N, 4\).*`data="random"`'):
        convert(small_dense())


def test_random_data_is_untrusted_everywhere() -> None:
    report = convert(small_dense(), "random").report
    assert not report.trusted
    assert report.calibration.kind == "random"
    assert any("accuracy is meaningless" in w for w in report.warnings)
    assert report.to_dict()["trusted"] is False


def test_hybrid_model_asks_for_data_then_converts() -> None:
    data = hybrid(zoo.float_model("ds_cnn"), "CONV_2D")
    with pytest.raises(DataError, match=r'is hybrid .*first at op 0 CONV_2D "first/Conv2D"'):
        convert(data)
    converted = convert(data, zoo.samples("ds_cnn", 30))
    assert converted.report.source_kind == "hybrid tflite"
    assert any("5 quantized weight tensors" in n for n in converted.report.notes)
    assert converted.report.agreement[0].cosine_similarity > 0.99


@real("kws_ref_model_float32")
def test_a_published_hybrid_model() -> None:
    path = find_model("kws_ref_model_float32.tflite")
    with pytest.raises(DataError, match=r'is hybrid .*first at op 0 CONV_2D "functional_1/activation/Relu"'):
        convert(path)
    converted = convert(path, RNG.normal(0, 20, (30, 49, 10, 1)))
    assert converted.report.source_kind == "hybrid tflite"
    assert any("5 quantized weight tensors" in n for n in converted.report.notes)
    assert converted.report.agreement[0].cosine_similarity > 0.99


@pytest.mark.parametrize("name", ["sine", pytest.param("hello_world_float", marks=real("hello_world_float"))])
def test_float_tflite_close_to_its_float_results(name: str) -> None:
    x = np.linspace(0, 2 * np.pi, 150, dtype=np.float32)[:, None]
    converted = convert(zoo.float_path(name) if name == "sine" else find_model(f"{name}.tflite"), x)
    runner = float_runner(converted)
    assert np.abs(runner(x)[:, 0] - np.sin(x[:, 0])).max() < 0.2
    (figures,) = converted.report.agreement
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 25


def test_float_runner_keeps_shapes_and_refuses_int8() -> None:
    runner = float_runner(small_dense())
    assert runner(X[:7]).shape == (7, 3)
    assert runner(X[:7]).sum(axis=1) == pytest.approx(np.ones(7))
    with pytest.raises(ModelError, match="no float form"):
        float_runner(zoo.path("sine"))
    with pytest.raises(ModelError, match="quantized from the start"):
        float_runner(convert(zoo.path("sine")))


def constant_model() -> bytes:
    model = FloatModel()
    x = model.input((1, 4))
    return model.build(dense(model, x, np.zeros((3, 4)), np.ones(3)))


def test_output_that_never_moves_is_reported() -> None:
    assert any("is the same for every sample" in w for w in convert(constant_model(), X).report.warnings)


def test_dead_layers_are_reported() -> None:
    model = FloatModel()
    x = model.input((1, 4))
    dead = dense(model, x, np.zeros((3, 4)), -np.ones(3), activation=1)
    converted = convert(model.build(dense(model, dead, np.ones((2, 3)), np.ones(2))), X)
    assert any("always zero on the calibration data" in w for w in converted.report.warnings)


def test_saturation_beyond_the_calibration_samples() -> None:
    from mcugen.convert import data

    x = X.copy()
    used = data.choose(data.load_samples(X, [data.TensorSpec("x", (1, 4), "float32")])).inputs[0]
    unused = [i for i in range(len(x)) if not (x[i] == used).all(axis=1).any()]
    x[unused] *= 100
    assert any("saturate" in w for w in convert(small_dense(), x).report.warnings)


def test_what_tflm_says_is_passed_on() -> None:
    # The int8 kernel demands a scale of 1/256 of its output, which has none here.
    model = FloatModel()
    x = model.input((1, 4), dtype="INT8")
    model.tensors[x].quantization = S.QuantizationParametersT(scale=np.float32([1]), zeroPoint=np.array([0]))
    y = model.op("SOFTMAX", [x], (1, 4), dtype="INT8", options=S.SoftmaxOptionsT(beta=1.0))
    with pytest.raises(ModelError, match=r"TensorFlow Lite Micro (refuses|crashed on) this model"):
        convert(model.build(y))


def test_op_that_no_interpreter_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_fields: Any) -> None:
        raise ModelError("TensorFlow Lite Micro refuses this model: no such op")

    def missing(*_args: Any, **_fields: Any) -> None:
        raise ToolError("the Python package tensorflow is not installed")

    monkeypatch.setattr("mcugen.convert.calibrate.Oracle", refuse)
    monkeypatch.setattr("mcugen.convert.calibrate.run_worker", missing)
    with pytest.raises(ConversionError, match=r"no installed interpreter .*: no such op; .*LiteRT: the Python package"):
        convert(small_dense(), X)


def test_tensorflow_is_never_imported_for_tflite() -> None:
    code = (
        "import sys; from mcugen.convert import convert; from tests.convert.float_models import small_dense\n"
        "convert(small_dense(), 'random'); sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
