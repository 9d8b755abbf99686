"""What is wrong with data is said before TensorFlow is started for the model."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mcugen import api
from mcugen.convert import keras_inputs
from mcugen.convert.early import check_early, stated_inputs
from mcugen.convert.sources import identify
from mcugen.errors import DataError, McugenError
from tests.cli.conftest import Cli, cli  # noqa: F401 (a fixture)


def input_layer(name: str, *shape: int | None, dtype: Any = "float32") -> dict[str, Any]:
    return {"class_name": "InputLayer", "config": {"name": name, "batch_shape": [None, *shape], "dtype": dtype}}


def keras_file(path: Path, *layers: dict[str, Any], kind: str = "Functional", order: Any = None) -> Path:
    """A `.keras` file as far as it is looked at without TensorFlow."""
    first = [[layer["config"]["name"], 0, 0] for layer in layers]
    config = {
        "class_name": kind,
        "config": {
            "name": "m",
            "layers": list(layers),
            "input_layers": order or (first if len(first) > 1 else first[0]),
        },
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"")
    return path


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of three values that nobody may load."""

    def no_worker(*_: Any, **__: Any) -> Any:
        raise AssertionError("TensorFlow was started")

    monkeypatch.setattr("mcugen.convert.load.run_worker", no_worker)
    return keras_file(tmp_path / "model.keras", input_layer("x", 3))


def write(folder: Path, name: str) -> Path:
    """One mistake by name."""
    path = folder / name
    x = np.arange(60, dtype=np.float32).reshape(20, 3)
    if name == "empty.npz":
        path.write_bytes(b"")
    elif name == "damaged.npz":
        path.write_bytes(b"PK\x03\x04")
    elif name == "shape.npy":
        np.save(path, np.zeros((5, 4)))
    elif name == "wide.csv":
        path.write_text("1,2,3,4,5\n")
    elif name == "nan.npy":
        x[3, 1] = np.nan
        np.save(path, x)
    elif name == "labels.npz":
        np.savez(path, x=x, y=np.arange(19))
    elif name == "pictures":
        path.mkdir()
        Image.new("L", (3, 3)).save(path / "1.png")
    elif name == "nothing":
        path.mkdir()
    elif name == "data.xlsx":
        path.write_bytes(b"PK")
    return path


MISTAKES = {
    "missing.npz": "there is no such file or folder",
    "empty.npz": "the file is empty",
    "damaged.npz": "truncated, corrupted",
    "data.xlsx": r'"\.xlsx" is not a data format',
    "shape.npy": r'has the shape \(5, 4\). The model takes "x": float32 \(N, 3\)',
    "wide.csv": r"has 5 values, but one sample \(3,\) takes 3",
    "nan.npy": r"NaN or infinite \(1 of 60\), the first in sample 3",
    "labels.npz": "19 labels for 20 samples",
    "pictures": r"holds images, but the model's input \[1, 3\] is not an image",
    "nothing": "holds no images",
}


@pytest.mark.parametrize(("name", "message"), MISTAKES.items(), ids=MISTAKES)
def test_mistakes_are_named_before_the_model_is_loaded(model: Path, tmp_path: Path, name: str, message: str) -> None:
    loaded = "tensorflow" in sys.modules
    data = write(tmp_path, name)
    for verb in (
        lambda: api.quantize(model, data=data),
        lambda: api.quantize(model, data="random", eval_data=data),
        lambda: api.deploy(model, board="mps2-an386", data=data, out=tmp_path / "p"),
        lambda: api.run(model, board="mps2-an386", data="random", inputs=data),
    ):
        with pytest.raises(DataError, match=message):
            verb()
    assert ("tensorflow" in sys.modules) == loaded
    assert not (tmp_path / "p").exists()


def test_missing_data_is_named_before_the_model_is_loaded(model: Path, tmp_path: Path) -> None:
    message = r"int8 needs calibration data.*\.csv file or a folder of images that holds \"x\": float32 \(N, 3\)"
    for verb in (
        lambda: api.quantize(model),
        lambda: api.deploy(model, board="mps2-an386", out=tmp_path / "p"),
        lambda: api.verify(model, board="mps2-an386"),
    ):
        with pytest.raises(DataError, match=message):
            verb()
    with pytest.raises(AssertionError, match="TensorFlow was started"):
        api.inspect(model)


