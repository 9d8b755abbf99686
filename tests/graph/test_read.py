"""Reading flatbuffers: real ones, hostile ones, and every refusal with its sentence."""

from __future__ import annotations

import random

import numpy as np
import pytest

from mcugen.errors import ModelError, UnsupportedOpError
from mcugen.graph import DType
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.supported import check_supported
from mcugen.tflite.schema import pack_model, unpack_model
from tests.kernels.single_op import Node, TensorSpec, build_graph, build_model, constant, options
from tests.models import both, model_bytes


def dense_model() -> bytes:
    x = TensorSpec((1, 4), scale=0.5, zero_point=3, name="x")
    w = constant(np.arange(8, dtype=np.int8).reshape(2, 4), scale=0.25, name="w")
    b = constant(np.array([1, -2], np.int32), scale=0.125, name="b")
    y = TensorSpec((1, 2), scale=1.0, zero_point=-1, name="dense;dense/BiasAdd")
    return build_model("FULLY_CONNECTED", options("FullyConnectedOptions"), [x, w, b], [y])


def edited(change) -> bytes:
    model = unpack_model(dense_model())
    change(model, model.subgraphs[0])
    return pack_model(model)


def test_tensors_ops_and_quantization_are_read() -> None:
    graph = read_graph(dense_model(), "tiny")
    (op,) = graph.ops
    assert (op.kind, op.name, op.index) == ("FULLY_CONNECTED", "dense", 0)
    x, w, b = (graph.input_of(op, n) for n in range(3))
    assert (x.shape, x.dtype, x.scale, x.zero_point, x.is_const) == ((1, 4), DType.INT8, 0.5, 3, False)
    assert w.data.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert b.data.tolist() == [1, -2]
    assert graph.output_of(op).quant.zero_point == (-1,)
    assert graph.name == "tiny"
    assert len(graph.sha256) == 64
    with pytest.raises(ValueError, match="read-only"):
        w.data[0, 0] = 1


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x89PNG" + bytes(100), bytes(64)])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"not a \.tflite model"):
        read_graph(data)


def test_truncation_never_ends_in_anything_but_a_model_error() -> None:
    data = dense_model()
    for length in range(len(data)):
        try:
            read_graph(data[:length])
        except ModelError:
            continue


def test_flipped_bytes_never_end_in_anything_but_a_model_error() -> None:
    data = dense_model()
    generator = random.Random(1)
    refused = 0
    for _ in range(1500):
        broken = bytearray(data)
        for _flip in range(generator.randint(1, 6)):
            broken[generator.randrange(8, len(broken))] = generator.choice(
                [0, 1, 0x7F, 0x80, 0xFF, generator.randrange(256)]
            )
        try:
            optimize(read_graph(bytes(broken)))
        except ModelError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, s: setattr(s.operators[0], "outputs", []), "has no output"),
        (lambda m, s: setattr(s.operators[0], "outputs", [0]), "which is written elsewhere"),
        (lambda m, s: setattr(s.operators[0], "inputs", [3, 1, 2]), "before anything wrote it"),
        (lambda m, s: setattr(s, "outputs", [1]), "is a constant"),
        (lambda m, s: setattr(s, "outputs", [s.tensors.append(s.tensors[3]) or 4]), "nothing writes the model output"),
        (lambda m, s: setattr(s.tensors[3], "isVariable", True), "which is written elsewhere"),
    ],
)
def test_inconsistent_models_are_refused_with_the_place(change, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_graph(edited(change))


def test_names_are_made_printable() -> None:
    graph = read_graph(edited(lambda m, s: setattr(s.tensors[0], "name", b"in\n\x1b[31m*/\xff")))
    assert graph.tensor(graph.inputs[0]).name == "in??[31m*/\ufffd"


def test_a_bias_with_an_axis_out_of_range_is_taken_as_tflm_takes_it() -> None:
    def change(_model, subgraph) -> None:
        quantization = subgraph.tensors[2].quantization
        quantization.scale, quantization.zeroPoint, quantization.quantizedDimension = [0.1, 0.2], [0, 0], 3

    graph = read_graph(edited(change))
    assert graph.tensor(2).quant.axis == 0


def test_dynamic_batch_is_frozen_and_said() -> None:
    graph = read_graph(edited(lambda m, s: setattr(s.tensors[0], "shapeSignature", [-1, 4])))
    assert graph.notes == ('input "x" has a dynamic dimension, frozen to [1, 4]',)


def test_unsupported_ops_are_all_named_at_once() -> None:
    x = TensorSpec((1, 4), scale=0.5)
    y = TensorSpec((1, 4), scale=0.5, name="layer_a/Sign")
    z = TensorSpec((1, 4), scale=0.5, name="layer_b/Gelu")
    model = build_graph([Node("SIGN", None, [x], [y]), Node("GELU", None, [y], [z])], [z])
    with pytest.raises(UnsupportedOpError) as caught:
        check_supported(read_graph(model))
    text = str(caught.value)
    assert 'op 0 SIGN "layer_a/Sign"' in text
    assert 'op 1 GELU "layer_b/Gelu"' in text
    assert "docs/SUPPORTED_OPS.md" in text


OPS = {
    "autoencoder": 10,
    "ds_cnn": 13,
    "mobilenet_v1": 31,
    "mobilenet_v2": 28,
    "resnet": 16,
    "svdf": 12,
    "transformer": 42,
    "u_net": 15,
    "wake_word": 43,  # without CALL_ONCE and the handles of variables
}
REAL_OPS = {"kws_ref_model": 13, "vww_96_int8": 31, "pretrainedResnet_quant": 16, "ad01_int8": 10}


@pytest.mark.parametrize("name", both(OPS, REAL_OPS))
def test_whole_models_are_read(name: str) -> None:
    assert len(read_graph(model_bytes(name), name).ops) == {**OPS, **REAL_OPS}[name]
