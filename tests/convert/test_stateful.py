"""Keras layers with `stateful=True`: each sample goes on from the one before, in int8 as in float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.convert import Converted, convert
from mcugen.convert.loops.variables import check_variables
from mcugen.errors import ConversionError, ModelError
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import pack_model
from mcugen.tflite.schema_types import ModelT

pytestmark = pytest.mark.tensorflow
keras = pytest.importorskip("keras", reason="Keras is not installed")
layers = keras.layers

FEATURES, UNITS = 3, 6


def model(steps: int, *kinds: str, **options: Any) -> Any:
    keras.utils.set_random_seed(3)
    x = y = keras.Input(batch_shape=(1, steps, FEATURES))
    for n, kind in enumerate(kinds):
        y = getattr(layers, kind)(UNITS, stateful=True, return_sequences=n + 1 < len(kinds), **options)(y)
    return keras.Model(x, layers.Dense(4)(y))


def stream(steps: int, count: int = 200) -> Any:
    return np.random.default_rng(0).normal(size=(count, steps, FEATURES)).astype(np.float32)


def kinds_of(converted: Converted) -> list[str]:
    return [flat.kind_of(converted.model.schema, op) for op in converted.model.main.operators]


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("kinds", [("LSTM",), ("GRU",), ("SimpleRNN",), ("GRU", "LSTM")], ids="-".join)
def test_a_stream_in_int8(kinds: tuple[str, ...], steps: int) -> None:
    converted = convert(model(steps, *kinds), stream(steps))
    states = sum(2 if kind == "LSTM" else 1 for kind in kinds)
    assert kinds_of(converted).count("ASSIGN_VARIABLE") == states
    (figures,) = converted.report.agreement
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 20, figures  # at the end of 200 samples as at their beginning
    assert [note for note in converted.report.notes if "steps of one stream" in note]
    assert not [warning for warning in converted.report.warnings if "always zero" in warning]


def test_the_float_model_is_kerass_own() -> None:
    given, values = model(1, "GRU"), stream(1, 30)
    wanted = [given(values[n : n + 1]).numpy()[0] for n in range(len(values))]
    from mcugen.convert import float_runner

    np.testing.assert_allclose(float_runner(convert(given, stream(1)))(values), wanted, atol=1e-5)


def test_what_is_read_and_assigned_has_one_scale() -> None:
    converted = convert(model(1, "GRU"), stream(1))
    schema, main = converted.model.schema, converted.model.main
    ids = {flat.kind_of(schema, op): (*flat.ints(op.inputs)[1:], *flat.ints(op.outputs)) for op in main.operators}
    read, assigned = (main.tensors[ids[kind][0]].quantization for kind in ("READ_VARIABLE", "ASSIGN_VARIABLE"))
    assert read is not None
    assert assigned is not None
    np.testing.assert_array_equal(np.asarray(read.scale), np.asarray(assigned.scale))
    np.testing.assert_array_equal(np.asarray(read.zeroPoint), np.asarray(assigned.zeroPoint))


def test_a_stream_calibrates_with_steps_that_follow_each_other() -> None:
    """Drawn at random over the whole, each would go on from one that is not its own past."""
    calm = np.zeros((2500, 1, FEATURES), np.float32)
    calm[:2000] = stream(1, 2000)
    calm[2000:] = 100.0
    converted = convert(model(1, "GRU"), calm)
    assert converted.report.calibration.samples == 2000
    (spec,) = converted.report.inputs
    assert spec.scale * 255 < 12


@pytest.mark.emulator
@pytest.mark.parametrize(("kind", "board"), [("LSTM", "mps2-an386"), ("GRU", "lm3s6965evb"), ("GRU", "mps3-an547")])
def test_on_the_device(kind: str, board: str, tmp_path: Path) -> None:
    given = tmp_path / "model.keras"
    model(1, kind).save(given)
    np.savez(tmp_path / "data.npz", x=stream(1, 60))
    proof = api.deploy(given, data=tmp_path / "data.npz", board=board, out=tmp_path / "project", samples=24)
    assert proof.verdict.bit_exact


def test_int16_is_refused_by_its_reason() -> None:
    with pytest.raises(
        ConversionError, match=r"keeps a state in variables, .* no int16 form.*Leave `activations` at int8"
    ):
        convert(model(1, "GRU"), stream(1), activations="int16")


def initialized(value: float) -> ModelT:
    """The float model whose variable begins with this value everywhere."""
    made = open_model(convert(model(1, "GRU"), quantize=False).model.data).copy()
    call = next(op for op in made.subgraphs[0].operators if flat.kind_of(made, op) == "CALL_ONCE")
    graph = made.subgraphs[int(call.builtinOptions.initSubgraphIndex)]
    assign = next(op for op in graph.operators if flat.kind_of(made, op) == "ASSIGN_VARIABLE")
    tensor = graph.tensors[flat.ints(assign.inputs)[1]]
    made.buffers[tensor.buffer].data = np.full(UNITS, value, np.float32).view(np.uint8)
    return made


def test_a_variable_that_does_not_begin_with_zeros_is_refused() -> None:
    check_variables(initialized(0.0))
    with pytest.raises(ModelError, match=r"op 0 CALL_ONCE .*begins with other values than zeros.*`quantize=False`"):
        check_variables(initialized(0.5))


def test_a_stream_that_does_not_begin_with_zeros_runs_in_float32_as_advised(tmp_path: Path) -> None:
    given = tmp_path / "model.tflite"
    given.write_bytes(pack_model(initialized(0.5)))
    with pytest.raises(ModelError, match=r"begins with other values than zeros.*`quantize=False`"):
        convert(given, stream(1))
    assert "VAR_HANDLE" in kinds_of(convert(given, quantize=False))


def test_a_variable_inside_a_loop_is_refused() -> None:
    made = initialized(0.0)
    loop = next(op for op in made.subgraphs[0].operators if flat.kind_of(made, op) == "WHILE")
    handle = next(op for op in made.subgraphs[0].operators if flat.kind_of(made, op) == "VAR_HANDLE")
    body = made.subgraphs[int(loop.builtinOptions.bodySubgraphIndex)]
    body.operators.append(handle)
    with pytest.raises(ModelError, match=r"subgraph \d+ .* uses a variable, which cannot be quantized here"):
        check_variables(made)
