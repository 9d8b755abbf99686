"""Bare-metal boards that no emulator stands for: a real model builds for them, and fits as was said."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board, load_boards
from mcugen.boards.types import Board
from mcugen.builder import build_project, check_fit
from mcugen.builder.identity import build_id
from mcugen.errors import DoesNotFitError, ToolError
from mcugen.formats.emit import emit_project
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.plan.types import Plan
from tests.cli.conftest import int8_model
from tests.models import both, model_bytes

BARE_METAL = ("b-l475e-iot01a", "nrf52840-dk", "nucleo-f446re", "nucleo-l4r5zi", "pico")
"""Of each family and clock one: `tests/builder/test_build.py` builds a small model for every board."""

needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")


def plan_for(data: bytes, board: Board) -> Plan:
    return make_plan(optimize(read_graph(data, "model")), board.target())


def test_every_family_is_among_them() -> None:
    unemulated = {
        board.family
        for board in load_boards().values()
        if board.flash.size and not board.framework and not board.emulator and board.family != "stm32f1"
    }
    assert {load_board(name).family for name in BARE_METAL} == unemulated


@needs_arm
@pytest.mark.parametrize("model", both(["resnet"], ["kws_ref_model"]))
@pytest.mark.parametrize("name", BARE_METAL)
def test_a_whole_model_builds_and_fits(name: str, model: str, tmp_path: Path) -> None:
    board = load_board(name)
    plan = plan_for(model_bytes(model), board)
    fit = check_fit(plan, board)
    assert fit.fits
    emit_project(plan, board, tmp_path / "project", model_files=emit_model(plan))
    firmware = build_project(tmp_path / "project")
    assert len(build_id(firmware.elf)) == 40
    assert firmware.flash.total <= fit.flash_needed <= board.flash.size
    assert firmware.ram.total <= fit.ram_needed <= board.ram.size
    assert (firmware.ram.arena, firmware.ram.stack) == (plan.arena_bytes, board.stack_bytes)
    header = (tmp_path / "project" / "lib" / "mcg_bsp" / "mcg_board.h").read_text()
    assert f"#define MCG_UART_BASE 0x{board.uart.base:08X}u" in header
    assert ("#define MCG_UART_TX_PIN 6u" in header) == (name == "nrf52840-dk")


def test_what_does_not_fit_is_refused_before_it_is_built() -> None:
    board = load_board("nucleo-f446re")
    small = replace(board, ram=replace(board.ram, size=8192))
    with pytest.raises(DoesNotFitError, match="NUCLEO-F446RE"):
        check_fit(plan_for(model_bytes("mobilenet_v2"), small), small)


WRONG = [
    ("nucleo-f446re", {"base": 0x40011400}, "neither USART1 (0x40011000) nor USART2 (0x40004400)"),
    ("nrf52840-dk", {"baud": 9600}, "neither 115200 nor 1000000"),
    ("nucleo-l4r5zi", {"base": 0x40011000}, "USART2 (0x40004400) nor LPUART1 (0x40008000)"),
    ("bluepill-f103c8", {"base": 0x40011000}, "neither USART1 (0x40013800) nor USART2 (0x40004400)"),
    ("pico", {"base": 0x40038000}, "is not UART0 (0x40034000)"),
]


@needs_arm
@pytest.mark.parametrize(("name", "change", "message"), WRONG)
def test_a_uart_that_start_up_does_not_know_is_refused(
    name: str, change: dict[str, int], message: str, tmp_path: Path
) -> None:
    board = load_board(name)
    board = replace(board, uart=replace(board.uart, **change))
    plan = plan_for(int8_model(), board)
    emit_project(plan, board, tmp_path / "project", model_files=emit_model(plan))
    with pytest.raises(ToolError) as error:
        build_project(tmp_path / "project")
    assert message in error.value.what


CLOCKS = [
    ("nucleo-l4r5zi", r"neither 80000000 \(STM32L4\) nor 120000000 \(STM32L4\+\)"),
    ("nucleo-f446re", r"neither 168000000, 100000000 \(STM32F411\) nor 84000000 \(STM32F401\)"),
    ("bluepill-f103c8", r"neither 24000000 \(STM32F100\) nor 64000000 \(STM32F103\)"),
    ("pico", "clock_hz of the board is not 133000000"),
]


@needs_arm
@pytest.mark.parametrize(("name", "message"), CLOCKS)
def test_a_clock_that_start_up_does_not_set_is_refused(name: str, message: str, tmp_path: Path) -> None:
    board = load_board(name)
    board = replace(board, clock_hz=90_000_000, uart=replace(board.uart, clock_hz=90_000_000))
    plan = plan_for(int8_model(), board)
    emit_project(plan, board, tmp_path / "project", model_files=emit_model(plan))
    with pytest.raises(ToolError, match=message):
        build_project(tmp_path / "project")
