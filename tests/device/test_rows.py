"""On emulated boards: rows through layers, and inputs that are brought row by row, bit for bit, layer by layer."""

from __future__ import annotations

import pytest

from mcugen import api
from mcugen.errors import DoesNotFitError, McugenError, ModelError, ProjectError
from tests.models import model_path, real

pytestmark = pytest.mark.emulator


@pytest.mark.parametrize(("board", "rows"), [("mps2-an386", "whole"), ("microbit", "pushed")])
def test_every_layer_is_exact(board: str, rows: str) -> None:
    proof = api.verify(model_path("mobilenet_v2"), board=board, optimize="ram", rows=rows, samples=2, layers=True)
    assert proof.verdict is not None
    assert proof.verdict.bit_exact
    assert proof.verdict.layers_checked == 2 * len(proof.ready.plan.steps)
    assert proof.cost is not None
    assert len(proof.cost.per_op) == len(proof.ready.plan.steps)
    # Ops cost what the whole costs, but for what calls them.
    assert 0.9 * proof.cost.invoke < sum(proof.cost.per_op) < 1.1 * proof.cost.invoke
    assert proof.cost.stack > 0


@real("vww_96_int8")
def test_person_detection_runs_in_16_kib_of_ram() -> None:
    proof = api.verify(model_path("vww_96_int8"), board="microbit", rows="pushed", samples=1)
    assert proof.verdict is not None
    assert proof.verdict.bit_exact
    assert proof.firmware.ram.total < 16 * 1024


def test_a_budget_is_kept_or_what_is_missing_is_said() -> None:
    model = model_path("resnet")
    usual = api.verify(model, board="mps2-an386", samples=1).firmware.ram.total
    proof = api.verify(model, board="mps2-an386", samples=1, max_ram=usual - 700)
    assert proof.verdict is not None
    assert proof.verdict.bit_exact
    assert proof.firmware.ram.total <= usual - 700
    with pytest.raises(DoesNotFitError, match=r"bytes of RAM more than `max_ram`: an arena of [\d,]+ bytes, the most"):
        api.verify(model, board="mps2-an386", samples=1, max_ram=4_000)


@pytest.mark.parametrize(
    ("model", "choice", "words"),
    [
        ("autoencoder", {"rows": "pushed"}, "its input cannot go row by row"),
        ("resnet", {"rows": "pushed", "runtime": "tflm"}, "apply to the ahead-of-time runtime only"),
        ("resnet", {"max_ram": 0}, "a positive number of bytes"),
    ],
)
def test_what_cannot_be_is_refused(model: str, choice: dict[str, object], words: str) -> None:
    with pytest.raises((ModelError, ProjectError), match=words) as refused:
        api.verify(model_path(model), board="mps2-an386", samples=1, **choice)  # type: ignore[arg-type]
    assert isinstance(refused.value, McugenError)
