"""Data as people have it: tables, archives, folders of classes, sounds, and objects of other libraries."""

from __future__ import annotations

import importlib
import struct
import sys
import wave
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mcugen.convert.data import load_samples
from mcugen.convert.foreign import _example
from mcugen.convert.types import Samples
from mcugen.errors import DataError
from mcugen.tflite.types import TensorSpec

VECTOR = (TensorSpec("x", (1, 3), "float32"),)
GRAY = (TensorSpec("x", (1, 4, 4, 1), "float32"),)
SOUND = (TensorSpec("x", (1, 80), "float32"),)
TWO = (TensorSpec("serving_default_left:0", (1, 3), "float32"), TensorSpec("right", (1, 2), "float32"))
X = np.arange(12, dtype=np.float32).reshape(4, 3) + 10


def classes(samples: Samples) -> list[int]:
    assert samples.labels is not None
    return [int(label) for label in samples.labels]


def table(folder: Path, text: str) -> Samples:
    (folder / "d.csv").write_text(text)
    return load_samples(folder / "d.csv", VECTOR)


@pytest.mark.parametrize(
    ("text", "expected", "note"),
    [
        ("1.5,2,3,0\n4,5,6,1\n", [0, 1], "column 4 of 4, one more than a sample has, was taken for the label"),
        ("1.5,2,3,up\n4,5,6,down\n", [1, 0], "labels: text, numbered in sorted order: 0 down, 1 up"),
        ("up,1.5,2,3\ndown,4,5,6\n", [1, 0], "column 1 of 4, one more than a sample has"),
        ("a,b,c,target\n1.5,2,3,0\n4,5,6,1\n", [0, 1], "labels: whole numbers from 0 to 1"),
        ("Activity,a,b,c\nwalk,1.5,2,3\nrun,4,5,6\n", [1, 0], "0 run, 1 walk"),
        ("class,a,b,c\n0,1.5,2,3\n1,4,5,6\n", [0, 1], ""),
        ("a,b,c,y\n1.5,2,3,0\n4,5,6,1\n", [0, 1], ""),
        ("x,y,z,label\n1.5,2,3,0\n4,5,6,1\n", [0, 1], ""),
        (",a,b,c,quality\n0,1.5,2,3,1\n1,4,5,6,0\n", [1, 0], 'the column "" counts the rows and was left out'),
        ("a,b,c,quality\n1.5,2,3,1\n4,5,6,0\n", [1, 0], 'the column "quality", one more than a sample has'),
        ("species,a,b,c\ncat,1.5,2,3\nant,4,5,6\n", [1, 0], 'the column "species", one more than a sample has'),
        ("0,1,2,label\n1.5,2,3,1\n4,5,6,0\n", [1, 0], ""),
    ],
)
def test_the_label_column_of_a_table(tmp_path: Path, text: str, expected: list[int], note: str) -> None:
    samples = table(tmp_path, text)
    assert samples.inputs[0].tolist() == [[1.5, 2, 3], [4, 5, 6]]
    assert classes(samples) == expected
    assert note in "; ".join(samples.notes)


@pytest.mark.parametrize("text", ["x,y,z\n1.5,2,3\n4,5,6\n", "index,a,b,c\n0,1.5,2,3\n1,4,5,6\n"])
def test_tables_without_labels(tmp_path: Path, text: str) -> None:
    samples = table(tmp_path, text)
    assert samples.inputs[0].tolist() == [[1.5, 2, 3], [4, 5, 6]]
    assert samples.targets is None


def test_values_to_predict_from_a_table(tmp_path: Path) -> None:
    samples = table(tmp_path, "1.5,2,3,0.25\n4,5,6,-7.5\n")
    assert samples.labels is None
    assert samples.targets is not None
    assert samples.targets.tolist() == [0.25, -7.5]


