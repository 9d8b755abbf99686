"""Float models op by op: the rules, the rewrite, and that TensorFlow Lite Micro runs the result well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcugen.convert import Converted, convert
from mcugen.errors import ConversionError, DataError
from mcugen.tflite.int8_rules import RULES
from mcugen.tflite.schema import op_kind, type_name, unpack_model
from tests.convert.float_models import FloatModel, S, conv, dense
from tests.convert.test_real_functions import KINDS

RNG = np.random.default_rng(3)


def normal(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def tensors(converted: Converted) -> dict[str, Any]:
    return {t.name.decode(): t for t in unpack_model(converted.tflite).subgraphs[0].tensors}


def kinds(converted: Converted) -> list[str]:
    model = unpack_model(converted.tflite)
    return [op_kind(model.operatorCodes[op.opcodeIndex]) for op in model.subgraphs[0].operators]


def params(tensor: Any) -> tuple[float, int]:
    assert type_name(tensor.type) == "int8"
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])


def sqnr(converted: Converted) -> float:
    (figures,) = converted.report.agreement
    return 99.0 if figures.sqnr_db is None else figures.sqnr_db


def pool(model: FloatModel, kind: str, x: int, out: tuple[int, ...]) -> int:
    options = S.Pool2DOptionsT(padding=1, strideW=2, strideH=2, filterWidth=2, filterHeight=2)
    return int(model.op(kind, [x], out, options=options))


def options_of(name: str, **fields: Any) -> Any:
    return getattr(S, f"{name}OptionsT")(**fields)


IMAGE = (1, 4, 4, 3)

ONE_OP: dict[str, Any] = {
    "CONV_2D": lambda m, x: conv(m, x, normal(5, 3, 3, 3), normal(5), (1, 4, 4, 5), activation=1),
    "DEPTHWISE_CONV_2D": lambda m, x: m.op(
        "DEPTHWISE_CONV_2D",
        [x, m.constant(normal(1, 3, 3, 3)), m.constant(normal(3))],
        IMAGE,
        options=S.DepthwiseConv2DOptionsT(padding=0, strideW=1, strideH=1, depthMultiplier=1),
    ),
    "TRANSPOSE_CONV": lambda m, x: m.op(
        "TRANSPOSE_CONV",
        [m.constant([1, 8, 8, 2], np.int32), m.constant(normal(2, 2, 2, 3)), x],
        (1, 8, 8, 2),
        options=S.TransposeConvOptionsT(padding=1, strideW=2, strideH=2),
    ),
    "FULLY_CONNECTED": lambda m, x: dense(
        m, m.op("RESHAPE", [x, m.constant([1, 48], np.int32)], (1, 48)), normal(6, 48), normal(6)
    ),
    "ADD": lambda m, x: m.op("ADD", [x, m.constant(normal(1, 1, 1, 3))], IMAGE, options=options_of("Add")),
    "SUB": lambda m, x: m.op("SUB", [x, m.constant(normal(1, 1, 1, 3))], IMAGE, options=options_of("Sub")),
    "MUL": lambda m, x: m.op("MUL", [x, x], IMAGE, options=options_of("Mul")),
    "SQUARED_DIFFERENCE": lambda m, x: m.op("SQUARED_DIFFERENCE", [x, m.constant(normal(1, 1, 1, 3))], IMAGE),
    "MEAN": lambda m, x: m.op("MEAN", [x, m.constant([1, 2], np.int32)], (1, 3), options=options_of("Reducer")),
    "SUM": lambda m, x: m.op("SUM", [x, m.constant([1, 2], np.int32)], (1, 3), options=options_of("Reducer")),
    "RELU": lambda m, x: m.op("RELU", [x], IMAGE),
    "RELU6": lambda m, x: m.op("RELU6", [x], IMAGE),
    "LEAKY_RELU": lambda m, x: m.op("LEAKY_RELU", [x], IMAGE, options=options_of("LeakyRelu", alpha=0.2)),
    "PRELU": lambda m, x: m.op("PRELU", [x, m.constant(np.abs(normal(1, 1, 3)))], IMAGE),
    "ELU": lambda m, x: m.op("ELU", [x], IMAGE),
    "HARD_SWISH": lambda m, x: m.op("HARD_SWISH", [x], IMAGE),
    "SOFTMAX": lambda m, x: m.op("SOFTMAX", [x], IMAGE, options=options_of("Softmax", beta=1.0)),
    "LOGISTIC": lambda m, x: m.op("LOGISTIC", [x], IMAGE),
    "TANH": lambda m, x: m.op("TANH", [x], IMAGE),
    "L2_NORMALIZATION": lambda m, x: m.op("L2_NORMALIZATION", [x], IMAGE, options=options_of("L2Norm")),
    "LOG_SOFTMAX": lambda m, x: m.op("LOG_SOFTMAX", [x], IMAGE),
    "AVERAGE_POOL_2D": lambda m, x: pool(m, "AVERAGE_POOL_2D", x, (1, 2, 2, 3)),
    "MAX_POOL_2D": lambda m, x: pool(m, "MAX_POOL_2D", x, (1, 2, 2, 3)),
    "REDUCE_MAX": lambda m, x: m.op(
        "REDUCE_MAX", [x, m.constant([1], np.int32)], (1, 4, 3), options=options_of("Reducer")
    ),
    "MAXIMUM": lambda m, x: m.op("MAXIMUM", [x, m.constant(np.float32([0.3]))], IMAGE),
    "MINIMUM": lambda m, x: m.op("MINIMUM", [x, m.constant(np.float32([0.3]))], IMAGE),
    "CONCATENATION": lambda m, x: m.op(
        "CONCATENATION", [x, m.constant(3 * normal(*IMAGE))], (1, 4, 4, 6), options=options_of("Concatenation", axis=3)
    ),
    "PAD": lambda m, x: m.op("PAD", [x, m.constant([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32)], (1, 7, 5, 3)),
    "PADV2": lambda m, x: m.op(
        "PADV2",
        [x, m.constant([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32), m.constant(np.float32([-4.0]))],
        (1, 7, 5, 3),
    ),
    "MIRROR_PAD": lambda m, x: m.op(
        "MIRROR_PAD",
        [x, m.constant([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)],
        (1, 6, 6, 3),
        options=options_of("MirrorPad", mode=0),
    ),
    "RESHAPE": lambda m, x: m.op("RESHAPE", [x, m.constant([1, 48], np.int32)], (1, 48)),
    "SQUEEZE": lambda m, x: m.op("SQUEEZE", [x], (4, 4, 3), options=options_of("Squeeze", squeezeDims=[0])),
    "EXPAND_DIMS": lambda m, x: m.op("EXPAND_DIMS", [x, m.constant([1], np.int32)], (1, 1, 4, 4, 3)),
    "TRANSPOSE": lambda m, x: m.op("TRANSPOSE", [x, m.constant([0, 3, 1, 2], np.int32)], (1, 3, 4, 4)),
    "SLICE": lambda m, x: m.op(
        "SLICE", [x, m.constant([0, 1, 0, 0], np.int32), m.constant([1, 2, 4, 3], np.int32)], (1, 2, 4, 3)
    ),
    "STRIDED_SLICE": lambda m, x: m.op(
        "STRIDED_SLICE",
        [x, *(m.constant(v, np.int32) for v in ([0, 0, 0, 0], [1, 4, 4, 3], [1, 2, 1, 1]))],
        (1, 2, 4, 3),
        options=options_of("StridedSlice"),
    ),
    "PACK": lambda m, x: m.op("PACK", [x, x], (2, *IMAGE), options=options_of("Pack", valuesCount=2, axis=0)),
    "GATHER": lambda m, x: m.op(
        "GATHER", [x, m.constant([2, 0], np.int32)], (1, 4, 4, 2), options=options_of("Gather", axis=3)
    ),
    "RESIZE_BILINEAR": lambda m, x: m.op(
        "RESIZE_BILINEAR", [x, m.constant([8, 8], np.int32)], (1, 8, 8, 3), options=options_of("ResizeBilinear")
    ),
    "RESIZE_NEAREST_NEIGHBOR": lambda m, x: m.op(
        "RESIZE_NEAREST_NEIGHBOR",
        [x, m.constant([8, 8], np.int32)],
        (1, 8, 8, 3),
        options=options_of("ResizeNearestNeighbor"),
    ),
    "SPACE_TO_DEPTH": lambda m, x: m.op(
        "SPACE_TO_DEPTH", [x], (1, 2, 2, 12), options=options_of("SpaceToDepth", blockSize=2)
    ),
    "REVERSE_V2": lambda m, x: m.op("REVERSE_V2", [x, m.constant([1], np.int32)], IMAGE),
    "BATCH_MATMUL": lambda m, x: m.op(
        "BATCH_MATMUL", [x, m.constant(normal(1, 4, 3, 5))], (1, 4, 4, 5), options=options_of("BatchMatMul")
    ),
}


def one_op(kind: str) -> tuple[bytes, Any]:
    model = FloatModel()
    x = model.input(IMAGE)
    return model.build(ONE_OP[kind](model, x)), 1.5 * normal(40, *IMAGE[1:])


@pytest.mark.parametrize("kind", ONE_OP)
def test_every_op_runs_in_int8_close_to_float(kind: str) -> None:
    data, x = one_op(kind)
    converted = convert(data, x)
    assert kind in kinds(converted)
    for tensor in unpack_model(converted.tflite).subgraphs[0].tensors:
        assert type_name(tensor.type) in ("int8", "int32")
        assert tensor.shapeSignature is None
    # Element-wise copies keep about 40 dB; ops that square or cancel values lose more.
    assert sqnr(converted) > (20 if kind in ("SQUARED_DIFFERENCE", "LOG_SOFTMAX", "MUL") else 28)
    rule = RULES[kind]
    ends = (converted.report.inputs[0], converted.report.outputs[0])
    if rule.same_scale:
        assert len({(e.scale, e.zero_point) for e in ends}) == 1
    if rule.output is not None:
        assert (ends[1].scale, ends[1].zero_point) == rule.output


def test_the_table_above_covers_the_rules() -> None:
    tried_elsewhere = {
        "VAR_HANDLE",
        "READ_VARIABLE",
        "ASSIGN_VARIABLE",
        "CUSTOM:TFLite_Detection_PostProcess",
        "SPLIT",
        "SPLIT_V",
        "UNPACK",
        "SELECT_V2",
        "GATHER_ND",
        "BROADCAST_TO",
        "REDUCE_MIN",
        "DIV",
        "ABS",
        "WHILE",  # with loops, tests/convert/test_loops.py
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "DYNAMIC_UPDATE_SLICE",
        "RSQRT",
        *KINDS,  # tests/convert/test_real_functions.py
        "DEPTH_TO_SPACE",
        "SPACE_TO_BATCH_ND",
        "BATCH_TO_SPACE_ND",
        "BROADCAST_ARGS",
        "SHAPE",
        "CAST",
        "LOGICAL_AND",
        "LOGICAL_NOT",
        "LOGICAL_OR",
        "EMBEDDING_LOOKUP",
        "FILL",
        "ARG_MAX",
        "ARG_MIN",
        "EQUAL",
        "NOT_EQUAL",
        "GREATER",
        "GREATER_EQUAL",
        "LESS",
        "LESS_EQUAL",
    }
    assert set(RULES) - set(ONE_OP) == tried_elsewhere


def test_weights_and_biases_follow_the_specification() -> None:
    data, x = one_op("CONV_2D")
    converted = convert(data, x)
    model = unpack_model(converted.tflite)
    graph = model.subgraphs[0]
    source, weights, bias = (graph.tensors[i] for i in graph.operators[0].inputs)
    assert type_name(weights.type) == "int8"
    assert len(weights.quantization.scale) == 5
    assert weights.quantization.quantizedDimension == 0
    assert set(weights.quantization.zeroPoint) == {0}
    stored = np.asarray(model.buffers[weights.buffer].data).view(np.int8).reshape(5, -1)
    assert stored.min() >= -127
    assert np.abs(stored).max(axis=1).tolist() == [127] * 5
    assert type_name(bias.type) == "int32"
    expected = np.float32(source.quantization.scale[0]) * weights.quantization.scale
    assert np.array_equal(bias.quantization.scale, expected)
    assert max(c.version for c in model.operatorCodes) >= 3


def test_depthwise_axis_and_dense_per_tensor() -> None:
    data, x = one_op("DEPTHWISE_CONV_2D")
    graph = unpack_model(convert(data, x).tflite).subgraphs[0]
    weights = graph.tensors[graph.operators[0].inputs[1]]
    assert (weights.quantization.quantizedDimension, len(weights.quantization.scale)) == (3, 3)
    data, x = one_op("FULLY_CONNECTED")
    graph = unpack_model(convert(data, x).tflite).subgraphs[0]
    weights = graph.tensors[graph.operators[1].inputs[1]]
    assert len(weights.quantization.scale) == 1


def test_fixed_output_that_does_not_fit_its_group_is_requantized() -> None:
    model = FloatModel()
    x = model.input((1, 8))
    p = model.op("SOFTMAX", [x], (1, 8), options=S.SoftmaxOptionsT(beta=1.0), name="probabilities")
    wide = model.op("MUL", [x, model.constant(np.float32([20.0]))], (1, 8), options=S.MulOptionsT())
    y = model.op("CONCATENATION", [p, wide], (1, 16), options=S.ConcatenationOptionsT(axis=1))
    converted = convert(model.build(y), normal(60, 8))
    assert kinds(converted) == ["SOFTMAX", "QUANTIZE", "MUL", "CONCATENATION"]
    by_name = tensors(converted)
    assert params(by_name["probabilities/before_requantize"]) == (1 / 256, -128)
    assert params(by_name["probabilities"]) == params(by_name[f"t{y}"])
    assert sqnr(converted) > 28


def test_fixed_output_that_fits_its_group_needs_no_requantizing() -> None:
    model = FloatModel()
    x = model.input((1, 8))
    p = model.op("LOGISTIC", [x], (1, 8))
    y = model.op("RESHAPE", [p, model.constant([2, 4], np.int32)], (2, 4))
    converted = convert(model.build(y), normal(60, 8))
    assert kinds(converted) == ["LOGISTIC", "RESHAPE"]
    assert converted.report.outputs[0].scale == 1 / 256


def test_shared_weights_get_a_bias_per_use() -> None:
    model = FloatModel()
    x = model.input((1, 6))
    weights, bias = model.constant(normal(6, 6)), model.constant(normal(6))
    options = S.FullyConnectedOptionsT()
    first = model.op("FULLY_CONNECTED", [x, weights, bias], (1, 6), options=options)
    second = model.op("FULLY_CONNECTED", [first, weights, bias], (1, 6), options=options)
    converted = convert(model.build(second), normal(60, 6))
    graph = unpack_model(converted.tflite).subgraphs[0]
    a, b = graph.operators
    assert a.inputs[1] == b.inputs[1]
    assert a.inputs[2] != b.inputs[2]
    assert sqnr(converted) > 28


def test_channel_of_zero_weights_keeps_its_constant() -> None:
    model = FloatModel()
    x = model.input((1, 4, 4, 3))
    weights = normal(3, 1, 1, 3)
    weights[1] = 0.0
    bias = np.array([0.1, 40.0, -0.1], np.float32)
    converted = convert(model.build(conv(model, x, weights, bias, (1, 4, 4, 3))), normal(40, 4, 4, 3))
    (figures,) = converted.report.agreement
    assert figures.max_abs_error < 1.5 * converted.report.outputs[0].scale


def test_several_inputs_outputs_and_split() -> None:
    model = FloatModel()
    a, b = model.input((1, 6), name="a"), model.input((1, 6), name="b")
    total = model.op("ADD", [a, b], (1, 6), options=S.AddOptionsT())
    left, right = model.op(
        "SPLIT", [model.constant(1, np.int32), total], (1, 3), (1, 3), options=S.SplitOptionsT(numSplits=2)
    )
    converted = convert(model.build(left, right), {"a": normal(50, 6), "b": 2 * normal(50, 6)})
    assert [s.name for s in converted.report.inputs] == ["a", "b"]
    assert len(converted.report.agreement) == 2
    assert all(f.sqnr_db is None or f.sqnr_db > 28 for f in converted.report.agreement)


def test_integer_outputs_stay() -> None:
    model = FloatModel()
    scores = dense(model, model.input((1, 6)), normal(4, 6))
    best = model.op(
        "ARG_MAX",
        [scores, model.constant(1, np.int32)],
        (1,),
        dtype="INT32",
        options=S.ArgMaxOptionsT(outputType=S.TensorType.INT32),
    )
    converted = convert(model.build(best), normal(50, 6))
    assert converted.report.outputs[0].dtype == "int32"
    assert converted.report.agreement[0].cosine_similarity > 0.9


def test_shape_arithmetic_is_folded() -> None:
    # What a converter leaves of Flatten with an open batch: SHAPE, STRIDED_SLICE, PACK, RESHAPE.
    model = FloatModel()
    x = model.input((1, 2, 4))
    shape = model.op("SHAPE", [x], (3,), dtype="INT32", options=S.ShapeOptionsT(outType=S.TensorType.INT32))
    ends = [model.constant(v, np.int32) for v in ([0], [1], [1])]
    batch = model.op(
        "STRIDED_SLICE", [shape, *ends], (), dtype="INT32", options=S.StridedSliceOptionsT(shrinkAxisMask=1)
    )
    target = model.op(
        "PACK", [batch, model.constant(8, np.int32)], (2,), dtype="INT32", options=S.PackOptionsT(valuesCount=2, axis=0)
    )
    y = dense(model, model.op("RESHAPE", [x, target], (1, 8)), normal(3, 8))
    converted = convert(model.build(y), normal(50, 2, 4))
    assert kinds(converted) == ["RESHAPE", "FULLY_CONNECTED"]
    assert any("computed once" in n for n in converted.report.notes)


def test_float16_weights_are_widened() -> None:
    model = FloatModel()
    x = model.input((1, 6))
    weights = model.op("DEQUANTIZE", [model.constant(normal(4, 6), np.float16)], (4, 6))
    y = model.op("FULLY_CONNECTED", [x, weights, -1], (1, 4), options=S.FullyConnectedOptionsT())
    converted = convert(model.build(y), normal(50, 6))
    assert kinds(converted) == ["FULLY_CONNECTED"]
    assert "1 float16 weight tensors were widened to float32" in converted.report.notes
    assert sqnr(converted) > 28


@pytest.mark.parametrize(("kind", "hint"), [("L2_POOL_2D", "write the layer")])
def test_ops_without_a_rule(kind: str, hint: str) -> None:
    model = FloatModel()
    y = model.op(kind, [model.input((1, 4))], (1, 4), name="block3/odd;x")
    with pytest.raises(ConversionError, match=f"{kind} has no int8 form.*{hint}") as caught:
        convert(model.build(y), normal(30, 4))
    assert caught.value.where == f'op 0 {kind} "block3/odd"'


def test_computed_weights_and_biases() -> None:
    model = FloatModel()
    x = model.input((1, 4))
    weights = model.op("MUL", [x, x], (1, 4), options=S.MulOptionsT())
    y = model.op(
        "FULLY_CONNECTED",
        [x, model.constant(normal(4, 4)), weights],
        (1, 4),
        options=S.FullyConnectedOptionsT(),
        name="odd",
    )
    with pytest.raises(ConversionError, match="its bias is computed"):
        convert(model.build(y), normal(30, 4))


def test_nan_in_activations_names_the_first_layer() -> None:
    model = FloatModel()
    x = model.input((1, 4))
    bad = model.op("MUL", [x, model.constant(np.float32([np.nan]))], (1, 4), options=S.MulOptionsT(), name="broken;x")
    y = model.op("LOGISTIC", [bad], (1, 4), name="after")
    with pytest.raises(ConversionError, match='layer "broken": the float model computes NaN or infinity'):
        convert(model.build(y), normal(30, 4))


def test_data_must_fit() -> None:
    data, _ = one_op("RELU")
    with pytest.raises(DataError, match=r'"x": float32 \(N, 4, 4, 3\)'):
        convert(data, np.zeros((5, 5)))
