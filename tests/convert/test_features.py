"""Features in units of their own: the scaling at a model's input becomes part of how the input is quantized."""

from __future__ import annotations

import ctypes
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from mcugen.boards.shipped import load_board
from mcugen.convert import convert
from mcugen.convert.choices import Choices
from mcugen.convert.features import FeatureScaling, feature_scaling, needs_units, take_out
from mcugen.convert.inspect_source import takes_pixels
from mcugen.convert.pipeline import float_runner
from mcugen.convert.scaler import read_scaler, using_scaler
from mcugen.convert.types import Converted
from mcugen.errors import DataError, McugenError, ModelError
from mcugen.flow.inputs import read_inputs
from mcugen.formats.firmware import _readme
from mcugen.graph import Units
from mcugen.monitor.sources import make_sample
from mcugen.numerics.affine import feature_steps, in_units, normalize, quantize_features
from mcugen.runtimes.aot.emit.host import WARNINGS, host_compiler
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.tflm.program import TflmOptions, make_program
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import load_schema, pack_model
from mcugen.tflite.schema_types import ModelT
from mcugen.tflite.types import TensorSpec
from mcugen.tflite.units import METADATA
from tests.convert.float_models import FloatModel, conv, dense

S = load_schema()
RNG = np.random.default_rng(0)
MEAN, DEVIATION = np.float32([101325, 0.5, 12]), np.float32([900, 0.2, 9])
DATA = (MEAN + DEVIATION * RNG.normal(size=(200, 3))).astype(np.float32)
LAYERS = RNG.normal(size=(16, 3)), RNG.normal(size=16), RNG.normal(size=(4, 16)), RNG.normal(size=4)


def scaled(m: FloatModel, kind: str, inputs: list[int], shape: tuple[int, ...], fused: int = 0) -> int:
    options = getattr(S, f"{kind.title()}OptionsT")(fusedActivationFunction=fused)
    return int(m.op(kind, inputs, shape, options=options))


def normalization(m: FloatModel, x: int) -> int:
    shape = (1, 3)
    return scaled(m, "MUL", [scaled(m, "SUB", [x, m.constant([MEAN])], shape), m.constant([1 / DEVIATION])], shape)


def batch_normalization(m: FloatModel, x: int) -> int:
    shape = (1, 3)
    times = scaled(m, "MUL", [m.constant(1 / DEVIATION), x], shape)
    return scaled(m, "ADD", [times, m.constant(-MEAN / DEVIATION)], shape)


def from_mean_down(m: FloatModel, x: int) -> int:
    shape = (1, 3)
    return scaled(m, "DIV", [scaled(m, "SUB", [m.constant(MEAN), x], shape), m.constant(-DEVIATION)], shape)


def behind_a_reshape(m: FloatModel, x: int) -> int:
    as_column = m.op("RESHAPE", [x, m.constant([3, 1], np.int32)], (3, 1), options=S.ReshapeOptionsT([3, 1]))
    moved = scaled(m, "SUB", [as_column, m.constant(MEAN[:, None])], (3, 1))
    as_row = m.op("RESHAPE", [moved, m.constant([1, 3], np.int32)], (1, 3), options=S.ReshapeOptionsT([1, 3]))
    return scaled(m, "DIV", [int(as_row), m.constant(DEVIATION)], (1, 3))


def weather(scaling: Callable[[FloatModel, int], int] = normalization) -> bytes:
    """Pressure in Pa, humidity from 0 to 1 and a temperature → four classes."""
    m = FloatModel()
    hidden = dense(m, scaling(m, m.input((1, 3))), LAYERS[0], LAYERS[1], activation=1)
    return m.build(dense(m, hidden, LAYERS[2], LAYERS[3]))


@pytest.fixture(scope="module")
def converted() -> Converted:
    return convert(weather(), DATA)


def kinds(model: ModelT) -> list[str]:
    return [flat.kind_of(model, op) for op in model.subgraphs[0].operators]


