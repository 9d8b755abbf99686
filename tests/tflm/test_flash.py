"""The routines that write flash: on nRF51's controller as QEMU models it, and on RAM that stands for flash."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board
from mcugen.boards.slots import DRIVERS
from mcugen.boards.types import Region
from mcugen.errors import BoardError, DoesNotFitError
from mcugen.resources import resource_dir
from mcugen.runtimes.tflm.emit import emit_tflm
from mcugen.runtimes.tflm.store import Store, model_store
from tests.tflm.support import program

FLASH = resource_dir("firmware") / "flash"
CC = "arm-none-eabi-gcc"
STRICT = ("-std=c99", "-Os", "-Wall", "-Wextra", "-Werror", f"-I{FLASH}")
CORES = {"ram": "cortex-m3", "nrf": "cortex-m0", "rp2040": "cortex-m0plus", "stm32f4": "cortex-m4"}

needs_cc = pytest.mark.skipif(shutil.which(CC) is None, reason=f"{CC} is not installed")
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed")

CHECKS = """
#include "mcg_flash.h"

extern uint32_t stack_top[];
int main(void);
void reset(void);
static const char data[] = "seven b";  /* 8 bytes with the zero */

__attribute__((section(".vectors"), used)) static void *const vectors[] = {stack_top, (void *)reset};

/* Angel semihosting: SYS_EXIT, for good (0x20026) or ill. */
static void leave(int good) {
  __asm__ volatile("movs r0, #0x18\\n\\tmovs r1, %0\\n\\tbkpt 0xAB" ::"r"(good ? 0x20026 : 0x20023) : "r0", "r1");
}

static int is(uintptr_t at, uint32_t word) { return *(volatile uint32_t *)at == word; }

int main(void) {
  const uintptr_t at = SLOT;
  if (mcg_flash_erase(at, 2048) != 0 || !is(at, 0xFFFFFFFFu) || !is(at + 2044, 0xFFFFFFFFu)) return 0;
  if (mcg_flash_write(at + 4, data, 7) != 0) return 0;
  if (!is(at, 0xFFFFFFFFu) || !is(at + 4, 0x65766573u) || !is(at + 8, 0xFF62206Eu)) return 0;
  if (mcg_flash_write(at + 4, "\\377", 1) == 0 || !is(at + 4, 0x65766573u)) return 0; /* sets no bits */
  if (mcg_flash_erase(at + 4, 1024) == 0 || mcg_flash_erase(at, 100) == 0) return 0;  /* no whole pages */
  if (!is(at + 4, 0x65766573u)) return 0;
  return mcg_flash_erase(at, 1024) == 0 && is(at + 4, 0xFFFFFFFFu);
}

void reset(void) {
  leave(main());
  for (;;) {
  }
}
"""

SCRIPT = """
SECTIONS {{
  . = 0;
  .text : {{ KEEP(*(.vectors)) *(.text*) *(.rodata*) }}
  stack_top = {stack:#x};
}}
"""


@pytest.mark.parametrize("driver", sorted(set(DRIVERS.values())))
@needs_cc
def test_every_routine_compiles_without_a_warning(driver: str, tmp_path: Path) -> None:
    source = FLASH / f"mcg_flash_{driver}.c"
    command = [CC, *STRICT, f"-mcpu={CORES[driver]}", "-mthumb", "-c", str(source), "-o", str(tmp_path / "x.o")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.emulator
@needs_cc
@needs_qemu
@pytest.mark.parametrize(
    ("driver", "machine", "slot", "stack"),
    [("nrf", "microbit", 0x30000, 0x20004000), ("ram", "mps2-an385", 0x21000000, 0x20004000)],
)
def test_flash_is_erased_and_written(driver: str, machine: str, slot: int, stack: int, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(CHECKS)
    (tmp_path / "x.ld").write_text(SCRIPT.format(stack=stack))
    elf = tmp_path / "x.elf"
    sources = [str(tmp_path / "main.c"), str(FLASH / f"mcg_flash_{driver}.c")]
    flags = [f"-mcpu={CORES[driver]}", "-mthumb", "-nostdlib", f"-T{tmp_path / 'x.ld'}", f"-DSLOT={slot:#x}u"]
    built = subprocess.run([CC, *STRICT, *flags, *sources, "-o", str(elf)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    qemu = ["qemu-system-arm", "-M", machine, "-nographic", "-monitor", "none", "-serial", "none"]
    ran = subprocess.run([*qemu, "-semihosting", "-kernel", str(elf)], capture_output=True, timeout=60)
    assert ran.returncode == 0, ran.stderr


def test_a_board_with_flash_for_models_keeps_them_there() -> None:
    made = program("sine", slot_bytes=4096)
    assert made.store == Store(0x21000000, 1 << 20, "ram")
    assert made.static_bytes < 2048
    files = emit_tflm(made)
    assert {"mcg_flash.h", "mcg_flash.c"} <= set(files)
    assert "#define MCG_MODEL_STORE_ADDRESS 0x21000000u" in files["mcg_model.h"]
    in_ram = program("sine", "mps3-an547", slot_bytes=4096)
    assert in_ram.store is None
    assert in_ram.static_bytes > 8192
    assert "mcg_flash.c" not in emit_tflm(in_ram)
    assert program("sine").store is None


def test_stores_that_cannot_be() -> None:
    board = load_board("lm3s6965evb")
    odd = Region("model_slot", 0x21000000, 2064)
    with pytest.raises(BoardError, match="does not know how to write the flash of this family"):
        model_store(replace(board, regions=(odd,)))
    with pytest.raises(BoardError, match="not a multiple of 2048"):
        model_store(replace(load_board("mps2-an386"), regions=(odd,)))
    with pytest.raises(DoesNotFitError, match=r"the 1,048,448 that the board's flash has"):
        program("sine", slot_bytes=1 << 20)


def test_the_slots_lie_outside_of_what_is_linked() -> None:
    board = load_board("mps2-an386")
    store = model_store(board)
    assert store is not None
    for region in (board.flash, board.ram):
        assert store.address >= region.end or store.address + 2 * store.slot_bytes <= region.origin
