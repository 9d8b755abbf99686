from __future__ import annotations

import numpy as np
import pytest

from mcugen.errors import UnsupportedOpError
from mcugen.graph.types import DType
from mcugen.runtimes.tflm.resolver import INT8_KERNELS, INT16_KERNELS, registrations
from mcugen.runtimes.tflm.view import count_macs, read_view
from mcugen.tflite.known_ops import BUILTINS
from mcugen.tflite.schema import load_schema, pack_model, unpack_model
from tests.kernels.single_op import Node, TensorSpec, build_graph, build_model, constant, options
from tests.models import both
from tests.tflm.support import MODELS, model_bytes

GOLDEN = {
    "ad01_int8": "FULLY_CONNECTED*",
    "hello_world_float": "FULLY_CONNECTED",
    "hello_world_int8": "FULLY_CONNECTED*",
    "keyword_scrambled_8bit": "QUANTIZE SVDF* FULLY_CONNECTED* SOFTMAX",
    "kws_ref_model": "CONV_2D* DEPTHWISE_CONV_2D* AVERAGE_POOL_2D* RESHAPE FULLY_CONNECTED* SOFTMAX*",
    "micro_speech_quantized": "RESHAPE DEPTHWISE_CONV_2D* FULLY_CONNECTED* SOFTMAX*",
    "okay_nabu": "CALL_ONCE VAR_HANDLE RESHAPE READ_VARIABLE CONCATENATION STRIDED_SLICE ASSIGN_VARIABLE CONV_2D* "
    "DEPTHWISE_CONV_2D* SPLIT_V FULLY_CONNECTED* LOGISTIC QUANTIZE",
    "pretrainedResnet_quant": "CONV_2D* ADD* AVERAGE_POOL_2D* RESHAPE FULLY_CONNECTED* SOFTMAX*",
    "trained_lstm_int8": "UNIDIRECTIONAL_SEQUENCE_LSTM* RESHAPE FULLY_CONNECTED* SOFTMAX*",
    "vww_96_int8": "CONV_2D* DEPTHWISE_CONV_2D* AVERAGE_POOL_2D* RESHAPE FULLY_CONNECTED* SOFTMAX*",
}
TWINS = {
    "autoencoder": "ad01_int8",
    "ds_cnn": "kws_ref_model",
    "lstm": "trained_lstm_int8",
    "mobilenet_v1": "vww_96_int8",
    "resnet": "pretrainedResnet_quant",
    "sine": "hello_world_int8",
    "sine_float": "hello_world_float",
    "speech": "micro_speech_quantized",
    "svdf": "keyword_scrambled_8bit",
    "wake_word": "okay_nabu",
}
"""Models of the zoo that have the same ops, in the same order, as a real one."""

GOLDEN |= {name: GOLDEN[real] for name, real in TWINS.items()}
GOLDEN["ds_cnn_16x8"] = GOLDEN["ds_cnn"].replace("*", "**")
MARKS = {None: "", DType.INT8: "*", DType.INT16: "**"}
GOLDEN["transformer"] = (
    "ADD* FULLY_CONNECTED* RESHAPE TRANSPOSE* BATCH_MATMUL* MUL* SOFTMAX* MEAN SQUARED_DIFFERENCE RSQRT SUB"
)
"""The resolver of each model, in order; one star marks an int8-only kernel, two an int16-only one."""


@pytest.mark.parametrize("name", MODELS)
def test_the_resolver_holds_exactly_the_models_ops(name: str) -> None:
    found = registrations(read_view(model_bytes(name), name))
    assert " ".join(f"{r.kind}{MARKS[r.only.dtype if r.only else None]}" for r in found) == GOLDEN[name]
    assert all(r.method == BUILTINS[r.kind] for r in found)


def fully_connected(dtype: str) -> bytes:
    weights = constant(np.ones((2, 4), np.int8), 0.5)
    x, y = (TensorSpec((1, n), dtype=dtype, scale=0.1) for n in (4, 2))
    return build_model("FULLY_CONNECTED", options("FullyConnectedOptions"), [x, weights], [y])