@pytest.mark.parametrize(
    ("part", "keys"),
    [
        ("calibration", {"x_train": X, "y_train": [0, 1, 2, 3], "x_test": X[:2] + 1, "y_test": [0, 0]}),
        ("calibration", {"train_images": X, "train_labels": [0, 1, 2, 3], "test_images": X[:2], "test_labels": [0, 0]}),
        ("evaluation", {"X_train": X[:2], "Y_train": [0, 0], "X_val": X, "Y_val": [0, 1, 2, 3]}),
        ("calibration", {"images": X, "labels": [0, 1, 2, 3]}),
        ("calibration", {"X": X, "Y": [0, 1, 2, 3]}),
        ("calibration", {"Features": X, "Target": [0, 1, 2, 3]}),
        ("calibration", {"data": X, "target": [0, 1, 2, 3], "target_names": np.array(["a", "b", "c", "d"])}),
    ],
)
def test_names_in_an_archive(tmp_path: Path, part: Any, keys: dict[str, Any]) -> None:
    np.savez(tmp_path / "d.npz", **keys)
    samples = load_samples(tmp_path / "d.npz", VECTOR, part=part)
    assert np.array_equal(samples.inputs[0], X)
    assert classes(samples) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("labels", "expected", "note"),
    [
        (np.eye(4), [0, 1, 2, 3], "one-hot labels of 4 classes"),
        (np.eye(4, dtype=bool), [0, 1, 2, 3], "one-hot labels of 4 classes"),
        ([[0], [1], [1], [3]], [0, 1, 1, 3], "whole numbers from 0 to 3"),
        ([[True], [False], [True], [True]], [1, 0, 1, 1], "True and False, taken as classes 1 and 0"),
        ([0.0, 1.0, 1.0, 2.0], [0, 1, 1, 2], "whole numbers from 0 to 2"),
        (["b", "a", "b", "c"], [1, 0, 1, 2], "text, numbered in sorted order: 0 a, 1 b, 2 c"),
        (np.array([["b"], ["a"], ["b"], ["c"]], dtype=object), [1, 0, 1, 2], "0 a, 1 b, 2 c"),
        ([b"b", b"a", b"b", b"c"], [1, 0, 1, 2], "0 a, 1 b, 2 c"),
        (["1", "0", "1", "2"], [1, 0, 1, 2], "whole numbers from 0 to 2"),
        ([0.5, 1.5, 2.0, -1.0], None, "a real value per sample"),
        (np.full((4, 2), 0.5), None, "2 real values per sample"),
    ],
)
def test_labels_are_understood(labels: Any, expected: list[int] | None, note: str) -> None:
    samples = load_samples({"x": X, "y": labels}, VECTOR)
    assert note in "; ".join(samples.notes)
    assert (None if samples.labels is None else classes(samples)) == expected
    assert len([text for text in samples.notes if text.startswith("labels: ")]) == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", None, "b", "c"], "the label of sample 1 is missing"),
        (["a", " ", "b", "c"], "the label of sample 1 is missing"),
        ([0, np.nan, 1, 1], "the label of sample 1 is missing"),
        ([0, 1, 1], "3 labels for 4 samples"),
        ([["a", "b"]] * 4, "several texts per sample"),
        ([1j, 2, 3, 4], "complex128 values, neither numbers nor text"),
        ([[1], [1, 2], [1], [1]], "differ in their shapes"),
    ],
)
def test_labels_that_are_none(labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_samples({"x": X, "y": labels}, VECTOR)


def test_text_labels_are_mapped_by_the_given_names() -> None:
    data = {"x": X, "y": ["up", "down", "Up ", "stop"]}
    samples = load_samples(data, VECTOR, names=("Up", "Down", "Stop"))
    assert classes(samples) == [0, 1, 0, 2]
    assert samples.names == ("Up", "Down", "Stop")
    assert not samples.sorted_names
    with pytest.raises(DataError, match='the label "stop" is none of the class names 0 up, 1 down'):
        load_samples(data, VECTOR, names=("up", "down"))


def pictures(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 10 + number).save(folder / name)
    return folder


def test_folders_are_classes(tmp_path: Path) -> None:
    pictures(tmp_path, "dog/1.png", "cat/1.png", "cat/2.png", "10/1.png", ".cache/1.png", "__MACOSX/1.png")
    samples = load_samples(tmp_path, GRAY)
    assert classes(samples) == [0, 1, 1, 2]
    assert samples.names == ("10", "cat", "dog")
    assert "labels: the folders are classes, numbered in sorted order: 0 10, 1 cat, 2 dog" in samples.notes
    given = load_samples(tmp_path, GRAY, names=("dog", "cat", "10"))
    assert classes(given) == [2, 1, 1, 0]
    with pytest.raises(DataError, match='the folder "10" is none of the class names 0 dog, 1 cat'):
        load_samples(tmp_path, GRAY, names=("dog", "cat"))


def test_folders_numbered_without_leading_zeros(tmp_path: Path) -> None:
    """Keras and torchvision sort names as text."""
    pictures(tmp_path, *(f"{number}/a.png" for number in (1, 2, 10)))
    samples = load_samples(tmp_path, GRAY)
    assert samples.names == ("1", "10", "2")
    assert [int(value) for value in samples.inputs[0][:, 0, 0, 0] * 255 - 9.5] == [0, 2, 1]
    assert classes(samples) == [0, 1, 2]


def test_folders_that_are_no_classes(tmp_path: Path) -> None:
    samples = load_samples(pictures(tmp_path, "one/1.png", "one/2.png"), GRAY)
    assert samples.labels is None
    assert "the subfolders are not taken for classes: there is one only" in samples.notes
    samples = load_samples(pictures(tmp_path, "two/1.png", "0.png"), GRAY)
    assert samples.labels is None
    assert "the subfolders are not taken for classes: 1 files lie beside them" in samples.notes


def test_folders_of_split_data(tmp_path: Path) -> None:
    pictures(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png", "test/b/2.png")
    assert classes(load_samples(tmp_path, GRAY)) == [0, 1]
    assert classes(load_samples(tmp_path, GRAY, part="evaluation")) == [0, 1, 1]


def test_a_single_image(tmp_path: Path) -> None:
    pictures(tmp_path, "1.png")
    assert load_samples(tmp_path / "1.png", GRAY).count == 1


def sound(path: Path, width: int, values: np.ndarray, *, rate: int = 8000, channels: int = 1) -> Path:
    """A .wav file; `values` from −1 to 1, (samples,) or (samples · channels,)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.round(values * (2 ** (8 * width - 1) - 1)).astype(np.int64) + (128 if width == 1 else 0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(b"".join(int(v).to_bytes(width, "little", signed=width > 1) for v in whole))
    return path


def floats(path: Path, values: np.ndarray) -> None:
    """A .wav file of float32, which Python's wave module neither writes nor reads."""
    content = values.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 1, 8000, 32000, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(content)) + content
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


WAVE = np.sin(np.arange(80) / 5)


@pytest.mark.parametrize(("width", "error"), [(1, 0.02), (2, 1e-4), (3, 1e-6), (4, 1e-6)])
def test_sounds_of_integers(tmp_path: Path, width: int, error: float) -> None:
    samples = load_samples(sound(tmp_path / "a.wav", width, WAVE), SOUND)
    np.testing.assert_allclose(samples.inputs[0], WAVE[None], atol=error)
    assert "sounds of 8000 samples per second, read as values from −1 to 1" in samples.notes


def test_sounds_of_floats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    floats(tmp_path / "a.wav", WAVE)
    samples = load_samples(tmp_path, SOUND)
    np.testing.assert_array_equal(samples.inputs[0], WAVE[None].astype(np.float32))
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(DataError, match=r"samples are not PCM.*install SciPy"):
        load_samples(tmp_path, SOUND)


def test_folders_of_sounds_are_classes(tmp_path: Path) -> None:
    for name in ("yes/1.wav", "no/1.wav", "no/2.wav"):
        sound(tmp_path / name, 2, WAVE)
    samples = load_samples(tmp_path, (TensorSpec("x", (1, 80, 1), "float32"),))
    assert samples.inputs[0].shape == (3, 80, 1)
    assert classes(samples) == [0, 0, 1]
    assert samples.names == ("no", "yes")


def test_sounds_that_do_not_fit(tmp_path: Path) -> None:
    sound(tmp_path / "a.wav", 2, WAVE[:60])
    with pytest.raises(DataError, match=r"has 60 samples \(0.0075 s\), but the model takes 80. Cut or pad"):
        load_samples(tmp_path, SOUND)
    with pytest.raises(DataError, match=r"takes \[8, 10, 1\], which are no samples of sound but features"):
        load_samples(tmp_path, (TensorSpec("x", (1, 8, 10, 1), "float32"),))
    sound(tmp_path / "a.wav", 2, np.repeat(WAVE, 2), channels=2)
    with pytest.raises(DataError, match="has 2 channels, the model takes one"):
        load_samples(tmp_path, SOUND)
    sound(tmp_path / "a.wav", 2, WAVE)
    sound(tmp_path / "b.wav", 2, WAVE, rate=16000)
    with pytest.raises(DataError, match="has 16000 samples per second, others have 8000"):
        load_samples(tmp_path, SOUND)
    for content in (b"RIFF", b"ID3 no sound", (tmp_path / "a.wav").read_bytes()[:30]):
        (tmp_path / "b.wav").write_bytes(content)
        with pytest.raises(DataError, match="is not a readable sound"):
            load_samples(tmp_path, SOUND)
    pictures(tmp_path, "c.png")
    with pytest.raises(DataError, match="holds 2 sounds and 1 images"):
        load_samples(tmp_path, SOUND)


class Frame:
    """A data frame as far as mcugen looks at one."""

    def __init__(self, **columns: Any) -> None:
        self._columns = {name: np.asarray(values) for name, values in columns.items()}

    @property
    def columns(self) -> list[str]:
        return list(self._columns)

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), len(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def to_numpy(self) -> Any:
        return np.stack(list(self._columns.values()), axis=1)


class Tensor:
    """A PyTorch tensor that needs gradients, and lies on another device."""

    def __init__(self, values: Any, here: bool = False) -> None:
        self._values, self._here = np.asarray(values), here

    def detach(self) -> Tensor:
        return Tensor(self._values)

    def cpu(self) -> Tensor:
        return Tensor(self._values, here=True)

    def numpy(self) -> Any:
        assert self._here
        return self._values

    def __array__(self, *_args: Any, **_options: Any) -> Any:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")


class Loader:
    """Batches of [x, y], as of a PyTorch DataLoader."""

    def __iter__(self) -> Iterator[list[Tensor]]:
        for start in (0, 2):
            yield [Tensor(X[start : start + 2]), Tensor([start, start + 1])]


class Listed:
    """A data set that is asked for items by number, as of PyTorch; it does not say that it ends."""

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> Any:
        return self._items[number % len(self._items)]


FRAME = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(Frame(**FRAME, label=[0, 1, 2, 3]), id="frame"),
        pytest.param(Frame(id=[7, 8, 9, 10], **FRAME, species=["a", "b", "c", "d"]), id="frame with text"),
        pytest.param((Frame(**FRAME), np.arange(4)), id="frame and labels"),
        pytest.param((Frame(**FRAME), Frame(target=[0, 1, 2, 3])), id="two frames"),
        pytest.param((X, np.arange(4)), id="arrays"),
        pytest.param(Loader(), id="loader"),
        pytest.param(Listed(*((Tensor(row), n) for n, row in enumerate(X))), id="data set"),
        pytest.param([{"image": row, "label": n} for n, row in enumerate(X)], id="rows"),
        pytest.param(
            [{"audio": {"array": row, "sampling_rate": 1}, "label": n} for n, row in enumerate(X)], id="sounds"
        ),
        pytest.param({"train": Listed(*zip(X, range(4), strict=True)), "test": Listed((X[0], 0))}, id="split sets"),
    ],
)
def test_objects_of_other_libraries(source: Any) -> None:
    samples = load_samples(source, VECTOR)
    np.testing.assert_array_equal(samples.inputs[0], X)
    assert classes(samples) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "source",
    [
        {"right": X[:, :2], "left": X, "y": [0, 1, 2, 3]},
        [({"right": row[:2], "left": row}, n) for n, row in enumerate(X)],
        [((row, row[:2]), n) for n, row in enumerate(X)],
        [{"label": n, "right": row[:2], "left": row} for n, row in enumerate(X)],
    ],
)
def test_inputs_are_found_by_name_in_any_order(source: Any) -> None:
    samples = load_samples(source, TWO)
    assert [a.shape for a in samples.inputs] == [(4, 3), (4, 2)]
    np.testing.assert_array_equal(samples.inputs[0], X)
    assert classes(samples) == [0, 1, 2, 3]


