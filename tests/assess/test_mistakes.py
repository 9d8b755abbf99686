"""The mistakes of a newcomer, and the sentence that each one gets: as an error, or with the result."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.errors import DataError
from mcugen.ui.terminal import make_console
from mcugen.verbs.quantize import _render
from tests.assess.conftest import Digits

Made = Callable[[Digits, Path], Path]


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path / "data.npz", **arrays)
    return path / "data.npz"


def nan(x: Any) -> Any:
    x = np.array(x)
    x[5, 3] = np.nan
    return x


def text(digits: Digits, folder: Path, header: str, rows: int) -> Path:
    lines = [",".join(f"{v:g}" for v in x) + f",{y}" for x, y in zip(digits.x_test[:rows], digits.y_test, strict=False)]
    (folder / "data.csv").write_text("\n".join([*([header] if header else []), *lines]))
    return folder / "data.csv"


REFUSED: dict[str, tuple[Made, str]] = {
    "missing data": (lambda d, f: f / "nowhere.npz", "there is no such file or folder"),
    "wrong shape": (
        lambda d, f: npz(f, x=d.x_test[:, :60], y=d.y_test),
        'has the shape (360, 60). The model takes "x": float32 (N, 64)',
    ),
    "NaN": (
        lambda d, f: npz(f, x=nan(d.x_test), y=d.y_test),
        "holds values that are NaN or infinite (1 of 23040), the first in sample 5",
    ),
    "few labels": (lambda d, f: npz(f, x=d.x_test, y=d.y_test[:100]), "there are 100 labels for 360 samples"),
    "no samples": (lambda d, f: npz(f, x=d.x_test[:0]), "there are no samples"),
    "two candidates": (
        lambda d, f: npz(f, a=d.x_test, b=d.x_test),
        "cannot tell which array holds the samples: it has a, b",
    ),
    "a table with too little": (
        lambda d, f: text(d, f, "", 3) and npz(f, x=d.x_test[:, :3]),
        "has the shape (360, 3)",
    ),
    "labels from 1": (
        lambda d, f: npz(f, x=d.x_test, y=d.y_test + 1),
        "the labels count from 1 to 10, but class indices start at 0",
    ),
    "some class names": (
        lambda d, f: npz(f, x=d.x_test, y=np.where(d.y_test < 5, "small", "large")),
        "the labels name 2 of the model's 10 classes, so that their numbers are unknown",
    ),
}
"""Told with exit code 2. The last two are errors where labels were asked for, by --eval-data."""

TOLD: dict[str, tuple[Made, str]] = {
    "one sample": (lambda d, f: npz(f, x=d.x_test[:1]), "! only 1 calibration sample: ranges may be too narrow"),
    "one-hot": (
        lambda d, f: npz(f, x=d.x_test, y=np.eye(10)[d.y_test]),
        "labels: one-hot labels of 10 classes were converted to class indices",
    ),
    "scaled twice": (
        lambda d, f: npz(f, x=d.x_test / 255, y=d.y_test),
        "! the float model itself is at chance on this data (accuracy 1",
    ),
    "unscaled": (
        lambda d, f: npz(f, x=np.round(d.x_test * 255).astype(np.uint8), y=d.y_test),
        "uint8 values are taken as real numbers, without scaling",
    ),
    "shuffled labels": (
        lambda d, f: npz(f, x=d.x_test, y=np.random.default_rng(4).permutation(d.y_test)),
        "always answering the most frequent class gives 11.9 %): is it scaled as in training? The data lies in 0…1",
    ),
    "other order of classes": (
        lambda d, f: npz(f, x=d.x_test, y=(d.y_test + 3) % 10),
        "with its classes in another order it would be right for 9",
    ),
    "one class": (
        lambda d, f: npz(f, x=d.x_test[d.y_test == 3], y=d.y_test[d.y_test == 3]),
        "all labels are the same class",
    ),
    "no labels": (lambda d, f: npz(f, x=d.x_test), "samples, "),
    "labels in the last column": (
        lambda d, f: text(d, f, "", 40),
        "column 65 of 65, one more than a sample has, was taken for the label",
    ),
}
"""Told with the result; the exit code is 0."""


@pytest.fixture
def model(digits: Digits, tmp_path: Path) -> Path:
    (tmp_path / "digits.tflite").write_bytes(digits.model)
    return tmp_path / "digits.tflite"


@pytest.mark.parametrize(("make", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refused(digits: Digits, model: Path, tmp_path: Path, make: Made, sentence: str) -> None:
    data, out = make(digits, tmp_path), tmp_path / "int8.tflite"
    with pytest.raises(DataError, match=re.escape(sentence)):
        api.quantize(model, data=data, eval_data=data, out=out)
    assert not out.exists()


@pytest.mark.parametrize(("make", "sentence"), TOLD.values(), ids=TOLD)
def test_told(digits: Digits, model: Path, tmp_path: Path, make: Made, sentence: str) -> None:
    out = tmp_path / "int8.tflite"
    made = api.quantize(model, data=make(digits, tmp_path), out=out)
    assert made.exit_code == 0
    stream = io.StringIO()
    _render(make_console(stream), made)
    assert sentence in " ".join(stream.getvalue().split())
    assert out.exists()
