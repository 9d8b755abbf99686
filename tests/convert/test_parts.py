"""Outputs of parts that differ in size: seen, said, and taken apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.assess import assess, load_evaluation, run_float, run_on_host
from mcugen.assess.evaluate import encode, with_device
from mcugen.convert import convert
from mcugen.convert.choices import Choices
from mcugen.convert.compare import LITTLE_SQNR_DB, POOR_SQNR_DB
from mcugen.convert.parts import columns
from mcugen.convert.types import Converted
from mcugen.errors import ConversionError, ModelError
from mcugen.oracle.oracle import Oracle
from mcugen.tflite import fields as flat
from mcugen.tflite.joined import METADATA, joined_specs
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import load_schema, pack_model
from tests.convert.float_models import FloatModel, dense

S = load_schema()
RNG = np.random.default_rng(3)
DATA = RNG.uniform(-1, 1, (60, 6)).astype(np.float32)
BOXES, SCORES = RNG.normal(size=(4, 6)), RNG.normal(size=(2, 6))


def detector(size: float = 300.0) -> bytes:
    """Boxes of four numbers in pixels and two scores, side by side."""
    m = FloatModel()
    x = m.input((1, 6))
    scores = m.op("LOGISTIC", [dense(m, x, SCORES)], (1, 2))
    join = S.ConcatenationOptionsT(axis=-1)
    return m.build(m.op("CONCATENATION", [dense(m, x, BOXES * size), scores], (1, 6), options=join, name="detections"))


def one_layer() -> bytes:
    """The same out of one layer, which nothing joins."""
    m = FloatModel()
    return m.build(dense(m, m.input((1, 6)), np.concatenate([BOXES * 300, SCORES / 4])))


@pytest.fixture(scope="module")
def joined() -> Converted:
    return convert(detector(), DATA)


@pytest.fixture(scope="module")
def apart() -> Converted:
    return convert(detector(), DATA, choices=Choices(split_outputs=True))


def parts_db(made: Converted) -> dict[str, float]:
    (figures,) = made.report.agreement
    known = {part.output.removeprefix("detections"): part.sqnr_db for part in figures.parts}
    return {name: db for name, db in known.items() if db is not None}


def test_a_part_that_is_lost_is_seen_and_said(joined: Converted) -> None:
    (figures,) = joined.report.agreement
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 25  # as if all was well
    found = parts_db(joined)
    assert found["[..., 0:4]"] > 25
    assert found["[..., 4:6]"] < 10
    (warning,) = joined.report.warnings
    assert warning.startswith('layer "detections" joins parts of different size')
    assert "little of detections[..., 4:6]: pass `split_outputs=True`" in warning


def test_a_part_that_lost_much_is_said_as_well() -> None:
    made = convert(detector(10.0), DATA)
    assert POOR_SQNR_DB < parts_db(made)["[..., 4:6]"] < LITTLE_SQNR_DB
    (warning,) = made.report.warnings
    assert "little of detections[..., 4:6]: pass `split_outputs=True`" in warning


def test_an_output_per_part_is_as_exact_as_each(apart: Converted) -> None:
    assert [spec.shape for spec in apart.report.outputs] == [(1, 4), (1, 2)]
    assert min(parts_db(apart).values()) > 25
    assert not apart.report.warnings
    assert "CONCATENATION" not in [flat.kind_of(apart.model.schema, op) for op in apart.model.main.operators]
    assert [(spec.name, spec.shape) for spec in joined_specs(apart.model.schema)] == [("detections", (1, 6))]


def test_parts_of_one_size_stay_together() -> None:
    made = convert(detector(1.0), DATA, choices=Choices(split_outputs=True))
    assert len(made.report.outputs) == 1
    assert made.report.agreement[0].parts == ()
    assert any("none was taken apart" in warning for warning in made.report.warnings)


def test_columns_of_a_layer_are_seen_as_well() -> None:
    made = convert(one_layer(), DATA)
    assert [part.output.partition("[")[2] for part in made.report.agreement[0].parts] == ["..., 0:4]", "..., 4:6]"]
    assert any("let the model return it apart" in warning for warning in made.report.warnings)
    assert columns(np.ones((3, 1, 4))) is None


def test_host_and_device_are_judged_by_the_output_as_it_was(apart: Converted) -> None:
    targets = run_float(detector(), load_evaluation(detector(), DATA))[0].reshape(60, 6)
    evaluation = load_evaluation(detector(), {"x": DATA, "y": targets})
    runs = run_on_host(apart.model, apart.float_model, evaluation, kind="regression")
    assert runs.results[0].shape == (60, 1, 6)
    numbers = np.arange(8)
    with Oracle(apart.tflite) as oracle:
        outputs = [oracle.run(sample) for sample in encode(evaluation, apart.model, numbers)]
    found = with_device(assess(runs), runs, numbers, outputs)
    assert found.runs[-1].equal_to_host == 8


@pytest.mark.parametrize("quantize", [True, False])
def test_there_must_be_something_to_quantize(joined: Converted, quantize: bool) -> None:
    source = joined.tflite if quantize else detector()
    with pytest.raises(ConversionError, match="outputs are taken apart when a model is quantized"):
        convert(source, quantize=quantize, choices=Choices(split_outputs=True))


def test_the_search_takes_outputs_apart(tmp_path: Path) -> None:
    (tmp_path / "d.tflite").write_bytes(detector())
    found = api.quantize(tmp_path / "d.tflite", data=DATA, auto=True, trials=6, out=tmp_path / "out.tflite")
    assert found.model.report is not None
    assert found.model.report.choices is not None
    assert found.model.report.choices.split_outputs


@pytest.mark.parametrize(
    "entry",
    [
        "no json",
        '{"outputs": []}',
        '{"outputs": [{"name": "a", "axis": 0, "count": 2}]}',
        '{"outputs": [{"name": "a", "axis": 7, "count": 2}]}',
        '{"outputs": [{"name": "a", "axis": 1, "count": 3}, {"name": "b", "axis": 0, "count": -1}]}',
    ],
    ids=range(5),
)
def test_damaged_parts_are_refused(apart: Converted, entry: str) -> None:
    model = apart.model.copy()
    (known,) = [m for m in model.metadata or () if m.name in (METADATA, METADATA.encode())]
    model.buffers[known.buffer].data = np.frombuffer(entry.encode(), np.uint8)
    with pytest.raises(ModelError, match="does not fit the outputs"):
        open_model(pack_model(model))


def test_the_report_tells_all_parts_in_json(joined: Converted) -> None:
    figures: dict[str, Any] = json.loads(json.dumps(joined.report.to_dict()))["agreement"][0]
    assert [part["output"] for part in figures["parts"]] == ["detections[..., 0:4]", "detections[..., 4:6]"]