class Batches(Loader):
    batch_size = 2


@pytest.mark.parametrize(
    "data", [X, {"x": X}, {"X_train": X}, (X, np.arange(4)), (Tensor(X), Tensor([0] * 4)), Batches()]
)
def test_the_first_sample_tells_the_shape_of_a_module(data: Any) -> None:
    """A PyTorch module does not say what it takes."""
    example = _example(data)
    assert example is not None
    np.testing.assert_array_equal(example, X[:1])


@pytest.mark.parametrize("data", [None, "random", Frame(**FRAME), [X[0]], ("a", "b"), iter([X])])
def test_other_data_does_not(data: Any) -> None:
    assert _example(data) is None


def test_frames_that_do_not_fit() -> None:
    with pytest.raises(DataError, match=r'the column "b" holds <U3 values, not numbers'):
        load_samples(Frame(a=[1, 2], b=["red", "tan"], c=[1, 2], label=[0, 1]), VECTOR)
    with pytest.raises(DataError, match=r"has 5 values, but one sample \(3,\) takes 3"):
        load_samples(Frame(**{name: [1, 2] for name in "abcde"}), VECTOR)


@pytest.mark.parametrize("name", ["pandas", "polars", "datasets"])
def test_real_libraries(name: str) -> None:
    if find_spec(name) is None:
        pytest.skip(f"without {name}, which mcugen does not need: stand-ins above behave alike")
    library = importlib.import_module(name)
    if name == "datasets":
        source = library.Dataset.from_dict({"x": X.tolist(), "label": [0, 1, 2, 3]})
    else:
        source = library.DataFrame({**FRAME, "label": [0, 1, 2, 3]})
    samples = load_samples(source, VECTOR)
    np.testing.assert_array_equal(samples.inputs[0], X)
    assert classes(samples) == [0, 1, 2, 3]


@pytest.mark.tensorflow
def test_tensorflow_data_sets() -> None:
    tf = pytest.importorskip("tensorflow")
    plain = tf.data.Dataset.from_tensor_slices((X, np.arange(4)))
    for source in (plain, plain.batch(3), plain.batch(2).map(lambda x, y: {"x": x, "label": y})):
        samples = load_samples(source, VECTOR)
        np.testing.assert_array_equal(samples.inputs[0], X)
        assert classes(samples) == [0, 1, 2, 3]


def test_pytorch_loaders() -> None:
    if find_spec("torch") is None:
        pytest.skip("without the extra mcugen[torch]: stand-ins above behave alike")
    import torch

    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.arange(4))
    for source in (data, torch.utils.data.DataLoader(data, batch_size=3)):
        samples = load_samples(source, VECTOR)
        np.testing.assert_array_equal(samples.inputs[0], X)
        assert classes(samples) == [0, 1, 2, 3]
