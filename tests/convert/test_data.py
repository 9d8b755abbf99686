"""Calibration data from files, arrays and iterables, and what is said about it."""

from __future__ import annotations

import itertools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mcugen.convert.data import choose, load_samples
from mcugen.convert.data_checks import check_samples
from mcugen.convert.data_specs import short_name
from mcugen.convert.types import OwnScaling, Samples
from mcugen.errors import DataError
from mcugen.tflite.types import TensorSpec

IMAGE = (TensorSpec("serving_default_x:0", (1, 4, 6, 1), "float32"),)
RGB = (TensorSpec("x", (1, 4, 6, 3), "float32"),)
VECTOR = (TensorSpec("x", (1, 5), "float32"),)
TWO = (TensorSpec("left", (1, 5), "float32"), TensorSpec("right", (1, 2), "float32"))
IDS = (TensorSpec("x", (1, 5), "int32"),)
RNG = np.random.default_rng(0)


def values(count: int = 7, shape: tuple[int, ...] = (4, 6, 1)) -> Any:
    return RNG.uniform(size=(count, *shape)).astype(np.float32)


def test_npy(tmp_path: Path) -> None:
    x = values()
    np.save(tmp_path / "x.npy", x)
    samples = load_samples(tmp_path / "x.npy", IMAGE)
    assert np.array_equal(samples.inputs[0], x)
    assert samples.trusted
    assert samples.origin == str(tmp_path / "x.npy")


@pytest.mark.parametrize("key", ["x", "X", "data", "images", "anything"])
def test_npz_keys_and_labels(tmp_path: Path, key: str) -> None:
    x = values()
    np.savez(tmp_path / "d.npz", **{key: x, "y": np.arange(7)})
    samples = load_samples(str(tmp_path / "d.npz"), IMAGE)
    assert np.array_equal(samples.inputs[0], x)
    assert samples.labels is not None
    assert samples.labels.tolist() == list(range(7))


