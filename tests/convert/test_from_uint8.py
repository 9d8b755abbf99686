"""Networks of uint8 become int8, and compute what LiteRT computes of the file as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert
from mcugen.errors import ModelError
from mcugen.oracle.oracle import Oracle
from mcugen.tflite import fields as flat
from mcugen.tflite.schema import load_schema
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options

S = load_schema()
SAME, VALID, RELU6 = 0, 1, 3


def values(shape: tuple[int, ...], scale: float, zero: int, name: str = "") -> TensorSpec:
    return TensorSpec(shape, "uint8", scale, zero, name=name)


def weights(rng: np.random.Generator, shape: tuple[int, ...], zero: int, low: int, high: int) -> TensorSpec:
    drawn = rng.integers(low, high + 1, shape).astype(np.uint8)
    return TensorSpec(shape, "uint8", 0.02, zero, data=drawn)


def network(pool: int = 3, zero: int = 128, low: int = 1) -> bytes:
    """A small MobileNet of 2018: convolution, depthwise, residual add, average, dense, softmax.

    Args:
        pool: side of the averaged square.
        zero, low: of the first layer's weights.
    """
    rng = np.random.default_rng(1)
    x = values((1, 9, 9, 3), 1 / 128, 128, "image")
    first = values((1, 5, 5, 8), 6 / 255, 0, "first")
    second = values((1, 5, 5, 8), 6 / 255, 0, "second")
    joined = values((1, 5, 5, 8), 0.05, 3, "joined")
    side = 5 - pool + 1
    pooled = values((1, side, side, 8), 0.05, 3, "pooled")
    flat_ = values((1, side * side * 8), 0.05, 3, "flat")
    logits, scores = values((1, 6), 0.12, 120, "logits"), values((1, 6), 1 / 256, 0, "scores")

    def bias(count: int, scale: float) -> TensorSpec:
        return constant(rng.integers(-900, 900, count).astype(np.int32), scale * 0.02)

    conv = options("Conv2DOptions", padding=SAME, strideH=2, strideW=2, fusedActivationFunction=RELU6)
    depthwise = options(
        "DepthwiseConv2DOptions", padding=SAME, strideH=1, strideW=1, depthMultiplier=1, fusedActivationFunction=RELU6
    )
    average = options("Pool2DOptions", padding=VALID, strideH=1, strideW=1, filterHeight=pool, filterWidth=pool)
    kernel = weights(rng, (8, 3, 3, 3), zero, low, 255)
    taps = weights(rng, (1, 3, 3, 8), 121, 0, 240)
    dense = weights(rng, (6, side * side * 8), 128, 1, 255)
    new_shape = constant(np.array([1, side * side * 8], np.int32))
    nodes = [
        Node("CONV_2D", conv, [x, kernel, bias(8, 1 / 128)], [first]),
        Node("DEPTHWISE_CONV_2D", depthwise, [first, taps, bias(8, 6 / 255)], [second]),
        Node("ADD", options("AddOptions"), [first, second], [joined]),
        Node("AVERAGE_POOL_2D", average, [joined], [pooled]),
        Node("RESHAPE", options("ReshapeOptions"), [pooled, new_shape], [flat_]),
        Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [flat_, dense, bias(6, 0.05)], [logits]),
        Node("SOFTMAX", options("SoftmaxOptions", beta=1.0), [logits], [scores]),
    ]
    return build_graph(nodes, [scores])


def of_litert(model: bytes, samples: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What LiteRT's reference kernels compute, all tensors that are uint8, by name."""
    tensorflow = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    interpreter = tensorflow.lite.Interpreter(
        model_content=model,
        experimental_op_resolver_type=tensorflow.lite.experimental.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    found = []
    for sample in samples:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample)
        interpreter.invoke()
        named = {t["name"]: interpreter.get_tensor(t["index"]) for t in interpreter.get_tensor_details() if t["name"]}
        found.append([named[name].reshape(-1) for name in ("first", "second", "joined", "pooled", "logits", "scores")])
    return np.array([np.concatenate(each) for each in found])


@pytest.mark.tensorflow
@pytest.mark.parametrize(("zero", "low"), [(128, 0), (128, 1), (140, 12)])
def test_every_layer_is_that_of_litert(zero: int, low: int) -> None:
    """Zero points of weights other than 128, too, where what is left fits."""
    model = network(zero=zero, low=low)
    samples = np.random.default_rng(3).integers(0, 256, (40, 1, 9, 9, 3)).astype(np.uint8)
    wanted = of_litert(model, samples)
    converted = convert(model)
    assert "the network of uint8 was brought to int8" in " ".join(converted.report.notes)
    main = converted.model.main
    ids = [
        next(i for i, tensor in enumerate(main.tensors) if flat.name_of(tensor, i) == name)
        for name in ("first", "second", "joined", "pooled", "logits", "scores")
    ]
    with Oracle(converted.tflite) as oracle:
        for sample, want in zip(samples, wanted, strict=True):
            shifted = (sample.astype(np.int16) - 128).astype(np.int8)
            got = np.concatenate([each.reshape(-1) for each in oracle.tensors([shifted], ids)])
            np.testing.assert_array_equal(got.astype(np.int16) + 128, want)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match=r"uint8.*its weights reach from -\d+ to 155 once their zero point"):
        convert(network(zero=100, low=0))


def test_averages_of_an_even_number_are_refused() -> None:
    with pytest.raises(ModelError, match=r"uint8.*averages of an even number of values round halves"):
        convert(network(pool=2))


def test_other_ops_are_refused() -> None:
    x, y, z = (TensorSpec((1, 4), scale=0.1, zero_point=128, dtype="uint8", name=name) for name in ("x", "y", "z"))
    square = TensorSpec((4, 4), scale=0.1, zero_point=128, dtype="uint8", data=np.full((4, 4), 130, np.uint8))
    dense = Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [x, square], [y])
    with pytest.raises(ModelError, match=r'op 1 LOGISTIC "z": .*LOGISTIC does not compute the same in int8'):
        convert(build_graph([dense, Node("LOGISTIC", None, [y], [z])], [z]))
