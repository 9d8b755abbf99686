"""Outputs are called as their model calls them, not as a converter does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert
from mcugen.convert.foreign import _name
from mcugen.convert.output_names import names_of_signature, with_output_names
from mcugen.errors import ConversionError
from mcugen.outputs import write_arrays
from mcugen.tflite.fields import output_specs
from mcugen.tflite.opened import open_model
from tests.convert.float_models import FloatModel, S, dense
from tests.guard.conftest import in_this_process

__all__ = ["in_this_process"]

RNG = np.random.default_rng(0)


def two_outputs(first: str = "Identity", second: str = "Identity_1") -> FloatModel:
    """x (1, 4) → dense 3 and dense 5."""
    model = FloatModel()
    x = model.input((1, 4))
    for width, name in ((3, first), (5, second)):
        model.tensors[dense(model, x, RNG.normal(size=(width, 4)))].name = name
    return model


def outputs_of(model: FloatModel) -> list[int]:
    return [int(op.outputs[0]) for op in model.ops]


def names(tflite: bytes) -> list[str]:
    return [spec.name for spec in output_specs(open_model(tflite).schema.subgraphs[0])]


def test_names_are_given_in_order() -> None:
    model = two_outputs()
    made = model.build(*outputs_of(model))
    assert names(made) == ["Identity", "Identity_1"]
    assert names(with_output_names(made, [("boxes", (None, 3)), ("scores", (None, 5))])) == ["boxes", "scores"]


@pytest.mark.parametrize(
    "given",
    [
        [("boxes", (None, 3))],
        [("scores", (None, 5)), ("boxes", (None, 3))],
        [("boxes", (None, 3)), ("scores", (None, 5, 1))],
        [],
    ],
)
def test_what_are_not_its_outputs_names_nothing(given: list[tuple[str, tuple[int | None, ...]]]) -> None:
    model = two_outputs()
    made = model.build(*outputs_of(model))
    assert with_output_names(made, given) == made


def test_no_two_tensors_get_one_name() -> None:
    model = two_outputs()
    made = model.build(*outputs_of(model))
    assert names(with_output_names(made, [("x", (1, 3)), ("Identity", (1, 5))])) == ["Identity", "Identity_1"]
    assert names(with_output_names(made, [("a", (1, 3)), ("a", (1, 5))])) == ["a", "Identity_1"]
    alone = FloatModel()
    y = dense(alone, alone.input((1, 4)), RNG.normal(size=(3, 4)))
    twice = with_output_names(alone.build(y, y), [("a", (1, 3)), ("b", (1, 3))])
    assert names(twice) == ["a", "a"]
    through = FloatModel()
    x = through.input((1, 4))
    made = through.build(x, dense(through, x, RNG.normal(size=(3, 4))))
    assert names(with_output_names(made, [("a", (1, 4)), ("b", (1, 3))])) == ["x", "b"]


def signed(model: FloatModel, first: int, second: int, times: int = 1) -> Any:
    """The model with a signature that calls these tensors boxes and scores."""
    made = model.model([first, second])
    entry = lambda name, i: S.TensorMapT(name=name, tensorIndex=i)  # noqa: E731
    signature = S.SignatureDefT(
        inputs=[entry("x", 0)], outputs=[entry("boxes", first), entry("scores", second)], signatureKey="serving_default"
    )
    made.signatureDefs = [signature] * times
    return made


def test_the_signature_tells_outputs_apart_that_the_converter_names_alike() -> None:
    model = two_outputs("PartitionedCall:0", "PartitionedCall:1")
    first, second = outputs_of(model)
    made = signed(model, second, first)
    assert names_of_signature(made) == {0: "x", second: "boxes", first: "scores"}
    _name(made, [("x", "x")], [("scores", "scores"), ("boxes", "boxes")])
    assert [made.subgraphs[0].tensors[i].name for i in made.subgraphs[0].outputs] == ["scores", "boxes"]
    assert list(made.subgraphs[0].outputs) == [first, second]

    twice = signed(model, first, second, times=2)
    assert names_of_signature(twice) == {}
    with pytest.raises(ConversionError, match="has the inputs or outputs scores, boxes, but the original has a, b"):
        _name(twice, [("x", "x")], [("a", "a"), ("b", "b")])


def test_arrays_are_written_alone_whatever_the_version_of_numpy(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npz", x=np.zeros(2), y=np.ones(3))
    with np.load(tmp_path / "a.npz") as stored:
        assert stored.files == ["x", "y"]
    with pytest.raises(ValueError, match="y would be pickled"):
        write_arrays(tmp_path / "b.npz", x=np.zeros(2), y=np.array([{}]))
    assert not (tmp_path / "b.npz").exists()


@pytest.mark.tensorflow
@pytest.mark.xdist_group("tensorflow")
@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        (lambda boxes, scores: [scores, boxes], ["scores", "boxes"]),
        (lambda boxes, scores: {"zeta": boxes, "alpha": scores}, ["alpha", "zeta"]),
        (lambda boxes, scores: scores, ["scores"]),
    ],
)
def test_keras_layers_and_keys(
    structure: Callable[[Any, Any], Any], expected: list[str], tmp_path: Path, in_this_process: None
) -> None:
    keras = pytest.importorskip("keras")
    image = keras.Input((6,), name="image")
    boxes = keras.layers.Dense(4, name="boxes")(image)
    scores = keras.layers.Dense(5, activation="softmax", name="scores")(image)
    model = keras.Model(image, structure(boxes, scores))
    model.save(tmp_path / "model.keras")
    found = convert(tmp_path / "model.keras", "random").report.outputs
    assert [spec.name for spec in found] == expected
    widths = {"scores": 5, "boxes": 4, "alpha": 5, "zeta": 4}
    assert [spec.shape for spec in found] == [(1, widths[name]) for name in expected]


@pytest.mark.tensorflow
@pytest.mark.xdist_group("tensorflow")
def test_keys_of_a_saved_model(tmp_path: Path, in_this_process: None) -> None:
    tf = pytest.importorskip("tensorflow")

    class Both(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, name="x")])
        def __call__(self, x: Any) -> dict[str, Any]:
            return {"sum": tf.reduce_sum(x, axis=1), "double": x * 2.0}

    tf.saved_model.save(Both(), str(tmp_path / "saved"))
    found = convert(tmp_path / "saved", "random").report.outputs
    assert [(spec.name, spec.shape) for spec in found] == [("double", (1, 4)), ("sum", (1,))]