def test_npz_with_one_array_per_input(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", right=values(3, (2,)), left=values(3, (5,)))
    samples = load_samples(tmp_path / "d.npz", TWO)
    assert [a.shape for a in samples.inputs] == [(3, 5), (3, 2)]


def test_one_hot_and_unusable_labels() -> None:
    hot = load_samples({"x": values(3), "y": np.eye(3)}, IMAGE)
    assert hot.labels is not None
    assert hot.labels.tolist() == [0, 1, 2]
    real = load_samples({"x": values(3), "y": [0.5, 1.5, 2.0]}, IMAGE)
    assert real.labels is None
    assert any("not class indices" in n for n in real.notes)


@pytest.mark.parametrize(
    ("shape", "note"),
    [
        ((7, 4, 6), "reshaped"),
        ((7, 24), "rows of 24"),
        ((7, 1, 4, 6, 1), ""),
        ((4, 6, 1), ""),
        ((4, 6), "samples of shape (4, 6) were reshaped"),
    ],
)
def test_shapes_with_one_meaning(shape: tuple[int, ...], note: str) -> None:
    samples = load_samples(RNG.uniform(size=shape), IMAGE)
    assert samples.inputs[0].shape == (1 if shape[0] == 4 else 7, 4, 6, 1)
    assert note in " ".join(samples.notes)


def test_integers_are_not_scaled() -> None:
    samples = load_samples(np.full((2, 5), 255, np.uint8), VECTOR)
    assert samples.inputs[0].max() == 255.0
    assert "uint8 values are taken as real numbers, without scaling" in samples.notes


def test_csv_with_header_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("a,b,label,c,d,e\n1,2,9,3,4,5\n\n6,7,8,8,9,10\n")
    samples = load_samples(path, VECTOR)
    assert samples.inputs[0].tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    assert samples.labels is not None
    assert samples.labels.tolist() == [9, 8]


def test_csv_with_semicolons_and_no_header(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("\ufeff1;2;3;4;5\n", encoding="utf-8")
    assert load_samples(path, VECTOR).inputs[0].tolist() == [[1, 2, 3, 4, 5]]


def test_images_are_scaled_and_resized(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.new("RGB", (6, 4), (255, 0, 51)).save(tmp_path / "a" / "1.png")
    Image.new("L", (12, 8), 255).save(tmp_path / "a" / "2.png")
    samples = load_samples(tmp_path, RGB)
    assert samples.inputs[0].shape == (2, 4, 6, 3)
    assert samples.inputs[0][0, 0, 0].tolist() == pytest.approx([1.0, 0.0, 0.2])
    assert "images of 12×8 were resized to 6×4 (bilinear)" in samples.notes
    assert any("divided by 255" in n for n in samples.notes)
    raw = load_samples(tmp_path, IMAGE, scale_images=False)
    assert raw.inputs[0].shape == (2, 4, 6, 1)
    assert raw.inputs[0].max() == 255


@pytest.mark.parametrize(
    "source",
    [
        [np.ones(5), np.zeros(5)],
        ([np.ones((1, 5), np.float32)] for _ in range(2)),  # as representative datasets yield
        iter([(np.ones(5), 3), (np.zeros(5), 4)]),
        [{"x": np.ones((2, 5))}],
        [[1.0, 2.0, 3.0, 4.0, 5.0], [1, 2, 3, 4, 5]],
    ],
)
def test_iterables(source: Any) -> None:
    assert load_samples(source, VECTOR).inputs[0].shape == (2, 5)


def test_labels_from_pairs() -> None:
    samples = load_samples(((np.full(5, i), i) for i in range(4)), VECTOR)
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 1, 2, 3]


def test_endless_iterables_end() -> None:
    samples = load_samples((np.zeros(5) for _ in itertools.count()), VECTOR)
    assert samples.count == 10_000
    assert "only the first 10000 samples were read" in samples.notes


def test_integer_inputs() -> None:
    assert load_samples(np.array([[1.0, 2, 3, 4, 5]]), IDS).inputs[0].dtype == np.int32
    with pytest.raises(DataError, match="int32 cannot hold"):
        load_samples(np.full((1, 5), 0.5), IDS)


def test_random_is_seeded_and_untrusted() -> None:
    a, b = load_samples("random", RGB), load_samples("random", RGB)
    assert np.array_equal(a.inputs[0], b.inputs[0])
    assert not a.trusted
    assert a.inputs[0].min() >= 0
    assert load_samples("random", VECTOR).inputs[0].min() < 0
    assert load_samples("random", RGB, scale_images=False).inputs[0].max() > 200


def test_choice_is_seeded_and_spans_the_set() -> None:
    samples = Samples((np.arange(1000.0)[:, None],), np.arange(1000))
    chosen = choose(samples, 50)
    assert chosen.count == 50
    assert chosen.labels is not None
    assert np.array_equal(chosen.inputs[0][:, 0], chosen.labels)
    assert np.array_equal(chosen.labels, choose(samples, 50).labels)  # type: ignore[arg-type]
    assert chosen.labels.min() < 100
    assert chosen.labels.max() > 900
    assert choose(samples, 2000) is samples


@pytest.mark.parametrize(
    ("source", "inputs", "message"),
    [
        (np.zeros((3, 7)), VECTOR, r"shape \(3, 7\).*float32 \(N, 5\)"),
        (np.zeros((3, 1, 4, 6)), IMAGE, r"float32"),
        (np.zeros((3, 3, 4, 6)), RGB, r"channels first: transpose"),
        (np.array([["a"] * 5]), VECTOR, "not numbers"),
        (np.array([[1, 2, 3, np.nan, 5]]), VECTOR, r"NaN or infinite \(1 of 5\), the first in sample 0"),
        (np.full((1, 5), 1e300), VECTOR, "beyond the range of float32"),
        (np.zeros((0, 5)), VECTOR, "no samples"),
        ([], VECTOR, "no samples"),
        (5, VECTOR, "data of type int"),
        (np.zeros((2, 5)), TWO, "2 inputs"),
        ({"left": np.zeros((2, 5)), "right": np.zeros((3, 2))}, TWO, "different numbers of samples: 2, 3"),
        ({"left": np.zeros((2, 5))}, TWO, "Name one array after each input"),
        ({"a": np.zeros((2, 5)), "b": np.zeros((2, 5))}, VECTOR, "cannot tell which array"),
        ({"x": np.zeros((2, 5)), "y": [1, 2, 3]}, VECTOR, "3 labels for 2 samples"),
        ([np.zeros(5), (np.zeros(5), 1, 2)], VECTOR, "3 parts"),
        ([np.zeros(5)], TWO, "is one array"),
        ("nowhere.npz", VECTOR, "no such file"),
    ],
)
def test_refusals(source: Any, inputs: tuple[TensorSpec, ...], message: str) -> None:
    if message == r"float32":  # one channel: the transposed data has the same elements in the same order
        assert load_samples(source, inputs).count == 3
        return
    with pytest.raises(DataError, match=message):
        load_samples(source, inputs)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.npy", b"\x93NUMPY garbage", "truncated, corrupted"),
        ("d.npz", b"PK\x03\x04 garbage", "truncated, corrupted"),
        ("d.npz", b"", "empty"),
        ("d.parquet", b"PAR1", r'"\.parquet" is not a data format'),
        ("d.csv", b"a,b\n", "no rows"),
        ("d.csv", b"1,2,3,4,5\n1,2,x,4,5\n", r'line 2: column 3 holds "x"'),
        ("d.csv", b"1,2,3\n", r"has 3 values, but one sample \(5,\) takes 5"),
        ("d.csv", b"1,2,3,4,5,6,7\n", r"has 7 values, but one sample \(5,\) takes 5"),
        ("d.csv", b"a,b,c,d,e\n1,2,,4,5\n", r'line 2: column 3 "c" is empty'),
        ("d.csv", b"a,b,c,d,e\n1,2,x,4,5\n", r'line 2: column 3 "c" holds "x"'),
        ("d.csv", b"1;2;3;4;5\n1;2;3,5;4;5\n", r'holds "3,5", which is not a number'),
        ("d.csv", b"1,2,3,4,5\n1,2,3\n", "line 2: has 3 values, but the rows before it have 5"),
        ("d.csv", b"label,a,b,c,d,e,class\n1,2,3,4,5,6,7\n", "several columns that may be the label: label, class"),
        ("d.csv", b"label,a,b,c,d\n1,2,3,4,5\n", r"has 4 values besides the label \(label\), but one sample"),
        ("d.csv", b"0,2,3,4,5,6\n1,2,3,4,5,6\n2,2,3,4,5,6\n", "does not show whether its first column"),
        ("d.csv", b"\xff\xfe\x00", "not a readable CSV"),
        ("d.csv", b"1,2,3,4,inf\n", "NaN or infinite"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_samples(tmp_path / name, VECTOR)


def test_text_is_not_taken_for_python_objects(tmp_path: Path) -> None:
    for name in ("d.npy", "d.npz"):
        (tmp_path / name).write_text("1,2,3,4,5\n")
        with pytest.raises(DataError, match="not a NumPy file"):
            load_samples(tmp_path / name, VECTOR)


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}], dtype=object)
    np.save(tmp_path / "d.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "d.npz", x=objects)
    for name in ("d.npy", "d.npz"):
        with pytest.raises(DataError, match="Python objects, which are not loaded"):
            load_samples(tmp_path / name, VECTOR)


def test_header_that_claims_more_than_the_file_holds(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.zeros((2, 5), np.float32))
    whole = (tmp_path / "d.npy").read_bytes().replace(b"(2, 5)", b"(9999999999, 5)".ljust(6))
    (tmp_path / "d.npy").write_bytes(whole)
    with pytest.raises(DataError, match="truncated"):
        load_samples(tmp_path / "d.npy", VECTOR)


def test_archive_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcugen.convert.data_files._MAX_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "d.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", b"\0" * 100_000)
    with pytest.raises(DataError, match="unpacks to"):
        load_samples(tmp_path / "d.npz", VECTOR)