def test_one_use_that_is_not_int8_keeps_the_general_kernel() -> None:
    both = build_graph(
        [
            Node("CAST", options("CastOptions", inDataType=9, outDataType=7), [a := TensorSpec((1, 4))], [b := WIDE]),
            *(
                Node("ADD", options("AddOptions"), [t, t], [u])
                for t, u in ((a, TensorSpec((1, 4), scale=0.1)), (b, WIDER))
            ),
        ],
        [WIDER],
    )
    general = registrations(read_view(both))[1]
    (only_int16,) = registrations(read_view(fully_connected("int16")))
    (only_int8,) = registrations(read_view(fully_connected("int8")))
    assert general.kind == "ADD"
    assert general.only is None
    assert only_int16.only is INT16_KERNELS["FULLY_CONNECTED"]
    assert only_int8.only is only_int8.int8 is INT8_KERNELS["FULLY_CONNECTED"]


WIDE, WIDER = TensorSpec((1, 4), "int16", 0.1), TensorSpec((1, 4), "int16", 0.1)


def test_older_versions_of_tflm_get_only_the_kernels_that_they_have() -> None:
    x = TensorSpec((1, 2, 2, 1), scale=0.1)
    y = TensorSpec((1, 2, 2, 1), scale=0.1)
    order = constant(np.arange(4, dtype=np.int32), 0)
    view = read_view(build_model("TRANSPOSE", options("TransposeOptions"), [x, order], [y]))
    assert registrations(view)[0].int8 is not None
    assert registrations(view, newest=False)[0].int8 is None


def renamed(model: bytes, kind: str, custom: str = "") -> bytes:
    """The model with its only operator code changed."""
    unpacked = unpack_model(model)
    code = unpacked.operatorCodes[0]
    number = getattr(load_schema().BuiltinOperator, kind)
    code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
    code.customCode = custom or None
    return pack_model(unpacked)


def test_an_op_that_tflm_does_not_have_is_named_with_its_layer() -> None:
    view = read_view(renamed(fully_connected("int8"), "EMBEDDING_LOOKUP_SPARSE"))
    with pytest.raises(UnsupportedOpError, match=r'no EMBEDDING_LOOKUP_SPARSE \(op 0 EMBEDDING_LOOKUP_SPARSE "'):
        registrations(view)


def test_select_tf_ops_are_refused_with_what_to_do() -> None:
    view = read_view(renamed(fully_connected("int8"), "CUSTOM", "FlexErf"))
    with pytest.raises(UnsupportedOpError, match="without SELECT_TF_OPS"):
        registrations(view)


def test_custom_ops_are_tflms_or_the_users() -> None:
    (own,) = registrations(read_view(renamed(fully_connected("int8"), "CUSTOM", "MyOp")))
    (known,) = registrations(read_view(renamed(fully_connected("int8"), "CUSTOM", "SignalWindow")))
    assert own.is_users
    assert own.custom_name == "MyOp"
    assert known.method == "AddWindow"
    assert not known.is_users


ZOO_MACS = {
    "autoencoder": 16_896,
    "ds_cnn": 268_608,
    "svdf": 2_056,
    "lstm": 14 * 12 * 4 * (10 + 12) + 1680,
    "mobilenet_v1": 658_656,
}
REAL_MACS = {
    "ad01_int8": 264_192,
    "kws_ref_model": 2_656_768,
    "keyword_scrambled_8bit": 21_056,
    "trained_lstm_int8": 28 * 20 * 4 * (28 + 20) + 5600,
    "vww_96_int8": 7_489_664,
}


@pytest.mark.parametrize("name", both(ZOO_MACS, REAL_MACS))
def test_macs(name: str) -> None:
    graph = read_view(model_bytes(name), name).main
    assert sum(count_macs(graph, op) for op in graph.ops) == {**ZOO_MACS, **REAL_MACS}[name]


ZOO_STATE = {"wake_word": (True, 5), "ds_cnn": (False, 0), "svdf": (True, 0)}
REAL_STATE = {"okay_nabu": (True, 6), "kws_ref_model": (False, 0), "keyword_scrambled_8bit": (True, 0)}


@pytest.mark.parametrize("name", both(ZOO_STATE, REAL_STATE))
def test_state(name: str) -> None:
    view = read_view(model_bytes(name), name)
    assert (view.stateful, view.resources) == {**ZOO_STATE, **REAL_STATE}[name]
