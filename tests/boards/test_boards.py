"""Board files: the ones that ship are right, and bad ones are refused with file and field."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mcugen.boards.read import families
from mcugen.boards.shipped import board_names, load_board, load_boards
from mcugen.boards.types import Board
from mcugen.cores.architectures import ARM, RISCV
from mcugen.errors import BoardError
from mcugen.project.bsp import bsp_files, compile_flags, default_max_payload, harness_files, link_flags
from mcugen.resources import resource_dir

GOOD = """\
title = "A board"
family = "mps"
mcu = "X1"
clock_hz = 25_000_000
stack_bytes = 1024
real_hardware = false

[cpu]
core = "cortex-m4"
fpu = "fpv4-sp-d16"
features = ["dsp"]

[memory.flash]
origin = 0
size = 65_536

[memory.ram]
origin = 0x20000000
size = 16_384

[uart]
driver = "cmsdk"
base = 0x40004000
baud = 115_200

[emulator]
machine = "mps2-an386"
icount_shift = 7
"""


def read(tmp_path: Path, text: str, name: str = "mine.toml") -> Board:
    path = tmp_path / name
    path.write_text(text)
    return load_board(str(path))


def test_the_shipped_boards() -> None:
    boards = load_boards()
    files = sorted(path.stem for path in resource_dir("boards").glob("*.toml"))
    assert sorted(boards) == files
    assert {"microbit", "mps2-an386", "qemu-virt-rv32", "cortex-m4f"} <= set(files)
    assert tuple(boards) == board_names()
    sizes = {name: (board.flash.size >> 10, board.ram.size >> 10) for name, board in boards.items()}
    assert sizes["microbit"] == (256, 16)
    assert sizes["stm32vldiscovery"] == (128, 8)
    assert sizes["netduinoplus2"] == (1024, 128)
    assert sizes["lm3s6965evb"] == (256, 64)
    cores = {board.cpu for board in boards.values() if board.emulator}
    assert cores == {"rv32imc", *(f"cortex-m{n}" for n in (0, 3, 4, 7, 33, 55))}


def test_flags_and_targets_follow_the_core() -> None:
    assert load_board("microbit").cpu_flags() == ["-mcpu=cortex-m0", "-mthumb", "-mfloat-abi=soft"]
    m55 = load_board("mps3-an547")
    assert m55.cpu_flags() == ["-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-mfpu=auto"]
    assert (m55.target().cpu, m55.target().kernels) == ("cortex-m55", ("mve", "dsp"))
    m3 = load_board("mps2-an385").target()
    assert (m3.cpu, m3.kernels) == ("cortex-m3", ("mla",))
    riscv = load_board("qemu-virt-rv32")
    assert riscv.cpu_flags() == ["-march=rv32imc", "-mabi=ilp32"]
    assert riscv.target().kernels == ()


def test_tools_and_start_up_follow_the_architecture() -> None:
    arm, riscv = load_board("mps2-an386"), load_board("qemu-virt-rv32")
    assert arm.architecture is ARM
    assert riscv.architecture is RISCV
    assert (arm.architecture.compiler, arm.architecture.addr2line) == ("arm-none-eabi-gcc", "arm-none-eabi-addr2line")
    assert (riscv.architecture.compiler, riscv.architecture.qemu) == ("riscv64-unknown-elf-gcc", "qemu-system-riscv32")
    assert "csrw mtvec" in bsp_files(riscv)["lib/mcg_bsp/mcg_startup.c"]
    assert "csr" not in bsp_files(arm)["lib/mcg_bsp/mcg_startup.c"]
    assert ".ARM.exidx" not in bsp_files(riscv)["lib/mcg_bsp/qemu-virt-rv32.ld"]
    assert load_board("esp32dev").architecture.bsp == ""


def test_every_family_is_of_one_architecture() -> None:
    assert set(families(ARM)) | set(families(RISCV)) == set(families())
    assert not set(families(ARM)) & set(families(RISCV))
    assert families(RISCV) == ("riscv_virt",)


def test_a_users_own_board(tmp_path: Path) -> None:
    board = read(tmp_path, GOOD)
    assert board.name == "mine"
    assert board.emulator is not None
    assert board.emulator.counter_hz == board.uart.clock_hz == 25_000_000
    assert board.notes == ""
    no_emulator = read(tmp_path, GOOD[: GOOD.index("[emulator]")])
    assert no_emulator.emulator is None
    no_dsp = GOOD.replace("cortex-m4", "cortex-m33").replace("fpv4", "fpv5").replace('["dsp"]', "[]")
    assert read(tmp_path, no_dsp).cpu_flags()[0] == "-mcpu=cortex-m33+nodsp"
    no_mve = GOOD.replace("cortex-m4", "cortex-m55").replace("fpv4-sp-d16", "auto")
    assert read(tmp_path, no_mve).cpu_flags()[0] == "-mcpu=cortex-m55+nomve"


BAD = [
    ('family = "mps"', 'family = "riscv_virt"', "field family: is 'riscv_virt', not one of generic, lm3s"),
    ("clock_hz = 25_000_000", 'clock_hz = "fast"', "field clock_hz: is 'fast', not an integer"),
    ("clock_hz = 25_000_000", "clock_hz = true", "field clock_hz: is True, not an integer"),
    ("clock_hz = 25_000_000", "clock_hz = 1", "field clock_hz: is 1, not between"),
    ("clock_hz = 25_000_000", "", "field clock_hz: is missing"),
    ('title = "A board"', 'titel = "A board"', "field title: is missing"),
    ('title = "A board"', 'title = "A board"\ncolour = 3', "field 'colour': is unknown (known here: "),
    ('title = "A board"', 'title = "a\\nb"', "field title: is not one line of at most 100 printable"),
    ('title = "A board"', f'title = "{"x" * 101}"', "field title: is not one line"),
    ('family = "mps"', 'family = "../mps"', "field family: is '../mps', not one of generic, lm3s, mps, nrf51"),
    ('family = "mps"', 'family = "uart"', "field family: is 'uart', not one of"),
    ("real_hardware = false", "real_hardware = 0", "field real_hardware: is 0, not true or false"),
    ("stack_bytes = 1024", "stack_bytes = 16000", "field stack_bytes: is 16000, not between 512 and 8192"),
    ("stack_bytes = 1024", "stack_bytes = 1030", "field stack_bytes: is 1030, not a multiple of 16"),
    ('core = "cortex-m4"', 'core = "cortex-m99"', "field cpu.core: is 'cortex-m99', not one of"),
    ('core = "cortex-m4"', 'core = "cortex-m4 -fplugin=x"', "field cpu.core: is"),
    ('fpu = "fpv4-sp-d16"', 'fpu = "neon"', "field cpu.fpu: is 'neon', not one of fpv4-sp-d16"),
    ('features = ["dsp"]', 'features = ["dsp", "mve"]', 'field cpu.features: names "mve", which cortex-m4 does not'),
    ('features = ["dsp"]', "features = []", 'field cpu.features: lacks "dsp", which every cortex-m4 has'),
    ('features = ["dsp"]', "features = [1]", "field cpu.features: holds 1, not a string"),
    ('features = ["dsp"]', 'features = ["sse"]', "field cpu.features: holds 'sse', not one of dsp, mve"),
    ("origin = 0x20000000", "origin = 0x8000", "field memory.ram: overlaps flash"),
    ("origin = 0x20000000", "origin = 0xFFFFF000", "field memory.ram.size: reaches beyond the 32-bit"),
    ("origin = 0x20000000", "origin = 0x20000004", "field memory.ram.origin: is not a multiple of 16"),
    ("origin = 0x20000000", "origin = -16", "field memory.ram.origin: is -16, not between"),
    ("size = 16_384", "size = 16", "field memory.ram.size: is 16, not between"),
    ("[memory.ram]", "[memory.RAM]", "field memory.'RAM': is not a name of"),
    ("[memory.ram]", "[memory.other]", "field memory.ram: is missing"),
    ("[memory.ram]\n", '[memory."a{b"]\norigin=0\nsize=0\n[memory.ram]\n', "is not a name of"),
    ('driver = "cmsdk"', 'driver = "pl999"', "field uart.driver: is 'pl999', not one of cmsdk, nrf51"),
    ("baud = 115_200", "baud = 1", "field uart.baud: is 1, not between"),
    ("baud = 115_200", "baud = 115_200\nparity = 1", "field uart.'parity': is unknown"),
    ('machine = "mps2-an386"', 'machine = "x,dumpdtb=/etc/passwd"', "field emulator.machine: is"),
    ("icount_shift = 7", "icount_shift = 5", "field emulator.icount_shift: is 5: an instruction takes 32 ns"),
    ("icount_shift = 7", 'icount_shift = 7\nargs = ["-chardev", "file"]', "field emulator.args: holds '-chardev'"),
    ("icount_shift = 7", 'icount_shift = 7\nargs = ["-cpu"]', "field emulator.args: holds '-cpu'"),
    ("icount_shift = 7", 'icount_shift = 7\nargs = ["-cpu", "-drive"]', "field emulator.args: holds '-drive'"),
    ("[uart]", "[[uart]]", "field uart: is [{"),
    ("[cpu]", "[cpu", "not valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD)
def test_bad_fields_are_refused_by_name(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(BoardError) as error:
        read(tmp_path, GOOD.replace(old, new))
    assert message in str(error.value)
    assert "mine.toml" in str(error.value)


def test_files_that_are_no_boards(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="No such file"):
        load_board(str(tmp_path / "none.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\0")
    with pytest.raises(BoardError, match="not valid TOML"):
        load_board(str(tmp_path / "binary.toml"))
    with pytest.raises(BoardError, match="larger than"):
        read(tmp_path, "#" * 70_000)
    with pytest.raises(BoardError, match="not made of a-z"):
        read(tmp_path, GOOD, "My Board.toml")
    with pytest.raises(BoardError, match="not valid TOML"):
        read(tmp_path, "a = " + "[" * 20_000)


def test_unknown_names_get_close_matches() -> None:
    with pytest.raises(BoardError, match=r"unknown board 'mps2-an368'\. Did you mean Arm: mps2-an385, mps2-an386"):
        load_board("mps2-an368")


def test_listing_boards_loads_nothing_heavy() -> None:
    code = "import sys, mcugen.boards.shipped as b; b.load_boards(); "
    code += "print('numpy' in sys.modules, 'jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    "name", [name for name, board in load_boards().items() if board.flash.size and not board.framework]
)
def test_board_support_is_complete_and_reproducible(name: str) -> None:
    board = load_board(name)
    files = bsp_files(board)
    assert files == bsp_files(board)
    assert f"lib/mcg_bsp/{name}.ld" in files
    for expected in ("mcg_board.h", "mcg_startup.c", "mcg_counter.c", "mcg_port.c", "mcg_system.c", "library.json"):
        assert f"lib/mcg_bsp/{expected}" in files
    assert sum("mcg_uart_" in path for path in files) == 1
    assert f"LENGTH = {board.ram.size}" in files[f"lib/mcg_bsp/{name}.ld"]
    assert f"-Tlib/mcg_bsp/{name}.ld" in link_flags(board)
    assert set(board.cpu_flags()) <= set(compile_flags(board))
    harness = harness_files(board)
    payload = default_max_payload(board)
    assert f"#define MCG_MAX_PAYLOAD {payload}u" in harness["lib/mcg_harness/mcg_harness_config.h"]
    assert 2 * payload <= board.ram.size // 8


def test_payload_sizes_have_limits() -> None:
    board = load_board("microbit")
    for size in (255, 65_536):
        with pytest.raises(ValueError, match="max_payload"):
            harness_files(board, size)


# ---- real boards

FRAMEWORK = """\

