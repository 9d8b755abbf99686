"""What docs/LAYERS.md says of layers is of the cases that there are, and still so."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.forms import run
from tests.guard.conftest import in_this_process

__all__ = ["in_this_process"]

RESULTS: dict[str, dict[str, dict[str, str]]] = json.loads(run.RESULTS.read_text(encoding="utf-8"))
LEAST = {"keras": 30, "pytorch": 16, "onnx": 12}
AGAIN = ["UpSampling2D, nearest", "Embedding", "PReLU", "ELU", "LSTM, return_sequences"]
"""Keras layers that are run once more here: some of each outcome."""


@pytest.mark.parametrize("framework", list(run.FRAMEWORKS))
def test_every_case_has_its_outcomes(framework: str) -> None:
    cases = run.FRAMEWORKS[framework][0]
    assert len(cases) >= LEAST[framework]
    assert list(RESULTS[framework]) == list(cases)
    for name, forms in RESULTS[framework].items():
        assert list(forms) == list(run.FORMS), name


def outcomes() -> list[tuple[str, str, str, str]]:
    return [
        (f, n, form, said) for f, cases in RESULTS.items() for n, forms in cases.items() for form, said in forms.items()
    ]


@pytest.mark.parametrize(("framework", "name", "form", "said"), [o for o in outcomes() if o[3] != run.EXACT])
def test_what_is_refused_is_refused_in_a_sentence(framework: str, name: str, form: str, said: str) -> None:
    assert said != "differs"
    assert len(said) < 400
    raw = r"Traceback|RuntimeError|ValueError|TypeError|Failed to|status 1|\.cc:\d+|this is a bug"
    assert not re.search(raw, said), "a raw error of somebody else's"


@pytest.mark.tensorflow
@pytest.mark.emulator
@pytest.mark.xdist_group("tensorflow")
@pytest.mark.parametrize("name", AGAIN)
def test_it_is_still_so(name: str, in_this_process: Any) -> None:
    pytest.importorskip("keras")
    assert run.run_case("keras", name) == RESULTS["keras"][name]
