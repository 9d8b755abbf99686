"""The true boxes of a folder of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcugen.convert import load_samples
from mcugen.errors import DataError
from mcugen.tflite.types import TensorSpec

INPUT = TensorSpec("image", (1, 8, 8, 1), "float32", 0.0, 0)
HEAD = "file,class,ymin,xmin,ymax,xmax\n"


def folder(path: Path, text: str) -> Path:
    (path / "day").mkdir()
    for name in ("b.png", "a.png", "day/c.png"):
        Image.fromarray(np.full((8, 8), len(name), np.uint8)).save(path / name)
    (path / "boxes.csv").write_text(text)
    return path


def test_boxes_of_images(tmp_path: Path) -> None:
    lines = "b.png,3,0.1,0.2,0.5,0.9\nday/c.png,1,0,0,1,1\nb.png,0,-0.1,0,0.2,1.1\n"
    samples = load_samples(folder(tmp_path, HEAD + lines), [INPUT])
    assert samples.labels is None
    assert samples.targets is not None
    nothing = [-1.0] * 5
    wanted = [
        [nothing, nothing],
        [[3, 0.1, 0.2, 0.5, 0.9], [0, -0.1, 0, 0.2, 1.1]],
        [[1, 0, 0, 1, 1], nothing],
    ]
    np.testing.assert_array_equal(samples.targets, wanted)
    assert "labels: up to 2 boxes per sample" in samples.notes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not begin with the line file,class"),
        ("name,class\n", "does not begin with the line file,class"),
        (HEAD + "a.png,1,0,0,1\n", "line 2.*has 5 columns|has 5 columns"),
        (HEAD + "z.png,1,0,0,1,1\n", 'there is no file "z.png"'),
        (HEAD + "a.png,cat,0,0,1,1\n", '"cat" is not a class number'),
        (HEAD + "a.png,1,0,0,x,1\n", "a corner is not a number"),
        (HEAD + "a.png,1,0,0,nan,1\n", "a corner is not a number"),
        (HEAD + "a.png,1,0.5,0,0.4,1\n", "the box ends before it begins"),
        (HEAD + "a.png,1,0,0,300,300\n", "no parts of an image"),
        (HEAD + 'a.png,1,0,0,"1,1\n', "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        load_samples(folder(tmp_path, text), [INPUT])
