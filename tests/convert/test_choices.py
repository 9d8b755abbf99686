"""The choices of quantization: each does what it says, and every result runs in TensorFlow Lite Micro."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcugen.convert import Choices, Converted, convert
from mcugen.convert.equalize import equalize
from mcugen.convert.histogram import BINS, Sums, clip_range, count
from mcugen.convert.trained_ranges import take_fake_quantization
from mcugen.errors import ConversionError
from mcugen.oracle.oracle import Oracle
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.tflite.schema import op_kind, pack_model, type_name, unpack_model
from tests.convert.float_models import FloatModel, S, conv, dense

RNG = np.random.default_rng(5)
X = RNG.normal(size=(48, 4, 4, 3)).astype(np.float32)


def normal(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def cnn(uneven: float = 1.0) -> bytes:
    """conv → depthwise → pool → dense; channel 0 after the first is `uneven` times larger, and read so much less."""
    rng = np.random.default_rng(6)
    model = FloatModel()
    x = model.input((1, 4, 4, 3))
    first, spread = rng.normal(size=(6, 3, 3, 3)), rng.normal(size=(1, 3, 3, 6))
    bias = rng.normal(size=6)
    first[0], bias[0], spread[..., 0] = first[0] * uneven, bias[0] * uneven, spread[..., 0] / uneven
    x = conv(model, x, first.astype(np.float32), bias, (1, 4, 4, 6), 1)
    options = S.DepthwiseConv2DOptionsT(padding=0, strideW=1, strideH=1, depthMultiplier=1, fusedActivationFunction=1)
    inputs = [x, model.constant(spread.astype(np.float32)), model.constant(rng.normal(size=6).astype(np.float32))]
    x = model.op("DEPTHWISE_CONV_2D", inputs, (1, 4, 4, 6), options=options)
    pool = S.Pool2DOptionsT(padding=1, strideW=2, strideH=2, filterWidth=2, filterHeight=2)
    x = model.op("MAX_POOL_2D", [x], (1, 2, 2, 6), options=pool)
    x = model.op("RESHAPE", [x, model.constant([1, 24], np.int32)], (1, 24))
    weights = rng.normal(size=(5, 24)) * np.array([[1], [0.02], [1], [1], [0.05]])
    return pack_model(model.model([dense(model, x, weights, rng.normal(size=5))]))


def sqnr(converted: Converted) -> float:
    found = converted.report.agreement[0].sqnr_db
    assert found is not None
    return found


@pytest.mark.parametrize(
    "choices",
    [
        Choices(method="percentile", percentile=99.9),
        Choices(method="mse"),
        Choices(method="entropy"),
        Choices(per_channel_dense=True, correct_bias=True),
        Choices(equalize=True, samples=10),
        Choices(wide=(0,)),
        Choices(wide=(1,), correct_bias=True),
        Choices(wide=(0, 1, 4), per_channel_dense=True),
    ],
    ids=lambda c: c.describe(),
)
def test_emitted_code_equals_the_oracle_bit_for_bit(choices: Choices) -> None:
    made = convert(cnn(), X, choices=choices)
    assert made.report.choices == choices
    assert sqnr(made) > (10 if choices.method == "entropy" else 25)  # entropy cuts much where samples are few
    graph = read_graph(made.tflite)
    with Oracle(made.tflite) as oracle, HostModel(make_plan(optimize(graph))) as host:
        for _ in range(4):
            sample = RNG.integers(-128, 127, (1, 4, 4, 3), np.int8, endpoint=True)
            (wanted,), (got,) = oracle.run([sample]), host.run([sample])
            assert wanted.tobytes() == got.tobytes()


def test_per_channel_dense_keeps_what_small_rows_say() -> None:
    plain, finer = (convert(cnn(), X, choices=Choices(per_channel_dense=c)) for c in (False, True))
    assert sqnr(finer) > sqnr(plain)
    scales = [len(t.quantization.scale) for t in unpack_model(finer.tflite).subgraphs[0].tensors if len(t.shape) == 2]
    assert 5 in scales


def test_equalization_undoes_what_makes_channels_uneven_and_changes_no_result() -> None:
    hard = cnn(uneven=1000.0)
    plain, equal = (convert(hard, X, choices=Choices(equalize=e)) for e in (False, True))
    assert sqnr(equal) > sqnr(plain) + 10
    model = unpack_model(hard)
    assert equalize(model) == 2
    with Oracle(hard) as before, Oracle(pack_model(model)) as after:
        for x in X[:4]:
            (wanted,), (got,) = before.run([x[None]]), after.run([x[None]])
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def test_equalization_leaves_alone_what_somebody_else_reads() -> None:
    model = FloatModel()
    x = conv(model, model.input((1, 4, 4, 3)), normal(4, 1, 1, 3), normal(4), (1, 4, 4, 4), 1)
    y = conv(model, x, normal(4, 1, 1, 4), normal(4), (1, 4, 4, 4), 3)  # RELU6 does not scale
    z = conv(model, y, normal(2, 1, 1, 4), normal(2), (1, 4, 4, 2))
    shared = model.op("ADD", [x, y], (1, 4, 4, 4), options=S.AddOptionsT())
    assert equalize(model.model([z, shared])) == 0


def test_bias_correction_takes_the_mean_error_out() -> None:
    model = FloatModel()
    weights = np.full((2, 64), 0.0113)  # 1.43 steps, all rounded alike
    weights[:, 0] = 1
    x = model.input((1, 64))
    data = pack_model(model.model([dense(model, x, weights, [0.0, 0.0])]))
    samples = RNG.uniform(0.5, 1, (60, 64)).astype(np.float32)
    errors = []
    for corrected in (False, True):
        made = convert(data, samples, choices=Choices(correct_bias=corrected))
        errors.append(sqnr(made))
    assert errors[1] > errors[0] + 3


def test_wide_layers_have_int16_between_them_and_int8_around() -> None:
    model = unpack_model(convert(cnn(), X, choices=Choices(wide=(0, 1))).tflite)
    main = model.subgraphs[0]
    kinds = [op_kind(model.operatorCodes[op.opcodeIndex]) for op in main.operators]
    assert kinds[:4] == ["QUANTIZE", "CONV_2D", "DEPTHWISE_CONV_2D", "QUANTIZE"]
    assert kinds[4:] == ["MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED"]
    between = main.tensors[main.operators[1].outputs[0]]
    assert (type_name(between.type), int(between.quantization.zeroPoint[0])) == ("int16", 0)
    with pytest.raises(ConversionError, match="position 2"):
        convert(cnn(), X, choices=Choices(wide=(2,)))


def test_statistics_tell_rare_huge_values_from_the_others() -> None:
    values = np.concatenate([RNG.normal(size=100_000), [4000.0, -3000.0]])
    counts, ends = count(values), (-3000.0, 4000.0)
    assert counts.sum() == len(values)
    assert counts.shape == (BINS,)
    assert clip_range("minmax", counts, ends, 0) == ends
    for method, percentile in (("percentile", 99.99), ("mse", 0), ("entropy", 0)):
        low, high = clip_range(method, counts, ends, percentile)  # type: ignore[arg-type]
        if method == "mse":  # two values of 4000 weigh more than 100 000 of 1
            assert high > 100
        else:
            assert -40 < low < -2
            assert 2 < high < 40
    wanted = np.quantile(values, [0.001, 0.999])
    np.testing.assert_allclose(clip_range("percentile", counts, ends, 99.9), wanted, rtol=0.03)


def test_ranges_of_nothing_but_zeros_stay() -> None:
    counts = count(np.zeros(10))
    for method in ("percentile", "mse", "entropy"):
        assert clip_range(method, counts, (0.0, 0.0), 99.0) == (0.0, 0.0)  # type: ignore[arg-type]
    rare = count(np.array([0.0] * 9999 + [3.0]))
    assert clip_range("percentile", rare, (0.0, 3.0), 99.0) == (0.0, 3.0)


def test_sums_hold_means_element_by_element() -> None:
    total = Sums()
    for value in (1.0, 3.0):
        total.add(np.full((2, 2), value))
    found = total.statistics()
    assert found.mean.tolist() == [[2, 2], [2, 2]]
    assert found.counts.sum() == 8


def test_fake_quantization_gives_the_range_and_goes_away() -> None:
    model = FloatModel()
    x = conv(model, model.input((1, 4, 4, 3)), normal(4, 1, 1, 3), normal(4), (1, 4, 4, 4))
    stored = model.op("QUANTIZE", [x], (1, 4, 4, 4), dtype="UINT8")
    model.tensors[stored].quantization = S.QuantizationParametersT(
        scale=np.array([0.02], np.float32), zeroPoint=np.array([100], np.int64)
    )
    back = model.op("DEQUANTIZE", [stored], (1, 4, 4, 4))
    data = pack_model(model.model([model.op("RELU", [back], (1, 4, 4, 4))]))
    raw = unpack_model(data)
    ((low, high),) = take_fake_quantization(raw).values()
    assert (low, high) == pytest.approx((-2.0, 3.1))
    made = convert(data, X)
    trained = next(r for r in made.report.ranges if r.scale == pytest.approx(0.02, rel=1e-3))
    assert trained.zero_point == 100 - 128
    assert made.float_tflite is not None
    assert "QUANTIZE" not in {op_kind(c) for c in unpack_model(made.tflite).operatorCodes}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "best"}, "unknown calibration method"),
        ({"percentile": 20}, "not a valid percentile"),
        ({"samples": 0}, "0 samples"),
        ({"activations": "int16", "method": "mse"}, "int16"),
        ({"per_tensor_dense": True}, "choice for int16 activations"),
    ],
)
def test_choices_that_make_no_sense_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        Choices(**given)
