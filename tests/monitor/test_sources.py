"""What devices are fed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcugen.errors import DataError
from mcugen.monitor.sources import open_source
from mcugen.tflite.types import TensorSpec

SOUND = TensorSpec("sound", (1, 100), "int8", 1 / 128, 0)
IMAGE = TensorSpec("image", (1, 6, 8, 1), "int8", 1 / 255, -128)


@pytest.mark.parametrize("kind", ["noise", "sine", "chirp"])
def test_generators_repeat_themselves_and_fill_the_range(kind: str) -> None:
    first, second = (open_source(kind, [SOUND], [(-0.5, 0.5)]) for _ in range(2))
    samples = [first.at(n).arrays[0] for n in range(40)]
    np.testing.assert_array_equal(samples[7], second.at(7).arrays[0])
    assert not np.array_equal(samples[7], samples[8])
    together = np.stack(samples)
    assert together.shape == (40, 1, 100)
    assert together.dtype == np.int8
    assert (together.min(), together.max()) == (-64, 64)  # the calibration's range, not the type's
    assert first.at(3).outside == 0


def test_seeds_differ() -> None:
    one, two = (open_source("noise", [SOUND], [None], seed=seed).at(0).arrays[0] for seed in (1, 2))
    assert not np.array_equal(one, two)


def test_a_chirp_rises() -> None:
    source = open_source("chirp", [SOUND], [None])

    def crossings(number: int) -> int:
        return int(np.sum(np.diff(np.signbit(source.at(number).arrays[0][0])) != 0))

    assert crossings(2) < crossings(30) < crossings(60)


def test_indices_and_other_integers_stay_in_range() -> None:
    token = TensorSpec("token", (1, 50), "int32")
    source = open_source("noise", [token, token], [None, None], [9, None])
    arrays = source.at(0).arrays
    assert arrays[0].dtype == np.int32
    assert set(np.unique(arrays[0])) <= set(range(10))
    assert arrays[0].max() > 1
    assert set(np.unique(arrays[1])) == {0, 1}


def test_files_go_round_and_floats_are_quantized(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[0.25] * 100, [2.0] * 100], np.float32))
    source = open_source(str(tmp_path / "x.npy"), [SOUND], [(-0.5, 0.5)])
    assert [source.at(n).number for n in range(5)] == [0, 1, 0, 1, 0]
    assert np.unique(source.at(2).arrays[0]).tolist() == [32]
    assert source.at(2).outside == 0
    assert np.unique(source.at(3).arrays[0]).tolist() == [127]
    assert source.at(3).outside == 1


def test_integers_are_taken_as_they_are_and_judged_by_what_they_stand_for(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[10] * 50 + [100] * 50], np.int8))
    sample = open_source(str(tmp_path / "x.npy"), [SOUND], [(-0.5, 0.5)]).at(0)
    assert np.unique(sample.arrays[0]).tolist() == [10, 100]
    assert sample.outside == 0.5


def test_folders_of_arrays_and_of_images(tmp_path: Path) -> None:
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "b.npy", np.full((2, 100), 2, np.int8))
    np.save(tmp_path / "arrays" / "a.npy", np.full(100, 1, np.int8))
    source = open_source(str(tmp_path / "arrays"), [SOUND], [None])
    assert [int(source.at(n).arrays[0][0, 0]) for n in range(4)] == [1, 2, 2, 1]
    (tmp_path / "images").mkdir()
    Image.fromarray(np.full((6, 8), 51, np.uint8)).save(tmp_path / "images" / "one.png")
    small = open_source(str(tmp_path / "images"), [IMAGE], [None])
    assert np.unique(small.at(0).arrays[0]).tolist() == [51 - 128]
    pixels = open_source(str(tmp_path / "images"), [TensorSpec("image", (1, 6, 8, 1), "int8", 1.0, -128)], [None])
    assert np.unique(pixels.at(0).arrays[0]).tolist() == [51 - 128]  # 0…255 this time, to the same end


@pytest.mark.parametrize(
    ("text", "what"),
    [("device", "no loop of its own"), ("nowhere.npy", "no such file"), ("x.npy", "has the shape")],
)
def test_refusals_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, what: str) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "x.npy", np.zeros((3, 99), np.int8))
    with pytest.raises(DataError, match=what) as caught:
        open_source(text, [SOUND], [None])
    assert caught.value.hint


def test_a_folder_with_a_bad_array_names_it(tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", np.zeros((1, 100), np.int8))
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    with pytest.raises(DataError) as caught:
        open_source(str(tmp_path), [SOUND], [None])
    assert "bad.npy" in caught.value.where