def taken_out(tflite: bytes) -> tuple[list[FeatureScaling], list[str]]:
    """What is taken out of a float model, and the ops that stay."""
    model = open_model(tflite).copy()
    found = feature_scaling(model, flat.ints(model.subgraphs[0].inputs))
    take_out(model, found)
    return found, kinds(model)


@pytest.mark.parametrize("scaling", [normalization, batch_normalization, from_mean_down, behind_a_reshape])
def test_what_scales_features_becomes_units_of_the_input(scaling: Any) -> None:
    (found,), left = taken_out(weather(scaling))
    np.testing.assert_allclose(found.units.offset, MEAN, rtol=1e-6)
    np.testing.assert_allclose(found.units.size, DEVIATION, rtol=1e-6)
    assert set(left) <= {"RESHAPE", "FULLY_CONNECTED"}


@pytest.mark.parametrize("scaling", [None, behind_a_reshape])
def test_the_network_is_as_exact_as_its_features(converted: Converted, scaling: Any) -> None:
    made = converted if scaling is None else convert(weather(scaling), DATA)
    (figures,) = made.report.agreement
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 30  # with one scale for all features it is below 3
    assert not made.report.warnings
    assert flat.input_specs(made.model.schema) == made.report.inputs  # it is in the file


def test_float_models_keep_their_scaling() -> None:
    kept = convert(weather(), quantize=False)
    assert kinds(kept.model.schema)[:2] == ["SUB", "MUL"]
    assert kept.report.inputs[0].units is None


def test_int16_layers_stay_the_ones_that_were_chosen() -> None:
    wide = convert(weather(), DATA, choices=Choices(wide=(3,)))  # the second dense layer, behind SUB and MUL
    assert kinds(wide.model.schema) == ["FULLY_CONNECTED", "QUANTIZE", "FULLY_CONNECTED", "QUANTIZE"]


@pytest.mark.tensorflow
def test_int16_activations_take_units_as_well() -> None:
    made = convert(weather(), DATA, activations="int16")
    assert (made.report.inputs[0].dtype, made.report.inputs[0].units is None) == ("int16", False)
    assert made.report.agreement[0].sqnr_db is not None
    assert made.report.agreement[0].sqnr_db > 40


def test_sizes_without_data_are_those_of_the_network_behind_the_scaling() -> None:
    assert kinds(convert(weather(), sizes_only=True).model.schema) == ["FULLY_CONNECTED", "FULLY_CONNECTED"]


def image(factor: Any, offset: Any) -> bytes:
    m = FloatModel()
    x = m.input((1, 4, 4, 3))
    shape = (1, 4, 4, 3)
    scaled_ = scaled(m, "ADD", [scaled(m, "MUL", [x, m.constant(factor)], shape), m.constant(offset)], shape)
    return m.build(conv(m, scaled_, RNG.normal(size=(2, 3, 3, 3)), [0, 0], (1, 4, 4, 2)))


@pytest.mark.parametrize(
    ("factor", "offset"),
    [
        (1 / 255, 0.0),
        (1 / 127.5, -1.0),
        ([0.0171, 0.0175, 0.0174], [-2.118, -2.036, -1.804]),  # of ImageNet
    ],
)
def test_images_keep_the_scaling_that_one_scale_serves(factor: Any, offset: Any) -> None:
    assert taken_out(image(factor, offset)) == ([], ["MUL", "ADD", "CONV_2D"])


def read_twice(m: FloatModel, x: int) -> int:
    return scaled(m, "ADD", [normalization(m, x), x], (1, 3))


def fused(m: FloatModel, x: int) -> int:
    return scaled(m, "MUL", [x, m.constant([1 / DEVIATION])], (1, 3), fused=1)


def by_zero(m: FloatModel, x: int) -> int:
    return scaled(m, "MUL", [x, m.constant([[1e-3, 0, 1]])], (1, 3))


@pytest.mark.parametrize("scaling", [read_twice, fused, by_zero])
def test_what_does_more_than_scale_stays(scaling: Any) -> None:
    assert taken_out(weather(scaling))[0] == []