[framework]
name = "arduino"
platform = "ststm32"
board = "nucleo_h743zi"
flash_bytes = 4096
ram_bytes = 1024

[framework.options]
"board_build.core" = "stm32"

[flash]
tools = ["platformio", "pyocd"]
pyocd = "stm32h743xx"
usb = ["0483:374b"]
"""
WITH_FRAMEWORK = (
    GOOD[: GOOD.index("[emulator]")]
    .replace('family = "mps"\n', "")
    .replace('driver = "cmsdk"\nbase = 0x40004000\n', "")
) + FRAMEWORK


def test_a_board_with_a_framework(tmp_path: Path) -> None:
    board = read(tmp_path, WITH_FRAMEWORK)
    assert board.framework is not None
    assert board.framework.options == (("board_build.core", "stm32"),)
    assert board.flashing.tools == ("platformio", "pyocd")
    assert (board.family, board.uart.driver, board.uart.baud) == ("", "", 115_200)
    xtensa = WITH_FRAMEWORK.replace('core = "cortex-m4"\nfpu = "fpv4-sp-d16"', 'core = "xtensa-lx7"')
    other = read(tmp_path, xtensa.replace('features = ["dsp"]', "features = []"))
    assert other.cpu_flags() == []
    assert other.target().kernels == ()


BAD_FRAMEWORK = [
    ('platform = "ststm32"', 'platform = "http://evil.example/x.git"', "field framework.platform: is"),
    ('platform = "ststm32"', 'platform = "x\\nextra_scripts = y"', "field framework.platform: is not one line"),
    ('board = "nucleo_h743zi"', 'board = "a b"', "field framework.board: is 'a b'"),
    ('"board_build.core" =', '"extra_scripts" =', "is not an option that starts with board_build."),
    ('= "stm32"', '= "${env}"', "field framework.options.board_build.core: is '${env}'"),
    ('name = "arduino"', 'name = "mbed"', "field framework.name: is 'mbed', not one of arduino"),
    ('pyocd = "stm32h743xx"\n', "", 'field flash.pyocd: is missing, but tools names "pyocd"'),
    ('tools = ["platformio", "pyocd"]', 'tools = ["hammer"]', "field flash.tools: holds 'hammer', not one of"),
    ('usb = ["0483:374b"]', 'usb = ["0483:374B"]', "field flash.usb: holds '0483:374B'"),
    ('usb = ["0483:374b"]', 'openocd = ["../x.cfg"]', "field flash.openocd: holds '../x.cfg'"),
    ("[framework.options]", "[framework.option]", "field framework.'option': is unknown"),
    ("baud = 115_200", 'baud = 115_200\ndriver = "stm32"', "field uart.'driver': is unknown"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD_FRAMEWORK)
def test_bad_fields_of_real_boards(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert WITH_FRAMEWORK.count(old) == 1
    with pytest.raises(BoardError) as error:
        read(tmp_path, WITH_FRAMEWORK.replace(old, new))
    assert message in str(error.value)


def test_a_core_without_start_up_code_needs_a_framework(tmp_path: Path) -> None:
    text = GOOD.replace('core = "cortex-m4"\nfpu = "fpv4-sp-d16"\nfeatures = ["dsp"]', 'core = "xtensa-lx7"')
    with pytest.raises(BoardError, match="framework: is missing: mcugen has no start-up code for xtensa-lx7"):
        read(tmp_path, text.replace("[memory.flash]", "features = []\n[memory.flash]", 1))


def test_uart_pins_come_in_pairs(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"uart\.rx_pin: is missing"):
        read(tmp_path, GOOD.replace("baud = 115_200", "baud = 115_200\ntx_pin = 3"))
    with pytest.raises(BoardError, match=r"uart\.tx_pin: is missing"):
        read(tmp_path, GOOD.replace('driver = "cmsdk"', 'driver = "nrf51"'))


def test_the_document_names_every_board_and_its_notes() -> None:
    """tests/docs/ checks that it is current."""
    written = (Path(__file__).resolve().parents[2] / "docs" / "BOARDS.md").read_text(encoding="utf-8")
    for name, board in load_boards().items():
        assert f"| `{name}` |" in written
        for field in ("clock_hz", "flash.usb_bridge", "framework.options"):
            assert f"`{field}`" in written
        assert board.notes in written