def test_good_data_goes_on_to_the_model(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((5, 3)))
    with pytest.raises(AssertionError, match="TensorFlow was started"):
        api.quantize(model, data=tmp_path / "x.npy")


def test_the_command_ends_with_2(model: Path, tmp_path: Path, cli: Cli) -> None:  # noqa: F811
    ran = cli("quantize", model, "--data", tmp_path / "missing.npz", "-o", tmp_path / "out.tflite")
    assert ran.code == 2
    assert "there is no such file or folder" in ran.err
    assert not (tmp_path / "out.tflite").exists()


def test_arrays_and_mappings_are_looked_at(model: Path) -> None:
    for data in (np.zeros((5, 4)), {"x": np.zeros((5, 4))}):
        with pytest.raises(DataError, match=r"shape \(5, 4\)"):
            check_early(model, data)
    check_early(model, iter([np.zeros(4)]))  # gone through once, later


@pytest.mark.parametrize(
    ("layers", "kind", "order", "expected"),
    [
        ([input_layer("x", 8, 8, 1)], "Functional", None, [("x", (1, 8, 8, 1))]),
        ([input_layer("x", 8)], "Sequential", None, [("x", (1, 8))]),
        ([input_layer("a", 2), input_layer("b-1", 3)], "Functional", None, [("a", (1, 2)), ("b_1", (1, 3))]),
        (
            [input_layer("a", 2), input_layer("b", 3)],
            "Functional",
            [["b", 0, 0], ["a", 0, 0]],
            [("b", (1, 3)), ("a", (1, 2))],
        ),
        ([input_layer("a", 2)], "Functional", {"a": ["a", 0, 0]}, [("a", (1, 2))]),
        ([input_layer("x", None, 3)], "Functional", None, None),
        ([input_layer("x", 8, dtype={"class_name": "DTypePolicy"})], "Functional", None, None),
        ([input_layer("x", 8)], "Functional", [["other", 0, 0]], None),
    ],
)
def test_inputs_that_a_file_states(
    tmp_path: Path, layers: list[dict[str, Any]], kind: str, order: Any, expected: list[Any] | None
) -> None:
    found = stated_inputs(identify(keras_file(tmp_path / "m.keras", *layers, kind=kind, order=order)))
    assert (None if found is None else [(spec.name, spec.shape) for spec in found]) == expected


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"config": 3}', b"[" * 100_000])
def test_files_that_state_nothing(tmp_path: Path, text: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", text)
        archive.writestr("model.weights.h5", b"")
    assert stated_inputs(identify(tmp_path / "m.keras")) is None


def test_a_configuration_too_large_states_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = keras_file(tmp_path / "m.keras", input_layer("x", 3))
    assert stated_inputs(identify(path)) is not None
    monkeypatch.setattr(keras_inputs, "_MOST_CONFIG_BYTES", 10)
    assert stated_inputs(identify(path)) is None


def test_what_is_no_model_is_refused_by_whoever_loads_it(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((5, 3)))
    check_early(tmp_path / "nowhere.keras", tmp_path / "x.npy")
    with pytest.raises(McugenError, match="there is no such file"):
        api.quantize(tmp_path / "nowhere.keras", data=tmp_path / "x.npy")


@pytest.mark.tensorflow
def test_real_keras_files_and_objects(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    model = keras.Model([b, a], keras.layers.Dense(2)(keras.layers.Concatenate()([a, b])))
    model.save(tmp_path / "m.keras")
    for source in (model, tmp_path / "m.keras"):
        assert [(s.name, s.shape, s.dtype) for s in stated_inputs(identify(source)) or ()] == [
            ("b", (1, 3), "float32"),
            ("a", (1, 2), "float32"),
        ]
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    plain.save(tmp_path / "s.keras")
    assert [s.shape for s in stated_inputs(identify(tmp_path / "s.keras")) or ()] == [(1, 4)]
