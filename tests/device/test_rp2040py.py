"""The Raspberry Pi Pico: its second stage of the boot, its UF2 file, and whole models in rp2040py."""

from __future__ import annotations

import importlib.util
import shutil
import struct
import sys
from pathlib import Path

import pytest

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.builder import build_project
from mcugen.emulators.python_packages import find_package
from mcugen.emulators.rp2040py import PACKAGE
from mcugen.errors import DeviceError, ToolError
from mcugen.flash.picotool import uf2_file
from mcugen.flash.types import Job
from mcugen.flash.uf2_image import FAMILIES, uf2_image
from mcugen.formats.emit import emit_project
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests import zoo
from tests.cli.conftest import int8_model

FLASH, VECTORS = 0x1000_0000, 0x1000_0100

needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not installed")
needs_emulator = pytest.mark.skipif(
    importlib.util.find_spec("rp2040py") is None,
    reason="rp2040py is not installed" if sys.version_info >= (3, 11) else "rp2040py's core needs Python 3.11",
)


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    board = load_board("pico")
    folder = tmp_path_factory.mktemp("pico") / "project"
    plan = make_plan(optimize(read_graph(int8_model(), "small")), board.target())
    emit_project(plan, board, folder, model_files=emit_model(plan))
    return build_project(folder).elf


def flash_of(uf2: bytes) -> bytes:
    """What a boot loader writes to the start of flash."""
    content = bytearray()
    for number, block in enumerate(uf2[at : at + 512] for at in range(0, len(uf2), 512)):
        first, second, flags, address, size, index, count, family = struct.unpack_from("<8I", block)
        assert (first, second, struct.unpack("<I", block[-4:])[0]) == (0x0A324655, 0x9E5D5157, 0x0AB16F30)
        assert (flags, family, size, index, count) == (0x2000, 0xE48BFF56, 256, number, len(uf2) // 512)
        assert address == FLASH + len(content), "this firmware leaves no page out"
        content += block[32 : 32 + size]
    return bytes(content)


def crc32(data: bytes) -> int:
    """As RP2040 data sheet, 2.8.1.3.1: polynomial 0x04C11DB7, from all ones, not reflected, not inverted."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C1_1DB7 if crc >> 31 else 0)) & 0xFFFF_FFFF
    return crc


@needs_arm
def test_the_boot_rom_will_accept_the_second_stage(elf: Path) -> None:
    flash = flash_of(uf2_image(elf, "RPI-RP2"))
    assert crc32(flash[:252]) == struct.unpack_from("<I", flash, 252)[0], "write the sum into mcg_boot2.c"
    assert crc32(b"123456789") == 0x0376E6E7, "the check value of CRC-32/MPEG-2"
    stack, reset = struct.unpack_from("<2I", flash, VECTORS - FLASH)
    board = load_board("pico")
    assert stack == board.ram.origin + board.stack_bytes
    assert reset % 2 == 1
    assert VECTORS < reset < FLASH + len(flash)


@needs_arm
def test_files_that_are_no_firmware(elf: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="no UF2 family for boards that call themselves SAMD51"):
        uf2_image(elf, "SAMD51")
    assert set(FAMILIES) == {board.flashing.uf2 for board in map(load_board, ("pico", "pico2"))}
    (tmp_path / "firmware.elf").write_bytes(b"\x7fELF")
    with pytest.raises(DeviceError, match="cannot be read"):
        uf2_image(tmp_path / "firmware.elf", "RPI-RP2")


@needs_arm
def test_what_flashes_it_gets_the_file(elf: Path) -> None:
    (elf.parent / "firmware.uf2").write_bytes(b"of an older build")
    path = uf2_file(Job(load_board("pico"), elf.parent, elf.parent, None, None))
    assert Path(path).read_bytes() == uf2_image(elf, "RPI-RP2")


@needs_arm
@needs_emulator
@pytest.mark.emulator
def test_a_model_in_the_emulator(tmp_path: Path) -> None:
    proof = api.deploy(zoo.path("sine"), board="pico", emulator="rp2040py", samples=4, out=tmp_path / "project")
    assert proof.verdict is not None
    assert proof.verdict.bit_exact
    assert proof.verdict.samples == 4
    assert proof.cost is not None
    assert proof.cost.unit == "ticks", "waits for flash are not in them: nothing claims to be cycles"


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ToolError, match="rp2040py was not found, so nothing ran"):
        find_package(PACKAGE)
