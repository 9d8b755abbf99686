"""Pipeline files: what is wrong is said in one sentence with the key; and rows become a model's input by the rule."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mcugen.errors import McugenError, PipelineError
from mcugen.frontends import rows_of
from mcugen.graph.types import DType, Quantization, Tensor
from mcugen.pipeline import is_pipeline_file, read_pipeline
from mcugen.pipeline.app import bind, make_quantizer
from mcugen.runtimes.aot.graph import read_graph
from tests.kernels.single_op import TensorSpec, build_model, options

GOOD = """
[input]
kind = "audio"
rate = 16000

[frontend]
kind = "micro"

[model]
file = "word.tflite"
window = 3
stride = 2

[decision]
labels = ["word"]
threshold = 0.5
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "pipeline.toml"
    path.write_text(text)
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    assert is_pipeline_file(path)
    pipeline = read_pipeline(path)
    assert pipeline.model == tmp_path / "word.tflite"
    assert (pipeline.signal.dtype, pipeline.signal.rate, pipeline.window, pipeline.stride) == ("int16", 16000, 3, 2)
    samples = np.random.default_rng(0).integers(-9000, 9000, 16000).astype(np.int16)
    rows = pipeline.rows(samples)
    assert rows.shape == (98, 40)
    windows = pipeline.windows(samples)
    assert windows.shape == (48, 3, 40)
    assert np.array_equal(windows[5], rows[10:13])


@pytest.mark.parametrize(("given", "scale"), [("", 2.0**-11), ("row_scale = 0.5\n", 0.5)])
def test_integers_of_a_front_end_have_its_own_scale(tmp_path: Path, given: str, scale: float) -> None:
    text = GOOD.replace('"micro"', '"log_mel"\narithmetic = "int16"').replace("window = 3\n", f"window = 3\n{given}")
    pipeline = read_pipeline(written(tmp_path, text))
    assert pipeline.row_scale == scale
    samples = np.random.default_rng(0).integers(-9000, 9000, 4000).astype(np.int16)
    whole = rows_of(pipeline.front_end, samples)
    assert whole.dtype == np.int16
    assert np.array_equal(pipeline.rows(samples), whole.astype(np.float32) * np.float32(scale))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('kind = "audio"', 'kind = "sound"', r"input.kind: is 'sound', not one of audio, motion"),
        ("rate = 16000", "", "input.rate: is missing"),
        ("rate = 16000", "rate = 16000\nrat = 3", "input.'rat': is unknown.*did you mean \"rate\""),
        ('kind = "micro"', 'kind = "mikro"', "frontend.kind: is 'mikro', not one of"),
        ('file = "word.tflite"', "", "model.file: is missing"),
        ("stride = 2", "stride = 4", "model.stride: is 4, but an inference takes 3 rows"),
        ("threshold = 0.5", "threshold = -1", "decision.threshold: is -1, not between"),
        ("[decision]", "[decisions]", "field 'decisions': is unknown.*did you mean \"decision\""),
        ("[input]", "[input", "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(McugenError, match=words):
        read_pipeline(written(tmp_path, GOOD.replace(old, new, 1)))


def tensor(dtype: DType, scale: float, zero_point: int) -> Tensor:
    return Tensor(0, "x", (1, 4), dtype, Quantization((float(np.float32(scale)),), (zero_point,)))


@pytest.mark.parametrize(("scale", "row_scale"), [(0.10196078568696976, 0.0390625), (1 / 255, 1 / 255), (0.5, 3e-5)])
def test_integers_are_quantized_as_reals_are(scale: float, row_scale: float) -> None:
    given = tensor(DType.INT8, scale, -128)
    values = np.arange(1 << 16).astype(np.uint16)
    found = make_quantizer("uint16", row_scale, given)(values)
    exact = [Fraction(int(v)) * Fraction(row_scale) / Fraction(given.scale) for v in values[::7]]
    wanted = [min(127, (value + Fraction(1, 2)).__floor__() - 128) for value in exact]
    assert found.dtype == np.int8
    assert found[::7].tolist() == wanted


def test_okay_nabus_rows_are_quantized_as_pymicro_wakeword_does() -> None:
    given = tensor(DType.INT8, 0.10196078568696976, -128)
    values = np.arange(666).astype(np.uint16)
    theirs = np.round(values * 0.0390625 / given.scale + given.zero_point).astype(np.int8)
    assert np.array_equal(make_quantizer("uint16", 0.0390625, given)(values), theirs)


def test_rows_of_the_inputs_own_type_are_taken_as_they_are() -> None:
    given = tensor(DType.INT8, 0.1, 3)
    values = np.arange(-128, 128).astype(np.int8)
    assert np.array_equal(make_quantizer("int8", None, given)(values), values)
    assert not np.array_equal(make_quantizer("int8", 1.0, given)(values), values)


def test_rows_that_cannot_be_taken_are_refused() -> None:
    with pytest.raises(PipelineError, match="gives rows of int32, which the model's input of int8 cannot take"):
        make_quantizer("int32", None, tensor(DType.INT8, 0.1, 0))
    with pytest.raises(PipelineError, match="is too large or too small"):
        make_quantizer("int16", 1e9, tensor(DType.INT8, 0.1, 0))


@pytest.mark.parametrize(("threshold", "above"), [(0.99, True), (0.9975, False), (5, False)])
def test_a_threshold_that_no_score_is_above_is_refused(tmp_path: Path, threshold: float, above: bool) -> None:
    """255 is the largest score, 0.99609 in reals: nobody would ever hear of an event."""
    rows = TensorSpec((1, 120), scale=0.1, zero_point=-128, name="rows")
    weights = TensorSpec((1, 120), scale=0.01, data=np.ones((1, 120), np.int8))
    score = TensorSpec((1, 1), scale=1 / 256, zero_point=-128, name="score")
    model = build_model("FULLY_CONNECTED", options("FullyConnectedOptions"), [rows, weights], [score])
    pipeline = read_pipeline(written(tmp_path, GOOD.replace("threshold = 0.5", f"threshold = {threshold}\nsmooth = 3")))
    graph = read_graph(model)
    if above:
        decision = bind(pipeline, graph).decision
        assert decision is not None
        reference, largest = decision.reference(), np.full((1, 1), 127, np.int8)
        events = [reference.update(np.zeros((1, 120), np.int8), largest) for _ in range(3)]
        assert events[-1] is not None
    else:
        with pytest.raises(PipelineError, match=r"no score of the model is above it: the largest is 0\.996"):
            bind(pipeline, graph)
