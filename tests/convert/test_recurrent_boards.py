"""Recurrent layers on three cores: every op bit for bit the oracle's, as a loop, as one op, and unrolled."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen import api
from mcugen.convert import convert
from mcugen.convert.loops.unrolled import unroll
from mcugen.runtimes.aot.emit.chains import find_chains
from mcugen.runtimes.aot.plan import Plan
from mcugen.tflite.opened import open_model
from tests.convert.recurrent_models import inputs, recurrent

pytestmark = pytest.mark.emulator

BOARDS = ("mps2-an386", "lm3s6965evb", "mps3-an547")


def unrolled() -> bytes:
    return unroll(open_model(recurrent("gru"))).model.data


@pytest.fixture(scope="module")
def quantized() -> dict[str, bytes]:
    floats = {"lstm": recurrent("lstm"), "gru": recurrent("gru"), "unrolled gru": unrolled()}
    return {name: convert(model, inputs(60)).tflite for name, model in floats.items()}


@pytest.mark.parametrize("name", ["lstm", "gru", "unrolled gru"])
@pytest.mark.parametrize("board", BOARDS)
def test_bit_for_bit(board: str, name: str, quantized: dict[str, bytes]) -> None:
    proof = api.verify(quantized[name], board=board, samples=2, layers=True)
    assert proof.verdict.bit_exact
    assert isinstance(proof.plan, Plan)
    assert proof.verdict.layers_checked >= len(proof.plan.steps)
    assert bool(find_chains(proof.plan)) is (name == "unrolled gru")
    assert len(proof.cost.per_op) == len(proof.plan.steps)


def test_the_unrolled_layer_is_no_larger_than_its_rounds_differ(quantized: dict[str, bytes]) -> None:
    """Each of its 200 calls would take some 100 bytes of code and constants of its own."""
    loop, chain = (api.verify(quantized[name], board=BOARDS[0], samples=1) for name in ("gru", "unrolled gru"))
    assert chain.firmware.flash.total < loop.firmware.flash.total + 10_000


def test_float_rounds(quantized: dict[str, bytes]) -> None:
    """A chain in float32, within the oracle's tolerance."""
    proof = api.verify(unrolled(), board=BOARDS[0], samples=4, quantize=False, layers=True)
    assert proof.verdict.passed
    assert isinstance(proof.plan, Plan)
    assert find_chains(proof.plan)
    assert np.isfinite(proof.cost.invoke)
