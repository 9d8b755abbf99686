"""The mistakes of a newcomer, each with the sentence that it gets: one that helps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.assess.conftest import Digits, digits  # noqa: F401
from tests.cli.conftest import Cli
from tests.convert.float_models import FloatModel, S, dense


@dataclass(frozen=True)
class Mistake:
    """What is done wrong: the data that is passed (None: none at all), or the command; and what is said of it."""

    data: dict[str, Any] | None
    said: tuple[str, ...]
    code: int = 2
    command: tuple[str, ...] = ("quantize", "MODEL", "--data", "DATA", "-o", "out.tflite")


def saturating(known: Digits) -> bytes:
    """The network with ReLU6, to which the size of its input matters: without a limit, it hardly does."""
    (w1, b1), (w2, b2) = known.layers
    factor = 6 / np.maximum(known.x_train @ w1.T + b1, 0).max()
    model = FloatModel()
    hidden = dense(model, model.input((1, 64)), w1 * factor, b1 * factor, 3)
    logits = dense(model, hidden, w2 / factor, b2)
    return model.build(model.op("SOFTMAX", [logits], (1, 10), options=S.SoftmaxOptionsT(beta=1.0)))


def mistakes(known: Digits) -> dict[str, Mistake]:
    x, y = known.x_train, known.y_train
    holes = x.copy()
    holes[7, 3] = np.nan
    return {
        "wrong shape": Mistake({"x": x[:, :60]}, ("has the shape", '"x": float32 (N, 64)')),
        "unscaled": Mistake(
            {"x": 255 * x, "y": y},
            ("which lies in 0…255", "divided by 255 give an accuracy of 100.0 %: is it scaled as in training?"),
            code=0,
        ),
        "one-hot": Mistake({"x": x, "y": np.eye(10)[y]}, ("labels: one-hot",), code=0),
        "missing data": Mistake(
            None,
            ("int8 needs calibration data", "--data", "100 to 200 samples"),
            command=("quantize", "MODEL", "-o", "o"),
        ),
        "no such file": Mistake(
            None,
            ("samples.npz: there is no such file or folder",),
            command=("quantize", "MODEL", "--data", "samples.npz", "-o", "o"),
        ),
        "wrong board": Mistake(
            None,
            ("unknown board 'arduino-nano-34'", "Did you mean Arduino: nano33ble?"),
            command=("deploy", "MODEL", "--board", "arduino-nano-34"),
        ),
        "few labels": Mistake({"x": x[:50], "y": y[:48]}, ("48 labels", "50 samples")),
        "NaN": Mistake({"x": holes}, ("NaN", "sample 7")),
        "one sample": Mistake({"x": x[:1]}, ("only 1 calibration sample", "use 100 or more"), code=0),
    }


NAMES = (
    "wrong shape", "unscaled", "one-hot", "missing data", "no such file", "wrong board", "few labels", "NaN",
    "one sample",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_gets_a_sentence_that_helps(name: str, digits: Digits, cli: Cli, tmp_path: Path) -> None:  # noqa: F811
    mistake = mistakes(digits)[name]
    (tmp_path / "digits.tflite").write_bytes(saturating(digits))
    if mistake.data is not None:
        np.savez(tmp_path / "data.npz", **mistake.data)
    words = {"MODEL": "digits.tflite", "DATA": "data.npz"}
    ran = cli(*(words.get(word, word) for word in mistake.command), cwd=tmp_path)
    said = " ".join((ran.out + ran.err).split())
    assert ran.code == mistake.code, said
    assert "Traceback" not in said
    for sentence in mistake.said:
        assert sentence in said, said
    assert (tmp_path / "out.tflite").exists() == (mistake.code == 0)


def test_the_table_is_whole(digits: Digits) -> None:  # noqa: F811
    assert tuple(mistakes(digits)) == NAMES
