"""What is refused at load, and with which words."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from mcugen.convert import convert
from mcugen.convert.inspect_source import Inspection, inspect_model
from mcugen.convert.sources import identify
from mcugen.errors import ConversionError, ModelError, UnsupportedOpError
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import pack_model, unpack_model
from tests.convert.float_models import FloatModel, S, dense, small_dense
from tests.models import both, model_bytes


def inspected(data: bytes) -> Inspection:
    return inspect_model(open_model(data))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.tflite", b"", "file is empty"),
        ("m.tflite", b"\x1c\0\0\0ABCD" + b"\0" * 64, "not a .tflite model"),
        ("m.tflite", b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
        ("m.tflite", b"<!DOCTYPE html><html>", "a web page"),
        ("m.pt", b"\x80\x02}q\x00.", "PyTorch"),
        ("m.onnx", b"\x12\x07pytorch", "not an ONNX model"),
        ("m.pb", b"\x08\x01\x12abc", "a part of a SavedModel"),
        ("m.npy", b"\x93NUMPY\x01\x00", "NumPy array"),
        ("m.gguf", b"GGUF\x03", "GGUF"),
        ("m.safetensors", b"\x10\0\0\0\0\0\0\0{}", "safetensors"),
        ("m.json", b'{"a": 1}', "JSON"),
        ("m.bin", b"\x01\x02\x03\x04\x05\x06\x07\x08", "not a model format"),
        ("m.keras", b"PK\x03\x04 truncated", "archive is truncated"),
    ],
)
def test_foreign_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        identify(tmp_path / name)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("archive/data.pkl", "PyTorch pickle"),
        ("m/code/__torch__.py", "TorchScript"),
        ("serialized_exported_program.json", "an older PyTorch"),
        ("x.npy", "NumPy .npz"),
        ("m/saved_model.pb", "zipped SavedModel"),
        ("readme.txt", "zip archive without a model"),
    ],
)
def test_foreign_archives(tmp_path: Path, member: str, message: str) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr(member, "x")
    with pytest.raises(ModelError, match=message):
        identify(tmp_path / "m.zip")


def test_sources_are_recognised_by_content(tmp_path: Path) -> None:
    (tmp_path / "odd name!.bin").write_bytes(small_dense())
    found = identify(str(tmp_path / "odd name!.bin"))
    assert (found.kind, found.name) == ("tflite", "odd_name")
    (tmp_path / "m.dat").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 64)
    assert identify(tmp_path / "m.dat").kind == "keras h5"
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", "")
    assert identify(tmp_path / "m.keras").kind == "keras"
    (tmp_path / "m.bin").write_bytes(b"\x08\x07\x12\x07pytorch")
    assert identify(tmp_path / "m.bin").kind == "onnx"
    with pytest.raises(ModelError, match="not a SavedModel"):
        identify(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    assert identify(tmp_path).kind == "saved_model"
    with pytest.raises(ModelError, match="no such file"):
        identify(tmp_path / "missing")
    with pytest.raises(ModelError, match="object of type int"):
        identify(5)


def test_open_batch_is_frozen_and_said() -> None:
    found = inspected(small_dense())
    assert found.form == "float"
    assert found.notes == ('input "x": the batch is open in the model and was frozen to 1',)


def test_other_open_dimensions_are_refused() -> None:
    model = FloatModel()
    x = model.input((1, 1, 4), name="wave", shapeSignature=np.array([-1, -1, 4], np.int32))
    y = model.op("TANH", [x], (1, 1, 4))
    with pytest.raises(ModelError, match=r'input "wave": has the shape \[None, None, 4\].*fixed input shape'):
        inspected(model.build(y))


def hybrid() -> FloatModel:
    model = FloatModel()
    x = model.input((1, 4))
    weights = model.constant(np.ones((3, 4)), np.int8, scales=0.5)
    model.op("FULLY_CONNECTED", [x, weights, -1], (1, 3), options=S.FullyConnectedOptionsT(), name="dense_7/MatMul;b")
    return model


def test_hybrid_models_name_the_layer() -> None:
    found = inspected(hybrid().build(2))
    assert found.form == "hybrid"
    assert found.hybrid_op == 'op 0 FULLY_CONNECTED "dense_7/MatMul"'


def test_weights_behind_dequantize_are_hybrid_too() -> None:
    model = FloatModel()
    x = model.input((1, 4))
    stored = model.constant(np.ones((3, 4)), np.int8, scales=0.5)
    weights = model.op("DEQUANTIZE", [stored], (3, 4))
    y = model.op("FULLY_CONNECTED", [x, weights, -1], (1, 3), options=S.FullyConnectedOptionsT())
    assert inspected(model.build(y)).form == "hybrid"


def test_hybrid_beside_int8_activations_is_refused() -> None:
    model = hybrid()
    q = model.op("QUANTIZE", [2], (1, 3), dtype="INT8")
    y = model.op("RELU", [q], (1, 3), dtype="INT8")
    with pytest.raises(ModelError, match="mixes float32 activations on quantized weights"):
        inspected(model.build(y))


def test_float_layers_in_a_quantized_model_are_reported() -> None:
    model = FloatModel()
    x = model.input((1, 3), dtype="INT8")
    q = model.op("RELU", [x], (1, 3), dtype="INT8")
    f = model.op("DEQUANTIZE", [q], (1, 3))
    y = model.op("SOFTMAX", [f], (1, 3), options=S.SoftmaxOptionsT(beta=1.0), name="probabilities")
    found = inspected(model.build(y))
    assert found.form == "quantized"
    assert found.warnings == ('op 2 SOFTMAX "probabilities" runs in float32: the model is not fully quantized',)


@pytest.mark.parametrize(
    ("custom", "message"),
    [("edgetpu-custom-op", "Google's Coral Edge TPU"), ("ethos-u", "Arm's Ethos-U NPU, by Vela")],
)
def test_binaries_of_accelerators_say_what_they_are(custom: str, message: str) -> None:
    model = FloatModel()
    x = model.input((1, 3), dtype="UINT8")
    y = model.op("CUSTOM", [x], (1, 3), dtype="UINT8", custom=custom)
    with pytest.raises(UnsupportedOpError, match=f"was compiled for {message}.*processor's code") as refused:
        inspected(model.build(y))
    assert "that went into that compiler" in refused.value.hint


def test_flex_and_custom_ops() -> None:
    for custom, message in (("FlexErf", r"SELECT_TF_OPS.*"), ("MyOp", "custom operators")):
        model = FloatModel()
        y = model.op("CUSTOM", [model.input((1, 4))], (1, 4), custom=custom, name="odd_layer")
        with pytest.raises(UnsupportedOpError, match=message) as caught:
            inspected(model.build(y))
        assert caught.value.where == f'op 0 CUSTOM:{custom} "odd_layer"'


@pytest.mark.parametrize("dtype", ["FLOAT64", "STRING", "COMPLEX64", "VARIANT"])
def test_types_without_a_place(dtype: str) -> None:
    model = FloatModel()
    y = model.op("CAST", [model.input((1, 4), dtype=dtype, name="odd")], (1, 4))
    with pytest.raises(ModelError, match=f'tensor 0 "odd": has type {dtype.lower()}'):
        inspected(model.build(y))


def test_float16_activations() -> None:
    model = FloatModel()
    y = model.op("RELU", [model.input((1, 4), dtype="FLOAT16")], (1, 4), dtype="FLOAT16")
    with pytest.raises(ModelError, match="computes in float16"):
        inspected(model.build(y))


@pytest.mark.parametrize("data", [None, "random"])
def test_a_loop_without_graphs_cannot_be_quantized(data: str | None) -> None:
    """That is said before data is asked for."""
    model = FloatModel()
    y = model.op("WHILE", [model.input((1, 4))], (1, 4), name="rnn/while")
    with pytest.raises(ConversionError, match=r'op 0 WHILE "rnn/while": does not fit the subgraphs that it runs'):
        convert(model.build(y, subgraphs=2), data)


@pytest.mark.parametrize("name", both(["wake_word"], ["okay_nabu"]))
def test_subgraphs_of_quantized_models_are_left_to_the_runtime(name: str) -> None:
    found = inspected(model_bytes(name))
    assert found.form == "quantized"
    assert found.warnings == ()


def test_a_type_that_does_not_exist() -> None:
    model = unpack_model(small_dense())
    model.subgraphs[0].tensors[1].type = -1
    with pytest.raises(ModelError, match="has type code -1"):
        inspected(pack_model(model))


def test_rescaling_layer_is_noticed() -> None:
    model = FloatModel()
    x = model.input((1, 4))
    scaled = model.op("MUL", [x, model.constant(np.float32(1 / 255))], (1, 4), options=S.MulOptionsT())
    data = model.build(dense(model, scaled, np.ones((2, 4))))
    assert inspected(data).rescales_input
    assert not inspected(small_dense()).rescales_input
