"""Where TensorFlow Lite Micro contradicts the framework that a model comes from, LiteRT is asked as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.convert import calibrate
from mcugen.convert.reference import check_conversion, write_reference
from mcugen.errors import ConversionError
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel, open_model, packed
from tests.convert.recurrent_models import inputs, recurrent, states

X = inputs(3)


def looped() -> OpenedModel:
    """A GRU that joins its sequence anew in every round, from pieces of changing size: TFLM plans for fixed ones."""
    model = open_model(recurrent("gru", sequences=True, head=False)).copy()
    body = model.subgraphs[2]
    for op in body.operators:
        if flat.kind_of(model, op) == "SLICE":  # as converters write what has no fixed shape
            body.tensors[flat.ints(op.outputs)[0]].shapeSignature = np.array([-1, -1, -1], np.int32)
    return packed(model)


def computed(factor: float = 1.0) -> np.ndarray[Any, Any]:
    """What the layer computes by its definition, times a factor."""
    return np.stack([factor * states("gru", one).reshape(1, -1) for one in X])


def check(folder: Path, wanted: np.ndarray[Any, Any], model: OpenedModel | None = None) -> str:
    write_reference(folder, [X[:, None]], [wanted])
    return check_conversion(model or looped(), (), folder, "ONNX Runtime")


@pytest.mark.tensorflow
def test_a_loop_that_tflm_runs_wrongly_is_no_mistake_of_the_converter(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    said = check(tmp_path, computed())
    assert said.startswith("ok in LiteRT; in TensorFlow Lite Micro, which runs it wrongly, an output ")


@pytest.mark.tensorflow
def test_both_witnesses_against_the_converter(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    with pytest.raises(ConversionError, match=r"differs by up to [\d.]+, in TensorFlow Lite Micro and in LiteRT alike"):
        check(tmp_path, computed(1.5))


def test_without_a_second_witness_it_is_said_that_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "second_witness", lambda model, inputs: None)
    with pytest.raises(ConversionError, match="in TensorFlow Lite Micro; LiteRT, which could say who of both is wrong"):
        check(tmp_path, computed())


def test_nobody_is_asked_where_both_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unasked(*_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(calibrate, "second_witness", unasked)
    wanted = np.stack([states("gru", one)[-1:].reshape(1, -1) for one in X])
    assert check(tmp_path, wanted, open_model(recurrent("gru", head=False))) == "ok"