def test_image_refusals(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images"):
        load_samples(tmp_path, RGB)
    Image.new("L", (5, 5)).save(tmp_path / "square.png")
    with pytest.raises(DataError, match="5×5, but the model takes 6×4: resizing would distort"):
        load_samples(tmp_path, RGB)
    (tmp_path / "square.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="not a readable image"):
        load_samples(tmp_path, RGB)
    with pytest.raises(DataError, match="is not an image"):
        load_samples(tmp_path, VECTOR)


def test_pixels_that_no_layer_scales() -> None:
    pixels = RNG.uniform(0, 255, (30, 4, 6, 1)).astype(np.float32)
    pixels[0, 0, 0, 0], pixels[0, 0, 1, 0] = 0, 255
    samples = load_samples(pixels, IMAGE)
    unscaled, scaled = OwnScaling(1.0, ""), OwnScaling(1 / 255, "rescaling")
    (found,) = check_samples(samples, IMAGE, scaling=unscaled)
    assert found == (
        'input "x": values lie in [0, 255], and no layer of the model scales them: right only if it was trained on '
        "such values"
    )
    assert check_samples(samples, IMAGE, scaling=scaled, expects_pixels=True) == []
    assert check_samples(samples, IMAGE) == []  # nobody knows
    assert check_samples(load_samples(pixels / 255, IMAGE), IMAGE, scaling=unscaled) == []


def warned(x: Any, labels: Any = None, *, pixels: bool = False, trusted: bool = True) -> str:
    x = np.asarray(x, np.float32).reshape(len(x), -1)
    spec = (TensorSpec("x", (1, x.shape[1]), "float32"),)
    return " | ".join(check_samples(Samples((x,), labels, "t", trusted), spec, expects_pixels=pixels))


def test_warnings() -> None:
    good = RNG.uniform(size=(100, 5))
    assert warned(good) == ""
    assert "constant: every value is 3" in warned(np.full((100, 5), 3.0))
    assert "all samples are the same" in warned(np.tile(np.arange(5.0), (100, 1)))
    assert "80 of 100 samples repeat" in warned(np.tile(good[:20], (5, 1)))
    assert "divided by 255 twice" in warned(good / 255)
    assert "far from the usual" in warned(good * 1e5)
    assert "saturated: 50% of the values equal the largest one (0.5)" in warned(
        np.minimum(np.linspace(0, 1, 500).reshape(100, 5), 0.5)
    )
    assert "only 5 calibration samples" in warned(good[:5])
    assert "sorted by label" in warned(good, np.sort(RNG.integers(0, 3, 100)))
    assert "sorted" not in warned(good, RNG.integers(0, 3, 100))
    assert "the model itself scales its input: give 0…255" in warned(good, pixels=True)
    assert warned(good * 255, pixels=True) == ""
    # Black and white drawings are not saturated.
    assert warned(RNG.integers(0, 2, (100, 40))) == ""


@pytest.mark.parametrize(
    ("count", "wild", "said"),
    [
        (100, {7: 80.0}, "sample 7 reaches 80, all others at most 1: the range of int8 is made"),
        (300, {7: 80.0, 8: -90.0}, "samples 7, 8 reach 80, all others at most 1"),
        (100, {7: 80.0, 8: -90.0}, ""),  # two of a hundred belong to it
        (100, {7: 7.0}, ""),
        (10, {7: 80.0}, ""),  # too few to know
        (100, {}, ""),
    ],
)
def test_a_sample_that_makes_the_range_alone(count: int, wild: dict[int, float], said: str) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (count, 8)).astype(np.float32)
    x[0, 0] = 1
    for number, value in wild.items():
        x[number, 3] = value
    spec = (TensorSpec("x", (1, 8), "float32"),)
    found = " | ".join(check_samples(Samples((x,), None, "t", True), spec))
    assert ("reach" in found) == bool(said)
    assert said in found
    assert "reach" not in " ".join(check_samples(Samples((x,), None, "t", True), spec, measured=[0]))


def test_short_names() -> None:
    assert short_name("serving_default_dense_input:0") == "dense_input"