def test_a_feature_needs_steps() -> None:
    assert needs_units(Units((101325.0,), (900.0,)))  # one alone, far from 0
    assert needs_units(Units((0.0, 0.0), (1.0, 5.0)))
    assert not needs_units(Units((0.0, 0.0), (1.0, 2.0)))
    assert not needs_units(Units((127.5,), (127.5,)))


def test_c_and_python_quantize_alike(converted: Converted, tmp_path: Path) -> None:
    """At ties of every feature, next to them, beyond the ends, and for what is no number."""
    graph = read_graph(converted.model)
    tensor = graph.tensor(graph.inputs[0])
    assert tensor.units is not None
    steps = feature_steps(tensor.scale, tensor.units)
    near = np.float32(tensor.units.offset) + (np.arange(-140, 140)[:, None] + np.float32(0.5)) * steps
    values = np.concatenate(
        [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf)), DATA]
        + [np.full((1, 3), v, np.float32) for v in (np.nan, np.inf, -np.inf, 3e38, -3e38, 0)]
    ).astype(np.float32)
    (tmp_path / "mcg_model.h").write_text(emit_model(make_plan(graph))["mcg_model.h"])
    (tmp_path / "loop.c").write_text(
        '#include "mcg_model.h"\nvoid all(const float *from, int8_t *to, uint32_t count) {\n'
        "  for (uint32_t i = 0; i < count; ++i) to[i] = mcg_model_quantize_input0(from[i], i % 3);\n}\n"
    )
    library = tmp_path / "loop.so"
    flags = [*WARNINGS, "-Wno-unused-function", "-O2", "-march=native", "-fsanitize=undefined", "-fno-sanitize-recover"]
    command = [host_compiler(), *flags, "-shared", "-fPIC", str(tmp_path / "loop.c"), "-o", str(library)]
    subprocess.run(command, check=True)
    got = np.empty(values.shape, np.int8)
    ctypes.CDLL(str(library)).all(
        np.ascontiguousarray(values).ctypes.data_as(ctypes.c_void_p),
        got.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_uint32(values.size),
    )
    wanted = quantize_features(values, tensor.scale, tensor.zero_point, "int8", tensor.units)
    np.testing.assert_array_equal(got, wanted)
    assert len(np.unique(wanted)) > 250


def test_features_of_a_series_take_turns() -> None:
    """Elements of (time, features): the units are those of the last axis."""
    units = Units(tuple(map(float, MEAN)), tuple(map(float, DEVIATION)))
    series = np.stack([DATA, DATA[::-1]], axis=1)
    quantized = quantize_features(series, 0.025, 3, "int8", units)
    np.testing.assert_array_equal(quantized[:, 0], quantize_features(DATA, 0.025, 3, "int8", units))
    np.testing.assert_array_equal(quantized[::-1, 1], quantized[:, 0])
    np.testing.assert_allclose(in_units(normalize(series, units), units), series, atol=1e-2)


def test_header_and_readme_say_in_which_units_the_input_is_expected(converted: Converted) -> None:
    plan = make_plan(read_graph(converted.model, "weather"))
    header = emit_model(plan)["mcg_model.h"]
    assert "static inline int8_t mcg_model_quantize_input0(float value, uint32_t index) {" in header
    assert " *   feature 0: offset 101325, size 900\n" in header
    assert "in the units of the training\n * data before scaling" in header
    assert ", 0.0f, " in emit_model(plan)["mcg_model.c"].split("inputs[")[1]  # no one scale for who knows no more
    readme = _readme(plan, load_board("mps2-an386"), "", 0)
    assert "| 1 | 0.5 | 0.2 |" in readme
    assert "mcg_model_quantize_input0(0.0f, i); /* your value, in the unit of its feature */" in readme


