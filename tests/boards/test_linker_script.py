"""Boards that stand for any chip: the user's linker script, from CubeMX or CMSIS, and a firmware that runs with it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mcugen import api
from mcugen.boards.linker_script import with_linker_script
from mcugen.boards.shipped import load_board, load_boards
from mcugen.builder.identity import build_id
from mcugen.errors import BoardError
from mcugen.formats.emit import emit_project
from mcugen.project.bsp import link_flags
from mcugen.project.project import load_project
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.cli.conftest import Cli, cli, int8_model

__all__ = ["cli"]

GENERIC = load_board("cortex-m4f")

ST = """\
/* As CubeMX writes them. RAM (xrw) : ORIGIN = 0x10, LENGTH = 1K is but a comment. */
ENTRY(Reset_Handler)
_estack = ORIGIN(RAM) + LENGTH(RAM); /* end of RAM */
_Min_Heap_Size = 0x200;
_Min_Stack_Size = 0x400;
MEMORY
{
  RAM    (xrw)   : ORIGIN = 0x20000000,   LENGTH = 256K
  FLASH    (rx)  : ORIGIN = 0x00000000,   LENGTH = 1024K
}
SECTIONS
{
  .isr_vector : { . = ALIGN(4); KEEP(*(.isr_vector)) . = ALIGN(4); } >FLASH
  .text : { . = ALIGN(4); *(.text) *(.text*) . = ALIGN(4); _etext = .; } >FLASH
  .rodata : { . = ALIGN(4); *(.rodata) *(.rodata*) . = ALIGN(4); } >FLASH
  .ARM : { __exidx_start = .; *(.ARM.exidx*) __exidx_end = .; } >FLASH
  _sidata = LOADADDR(.data);
  .data : { . = ALIGN(4); _sdata = .; *(.data) *(.data*) . = ALIGN(4); _edata = .; } >RAM AT> FLASH
  . = ALIGN(4);
  .bss : { _sbss = .; *(.bss) *(.bss*) *(COMMON) . = ALIGN(4); _ebss = .; } >RAM
  ._user_heap_stack : { . = ALIGN(8); PROVIDE(end = .); . = . + _Min_Heap_Size; . = . + _Min_Stack_Size; } >RAM
  /DISCARD/ : { libc.a ( * ) libm.a ( * ) libgcc.a ( * ) }
}
"""
CMSIS = """\
MEMORY { rom (rx) : org = 0x08000000, len = 64k  ram (rwx) : o = 0x20000000, l = 0x5000 }
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > rom
  .data : { . = ALIGN(4); __data_start__ = .; *(.data*) . = ALIGN(4); __data_end__ = .; } > ram AT > rom
  __etext = LOADADDR(.data);
  .bss : { . = ALIGN(4); __bss_start__ = .; *(.bss*) . = ALIGN(4); __bss_end__ = .; } > ram
  __StackTop = ORIGIN(ram) + LENGTH(ram);
}
"""


def script(tmp_path: Path, text: str = ST) -> Path:
    path = tmp_path / "chip.ld"
    path.write_text(text)
    return path


def test_memories_come_from_the_script(tmp_path: Path) -> None:
    board = with_linker_script(GENERIC, script(tmp_path))
    assert (board.flash.origin, board.flash.size) == (0, 1 << 20)
    assert (board.ram.origin, board.ram.size) == (0x20000000, 256 << 10)
    other = with_linker_script(load_board("cortex-m3"), script(tmp_path, CMSIS))
    assert (other.flash.size, other.ram.size) == (64 << 10, 0x5000)
    assert "mcg_data_image = __etext;" in other.linker_script


def test_the_script_itself_stays(tmp_path: Path) -> None:
    adapted = with_linker_script(GENERIC, script(tmp_path)).linker_script
    ours = re.search(r"\n  /\* Added by mcugen: the vector.*?\n  } > FLASH\n", adapted, re.DOTALL)
    assert ours
    rest = adapted.replace(ours[0], "")
    assert rest.startswith(ST.rstrip())
    assert adapted.index(".mcg_vectors") < adapted.index(".isr_vector")


BAD = [
    ("MEMORY\n{", "MEMORIES\n{", r"has no MEMORY"),
    ("SECTIONS\n{", "SECTION\n{", r"has no SECTIONS"),
    ("LENGTH = 256K", "LENGTH = _size", r"its region RAM is not a plain number"),
    ("LENGTH = 256K", "LENGTH = 100", r"its region RAM has an impossible address"),
    ("RAM    (xrw)", "SRAM1 (xrw) : ORIGIN = 0x10000000, LENGTH = 64K\n  SRAM2 (xrw)", r"regions .* is the RAM"),
    ("_sidata = LOADADDR(.data);", "", r"does not define _sidata, which scripts with ST's names do"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD)
def test_what_a_script_lacks_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert ST.count(old) == 1
    with pytest.raises(BoardError, match=message):
        with_linker_script(GENERIC, script(tmp_path, ST.replace(old, new)))


def test_files_that_are_no_scripts(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="cannot be read: No such file"):
        with_linker_script(GENERIC, tmp_path / "none.ld")
    (tmp_path / "x.ld").write_bytes(b"\xff\xfe")
    with pytest.raises(BoardError, match="not UTF-8"):
        with_linker_script(GENERIC, tmp_path / "x.ld")
    with pytest.raises(BoardError, match="larger than"):
        with_linker_script(GENERIC, script(tmp_path, " " * 300_000))


def test_a_script_where_one_is_needed_and_only_there(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(int8_model())
    without = cli("generate", tmp_path / "m.tflite", "--board", "cortex-m4f", "-o", tmp_path / "p")
    assert without.code == 2
    assert "--linker-script FILE.ld" in without.err
    with pytest.raises(BoardError, match="microbit has a linker script already"):
        with_linker_script(load_board("microbit"), script(tmp_path))
    verify = cli("verify", tmp_path / "m.tflite", "--board", "cortex-m4f")
    assert verify.code == 2
    assert "needs a project with your linker script" in verify.err
    assert not (tmp_path / "p").exists()


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
@pytest.mark.parametrize("name", [name for name, board in load_boards().items() if board.own_linker_script])
def test_every_core_builds(name: str, tmp_path: Path) -> None:
    """Compiled and linked directly: PlatformIO adds nothing that differs from other boards."""
    board = with_linker_script(load_board(name), script(tmp_path))
    plan = make_plan(optimize(read_graph(int8_model(), "small")), board.target())
    project = emit_project(plan, board, tmp_path / "project", model_files=emit_model(plan))
    folder = project.folder
    assert load_project(folder).board == board
    flags = [*board.cpu_flags(), "-Os", "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra", "-Werror"]
    includes = [f"-I{library}" for library in sorted((folder / "lib").iterdir())]
    sources = sorted(folder.rglob("*.c"))
    command = ["arm-none-eabi-gcc", *flags, *includes, *sources, *link_flags(board), "-o", tmp_path / "x.elf"]
    subprocess.run(command, check=True, cwd=folder)
    assert len(build_id(tmp_path / "x.elf")) == 40


OWN_BOARD = """\
title = "A board of somebody's own"
family = "mps"
mcu = "AN386"
clock_hz = 25_000_000
stack_bytes = 4096
real_hardware = false
own_linker_script = true

[cpu]
core = "cortex-m4"
fpu = "fpv4-sp-d16"
features = ["dsp"]

[uart]
driver = "cmsdk"
base = 0x40004000
baud = 115_200

[emulator]
machine = "mps2-an386"
icount_shift = 7
"""


@pytest.mark.emulator
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")
def test_a_firmware_runs_with_the_users_script(tmp_path: Path) -> None:
    """CubeMX's kind of script in a board's file of one's own, from the model to the verdict."""
    (tmp_path / "mine.toml").write_text(OWN_BOARD)
    (tmp_path / "m.tflite").write_bytes(int8_model())
    proof = api.deploy(
        tmp_path / "m.tflite",
        board=str(tmp_path / "mine.toml"),
        linker_script=script(tmp_path),
        out=tmp_path / "project",
        samples=4,
    )
    assert proof.verdict.bit_exact
    assert 0 < proof.cost.stack < proof.board.stack_bytes
    assert proof.board.ram.size == 256 << 10
    assert proof.firmware.ram.arena == proof.plan.arena_bytes
    assert api.verify(tmp_path / "project", samples=1).verdict.bit_exact
