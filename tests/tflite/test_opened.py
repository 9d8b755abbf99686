"""An opened model is unpacked once, and nobody who holds it can be surprised by another."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcugen.api
from mcugen.convert import convert
from mcugen.errors import ModelError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.tflite import opened
from mcugen.tflite.opened import OpenedModel, open_model, packed
from mcugen.tflite.schema import load_schema, pack_model, unpack_model
from tests.convert.float_models import FloatModel, S, dense, small_dense

SAMPLES = np.random.default_rng(3).normal(size=(20, 4)).astype(np.float32)


def test_what_is_open_is_not_opened_again() -> None:
    model = open_model(small_dense())
    assert open_model(model) is model
    assert model.sha256 == hashlib.sha256(small_dense()).hexdigest()
    with pytest.raises(ModelError, match="TFL3"):
        open_model(b"no model at all")


def test_a_copy_packs_to_the_same_bytes() -> None:
    model = open_model(small_dense())
    assert pack_model(model.copy()) == model.data
    assert packed(model.copy()).data == model.data


def test_a_copy_can_be_changed_without_changing_the_model() -> None:
    model = open_model(small_dense())
    copied = model.copy()
    main = copied.subgraphs[0]
    main.tensors[0].name = "other"
    main.tensors.clear()
    main.operators[0].builtinOptions.fusedActivationFunction = 0
    main.outputs = np.array([0], np.int32)
    copied.operatorCodes[0].version = 99
    copied.buffers[1].data = None
    assert pack_model(model.schema) == model.data
    assert pack_model(copied) != model.data


def test_a_copy_shares_constants_which_nobody_can_write_to() -> None:
    model = open_model(small_dense())
    copied = model.copy()
    for before, after in zip(model.schema.buffers, copied.buffers, strict=True):
        assert before is not after
        assert before.data is after.data
    constant = next(buffer.data for buffer in copied.buffers if buffer.data is not None)
    with pytest.raises(ValueError, match="read-only"):
        constant[0] = 1


def roundabout() -> bytes:
    """A float model of which every step of the preparation changes something: float16 weights, a SQUARE, constants."""
    model = FloatModel()
    x = model.input((1, 4))
    squared = model.op("SQUARE", [x], (1, 4))
    weights = model.op("DEQUANTIZE", [model.constant(np.ones((3, 4)), np.float16)], (3, 4))
    scaled = model.op("MUL", [weights, model.constant(np.full((3, 4), 0.5))], (3, 4), options=S.MulOptionsT())
    y = model.op("FULLY_CONNECTED", [squared, scaled, -1], (1, 3), options=S.FullyConnectedOptionsT())
    return model.build(dense(model, y, np.eye(2, 3)))


class Unpackings:
    """Counts how often each file is unpacked, and everything that is unpacked in whichever way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files: Counter[str] = Counter()
        self.all = 0
        model_class = load_schema().ModelT
        unpacked = model_class.InitFromObj

        def count(data: bytes) -> Any:
            self.files[hashlib.sha256(data).hexdigest()] += 1
            return unpack_model(data)

        def count_all(found: Any) -> Any:
            self.all += 1
            return unpacked(found)

        monkeypatch.setattr(opened, "unpack_model", count)
        monkeypatch.setattr(model_class, "InitFromObj", count_all)


@pytest.mark.parametrize(
    ("source", "files", "options"),
    [
        (small_dense(), 2, {"data": SAMPLES}),  # the source, and the int8 form
        (roundabout(), 4, {"data": SAMPLES}),  # and what is widened, and that without constants and SQUARE
        (small_dense(), 1, {"quantize": False}),
        (small_dense(), 3, {"data": SAMPLES, "runtime": "tflm"}),  # and what goes into the firmware
        (small_dense(), 2, {"quantize": False, "runtime": "tflm"}),
        (convert(small_dense(), SAMPLES).tflite, 1, {}),
        (convert(small_dense(), SAMPLES).tflite, 2, {"runtime": "tflm"}),
    ],
)
def test_one_generate_unpacks_every_file_once(
    source: bytes, files: int, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = Unpackings(monkeypatch)
    mcugen.api.generate(source, board="mps2-an386", out=tmp_path / "out", **options)
    assert hashlib.sha256(source).hexdigest() in found.files
    assert sorted(found.files.values()) == [1] * files
    assert found.all == files, "something is unpacked beside the opened models"


def test_trying_many_quantizations_opens_the_float_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcugen.convert import Choices, open_float

    found = Unpackings(monkeypatch)
    floats = open_float(small_dense(), SAMPLES)
    made = {
        floats.quantized(choices, compare=False).model.sha256
        for choices in (Choices(), Choices(method="mse"), Choices(per_channel_dense=True), Choices(samples=5))
    }
    assert found.files[hashlib.sha256(small_dense()).hexdigest()] == 1
    assert set(found.files) == {hashlib.sha256(small_dense()).hexdigest(), *made}


def test_an_opened_model_is_a_source() -> None:
    model = open_model(small_dense())
    converted = convert(model, quantize=False)
    assert isinstance(converted.float_model, OpenedModel)
    assert converted.model is model
    assert read_graph(converted.model).sha256 == model.sha256