def test_inputs_of_run_verify_and_monitor_are_in_units(converted: Converted) -> None:
    graph = read_graph(converted.model)
    (spec,) = converted.report.inputs
    wanted = quantize_features(DATA, spec.scale, spec.zero_point, "int8", spec.units)
    given = read_inputs(DATA, graph)
    np.testing.assert_array_equal(np.concatenate([sample[0] for sample in given.samples]), wanted)
    assert "each feature from its own unit" in given.notes[0]
    assert not given.warnings
    sample = make_sample([DATA[7]], [spec], [None], 7)
    np.testing.assert_array_equal(sample.arrays[0], wanted[7:8])
    readings = read_inputs(np.round(DATA).astype(np.int32), graph)  # such as a converter gives
    np.testing.assert_array_equal(readings.samples[3], read_inputs(np.round(DATA), graph).samples[3])


def test_features_that_were_scaled_already_are_noticed(converted: Converted) -> None:
    (warning,) = read_inputs((DATA - MEAN) / DEVIATION, read_graph(converted.model)).warnings
    assert "clipped: the model takes its features as they are measured, not scaled" in warning


@pytest.mark.parametrize(
    "entry",
    [
        "no json",
        "[]",
        '{"inputs": []}',
        '{"inputs": [{"offset": [0]}]}',
        '{"inputs": [{"offset": [0, 0], "size": [1, 1]}]}',
        '{"inputs": [{"offset": [0], "size": [0]}]}',
        '{"inputs": [{"offset": [0], "size": [1e-44]}]}',
        '{"inputs": [{"offset": [1e39], "size": [1]}]}',
        '{"inputs": [{"offset": ["a"], "size": [1]}]}',
        '{"inputs": [{"offset": [NaN], "size": [1]}]}',
        json.dumps({"inputs": [{"offset": [10**400], "size": [1]}]}),
        '{"inputs": ' + "[" * 100_000,
    ],
    ids=range(12),
)
def test_damaged_units_are_refused(converted: Converted, entry: str) -> None:
    model = converted.model.copy()
    (known,) = [m for m in model.metadata or () if m.name in (METADATA, METADATA.encode())]
    model.buffers[known.buffer].data = np.frombuffer(entry.encode(), np.uint8)
    with pytest.raises(ModelError, match="does not fit the inputs"):
        open_model(pack_model(model))


def test_model_slots_are_refused(converted: Converted) -> None:
    from mcugen.boards.shipped import load_board

    with pytest.raises(McugenError, match="units of their own, which a model that is sent does not hold"):
        make_program(converted.model, "weather", load_board("mps2-an386"), TflmOptions(slot_bytes=8192))


def test_images_for_a_quantized_model_are_read_by_its_units() -> None:
    shape = (1, 4, 4, 1)
    assert takes_pixels(TensorSpec("x", shape, "int8", 0.02, 0, Units((127.5,), (127.5,))))
    assert not takes_pixels(TensorSpec("x", shape, "int8", 0.02, 0, Units((0.5,), (0.5,))))


def plain() -> bytes:
    """The network of `weather`, trained on features that a scaler had brought to one size."""
    return weather(lambda _, x: x)


class Fitted:
    """What a fitted StandardScaler has, and a MinMaxScaler does not."""

    mean_, scale_ = MEAN, DEVIATION


@pytest.fixture(scope="module")
def least() -> dict[str, Any]:
    """A MinMaxScaler's numbers for the same scaling."""
    return {"min_": -MEAN / DEVIATION, "scale_": 1 / DEVIATION, "data_min_": MEAN}


def test_a_scaler_is_as_good_as_a_layer(converted: Converted, tmp_path: Path, least: dict[str, Any]) -> None:
    np.savez(tmp_path / "s.npz", mean=MEAN, scale=DEVIATION)
    (tmp_path / "s.json").write_text(json.dumps({"center": MEAN.tolist(), "scale": DEVIATION.tolist()}))
    for source in (tmp_path / "s.npz", str(tmp_path / "s.json"), Fitted(), least):
        made = read_scaler(source)
        np.testing.assert_allclose(made.offset, MEAN, rtol=1e-6)
        np.testing.assert_allclose(made.size, DEVIATION, rtol=1e-6)
    with using_scaler(tmp_path / "s.npz"):
        made_here = convert(plain(), DATA)
    assert made_here.report.inputs[0].units == converted.report.inputs[0].units
    assert [b.data is None or bytes(b.data) for b in made_here.model.schema.buffers][1:4] == [
        b.data is None or bytes(b.data) for b in converted.model.schema.buffers
    ][1:4]  # the weights and the first bias: the very network


