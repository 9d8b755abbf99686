from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board, load_boards
from mcugen.boards.types import Board
from mcugen.builder import build_project, check_fit, fit_report
from mcugen.builder.fit import LEAST_CODE, LEAST_STATIC
from mcugen.errors import DoesNotFitError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.plan.types import Plan
from tests.builder.tiny import emit, needs_arm_gcc, tiny_plan
from tests.models import model_bytes, real


def with_memory(board: Board, *, flash: int | None = None, ram: int | None = None) -> Board:
    return replace(
        board,
        flash=replace(board.flash, size=flash or board.flash.size),
        ram=replace(board.ram, size=ram or board.ram.size),
    )


def test_what_is_known_is_exact(plan: Plan, board: Board) -> None:
    fit = fit_report(plan, board)
    assert fit.arena == plan.arena_bytes
    assert fit.stack == board.stack_bytes
    assert 0 <= fit.weights - sum(plan.constant_sizes()) <= 16 * (len(plan.constant_sizes()) + 1)
    assert fit.fits
    assert not fit.impossible
    assert check_fit(plan, board) == fit


def test_too_little_ram_is_refused_with_the_numbers(board: Board) -> None:
    plan = tiny_plan(inputs=8000)
    with pytest.raises(DoesNotFitError) as caught:
        check_fit(plan, load_board("stm32vldiscovery"))
    text = str(caught.value)
    assert "board stm32vldiscovery" in text
    assert f"{plan.arena_bytes:,} arena, 1,536 stack" in text
    assert "has 8,192" in text
    assert "flash" not in text


def test_too_little_flash_is_refused_with_the_numbers(board: Board) -> None:
    plan = tiny_plan(inputs=4000, units=32)
    with pytest.raises(
        DoesNotFitError, match=r"flash: needs about .* bytes \(128,\d\d\d weights.*has 100,000"
    ) as caught:
        check_fit(plan, with_memory(board, flash=100_000))
    assert "RAM" not in str(caught.value)


def test_between_sure_and_impossible_the_linker_decides(plan: Plan, board: Board) -> None:
    fit = fit_report(plan, board)
    tight = with_memory(board, flash=fit.weights + LEAST_CODE + 16)
    assert not fit_report(plan, tight).fits
    check_fit(plan, tight)
    with pytest.raises(DoesNotFitError, match="flash: needs about"):
        check_fit(plan, with_memory(board, flash=fit.weights + LEAST_CODE - 16))


def test_limits_are_those_of_the_numbers(plan: Plan, board: Board) -> None:
    fit = fit_report(plan, board)
    assert replace(fit, flash_available=fit.flash_needed, ram_available=fit.ram_needed).fits
    assert not replace(fit, flash_available=fit.flash_needed - 1).fits
    assert not replace(fit, ram_available=fit.ram_needed - 1).fits
    assert fit.static > LEAST_STATIC


ZOO = ("mobilenet_v2", "sine", "speech", "wake_word")
REAL = ("kws_ref_model", "micro_speech_quantized", "hello_world_int8")


@needs_arm_gcc
@pytest.mark.parametrize(
    ("model", "name"),
    [
        *itertools.product(ZOO, ["microbit", "lm3s6965evb", "mps3-an547", "stm32vldiscovery"]),
        *(pytest.param(model, name, marks=real(model)) for model in REAL for name in ("microbit", "mps3-an547")),
    ],
)
def test_real_builds_stay_within_the_estimate(model: str, name: str, out: Path) -> None:
    board = load_boards()[name]
    plan = make_plan(read_graph(model_bytes(model)), board.target())
    fit = fit_report(plan, board)
    if fit.impossible:
        with pytest.raises(DoesNotFitError, match=r"needs (about )?[0-9,]+ bytes"):
            check_fit(plan, board)
        return
    emit(plan, board, out)
    firmware = build_project(out)
    assert firmware.flash.weights <= fit.weights
    assert firmware.flash.code + firmware.flash.harness >= LEAST_CODE
    assert firmware.flash.code <= fit.code
    assert firmware.flash.harness <= fit.harness
    assert firmware.ram.static <= fit.static
    assert firmware.ram.total <= fit.ram_needed
    assert firmware.ram.total >= fit.ram_needed - 128