@pytest.mark.parametrize("with_mean", [True, False])
def test_a_mean_that_a_scaler_does_not_subtract_is_left_out(with_mean: bool) -> None:
    scaler = StandardScaler(with_mean=with_mean).fit(DATA)
    made = read_scaler(scaler)
    np.testing.assert_allclose((DATA - made.offset) / made.size, scaler.transform(DATA), rtol=1e-4, atol=1e-4)


def test_a_scaler_that_clips_is_refused() -> None:
    with pytest.raises(DataError, match="MinMaxScaler: clips, which is no scaling"):
        read_scaler(MinMaxScaler(clip=True).fit(DATA))


def test_a_scaler_counts_even_where_one_scale_would_do() -> None:
    with using_scaler({"mean": [0, 0, 0], "scale": [1, 1, 1.5]}):
        assert convert(plain(), (DATA - MEAN) / DEVIATION).report.inputs[0].units is not None


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ({}, "holds nothing, and neither mean nor scale"),
        ({"min": [0, 0, 0]}, "min, which goes with scale alone"),
        ({"mean": [0, 0], "scale": [1, 1, 1]}, "different numbers of features: mean 2, scale 3"),
        ({"mean": [0], "scale": [0]}, "feature 0 has a scale that is 0 or not finite"),
        ({"mean": ["a"], "scale": [1]}, "holds what is not a number"),
        ("scaler.pkl", "pickles are not loaded"),
        ("absent.npz", "there is no such file"),
    ],
)
def test_scalers_that_cannot_be_are_refused(source: Any, what: str) -> None:
    with pytest.raises(DataError, match=what) as raised:
        read_scaler(source)
    assert 'np.savez("scaler.npz", mean=scaler.mean_, scale=scaler.scale_)' in raised.value.hint


def test_scalers_of_other_models_are_refused(converted: Converted) -> None:
    with (
        pytest.raises(ModelError, match=r"2 features, and a sample has the shape \[3\]"),
        using_scaler({"scale": [1, 2]}),
    ):
        convert(plain(), DATA)
    with pytest.raises(ModelError, match="belongs in front of the float model"), using_scaler(Fitted()):
        convert(converted.tflite)


def accuracy(values: NDArray[Any], labels: NDArray[Any]) -> float:
    return float(np.mean(values.argmax(axis=-1) == labels))


@pytest.mark.emulator
def test_the_device_is_as_right_as_the_float_model(tmp_path: Path) -> None:
    """Data in physical units for calibration, evaluation, `run` and the device."""
    from mcugen import api

    values = (MEAN + DEVIATION * np.random.default_rng(1).normal(size=(300, 3))).astype(np.float32)
    labels = float_runner(weather())(values).argmax(axis=1)
    (tmp_path / "weather.tflite").write_bytes(weather())
    proof = api.deploy(
        tmp_path / "weather.tflite",
        board="mps2-an386",
        data={"x": DATA},
        eval_data={"x": values, "y": labels},
        inputs={"x": values[:40]},
        out=tmp_path / "fw",
    )
    assert proof.verdict is not None
    assert proof.verdict.bit_exact
    assert proof.assessment is not None
    assert min(run.scores[0].value for run in proof.assessment.runs) >= 0.99
    api.run(tmp_path / "fw", inputs=values[:40], out=tmp_path / "y.npy", dequantize=True)
    assert accuracy(np.load(tmp_path / "y.npy").reshape(40, 4), labels[:40]) >= 0.97
