"""Writes docs/BOARDS.md from the board files: python tools/boards_doc.py"""

# ruff: noqa: E501 (rows of Markdown tables cannot be broken)

from __future__ import annotations

from pathlib import Path

from mcugen.boards.read import families
from mcugen.boards.shipped import load_boards
from mcugen.boards.types import Board
from mcugen.emulators import emulators
from mcugen.resources import resource_dir
from mcugen.text import memory

TARGET = Path(__file__).resolve().parent.parent / "docs" / "BOARDS.md"

INTRO = """\
# Boards

Generated from `boards/` by `make docs`. Choose one with `--board NAME`; the path of a `.toml` file of your own works
too, see [Files](#files).

## What is proved, and what is not

| | |
|---|---|
| **emulated** | Every change runs models on it in the emulator that the table names, and compares all outputs, bit for bit; stack is measured. QEMU counts instructions; in the others costs are ticks of their own. |
| **built** | Every change builds its firmware with GCC, checks sizes and memory. Clock, pins and UART follow the data sheets; no such board has run it here. |
| **linted** | Its PlatformIO configuration is read by PlatformIO's own parser, and the Arduino port, harness and model run on the host, bit for bit. Nothing was built for the chip here: compiler and framework come from PlatformIO's registry. |

No commercial board was available: whatever an emulator does not check (clocks, pins, flashing, USB) is unproved on hardware. What happens
on a desk is checked by `mcugen flash` and `mcugen verify`: a board counts as flashed only when it answers with the hash of this very firmware, and
its results are compared bit for bit.

Start-up leaves watchdogs as they are after reset (off, on all chips here); on the ESP32 family the idle task's watchdog is switched off, as it would
end a long inference. Clocks of the STM32F4 come from the internal oscillator, so that no crystal has to be known.

Renode models {renode}. What mcugen writes for it is checked for syntax, and a stand-in proves how it is called; Renode itself has not run
here, and no result of it stands in this table ([Renode](#renode)).
"""

FIELDS = """\
## Files

A board is one TOML file in `boards/`; its name is the file's name (a-z, 0-9, `-`). A board of a known family needs nothing else. All fields are
checked; unknown ones are refused.

| field | |
|---|---|
| `title` | what it is |
| `maker`, `aliases`, `near` | optional: whom people know it by; what they call it, too (case, spaces and signs do not count); names of boards that are *not* supported and near to this one |
| `family` | folder in `firmware/bsp/` with clock and pins: {families}; not with `framework` |
| `mcu` | the part |
| `clock_hz` | CPU clock that start-up sets |
| `stack_bytes` | RAM reserved for the stack, a multiple of 16 |
| `real_hardware` | true where start-up sets clocks and pins of a real part |
| `notes` | optional: where the link's pins are, … |
| `own_linker_script` | optional, true: the user supplies the linker script, which defines `memory.flash` and `memory.ram` |
| `cpu.core` | `cortex-m0`, `-m0plus`, `-m3`, `-m4`, `-m7`, `-m33`, `-m55`, `rv32imc`; with a framework also `xtensa-lx6`, `xtensa-lx7` |
| `cpu.fpu` | optional, the compiler's name: `fpv4-sp-d16` (M4), `fpv5-sp-d16` (M7, M33), `fpv5-d16` (M7), `auto` (M55) |
| `cpu.features` | `["dsp"]`, `["dsp", "mve"]` |
| `memory.flash`, `memory.ram` | `origin` and `size` in bytes, the part's true ones |
| `memory.<name>` | optional further regions; the linker script names them in upper case. `memory.model_slot` holds a model that outlives a reset ([TFLM.md](TFLM.md)), `memory.head` what the device learned: two slots of whole pages each, outside of `memory.flash` |
| `uart.driver` | file in `firmware/bsp/uart/`: {uarts}; not with `framework` |
| `uart.base`, `uart.baud` | address, and speed of the link; with `framework` only the speed |
| `uart.clock_hz` | optional: clock of the baud divider, else `clock_hz` |
| `uart.tx_pin`, `uart.rx_pin` | pins of the link, where the chip leaves the choice (nRF: 32 · port + pin) |
| `emulator.machine` | optional: QEMU's machine |
| `emulator.icount_shift` | an instruction takes 2^shift ns of virtual time: two counter ticks or more |
| `emulator.counter_hz` | optional: rate of the core's counter (SysTick, mcycle) in the emulator, else `clock_hz` |
| `emulator.args` | optional: further `-cpu`, `-global`, `-m` options |
| `renode.platform`, `renode.uart` | optional: a platform that Renode brings along (`platforms/…/….repl`), and the name of the link's UART in it |
| `rp2040py.uart` | optional: number of the RP2040's UART that is the link, in the emulator rp2040py |
| `labwired.chip`, `labwired.uart` | optional: labwired's names of the chip and of the link's UART |
| `framework.name` | optional: `arduino`; PlatformIO's framework starts the chip, and the link is `Serial` |
| `framework.platform`, `framework.board` | as in platformio.ini; the platform is a name of the registry or the URL of a repository on GitHub |
| `framework.flash_bytes`, `framework.ram_bytes` | roughly what the framework itself takes, for the check whether a model fits |
| `framework.options` | optional: lines `"board_build.…" = "…"` of platformio.ini |
| `flash.tools` | optional: what flashes it, the best first: `platformio`, `openocd`, `pyocd`, `esptool`, `picotool`, `uf2` |
| `flash.openocd` | OpenOCD's configuration files, by name |
| `flash.pyocd`, `flash.esptool` | pyOCD's name of the target, esptool's of the chip |
| `flash.uf2` | the Board-ID that the boot loader's disk shows in INFO_UF2.TXT |
| `flash.usb` | `"VID:PID"` of the serial ports that the board itself shows; the only such port that is plugged in is taken |
| `flash.usb_bridge` | `"VID:PID"` of general USB-to-serial chips on it; such a port is offered, but never taken unasked |

## Any Cortex-M

The boards `cortex-m0` to `cortex-m55` stand for any chip with such a core. `mcugen generate MODEL --board cortex-m4f --linker-script FILE.ld -o DIR` takes the
chip's linker script: one of CubeMX or CubeIDE, a CMSIS one, or one with our names (`mcg_data_start`, …). Memories are read from its `MEMORY`; it stays as
it is but for the vector table and the build id, which come first in flash, and for names that our start-up needs. What it lacks is said by name.
The firmware needs no UART and no clock set-up: it talks through the debugger (semihosting), which a debug server offers as a TCP port. Without a
debugger attached it stops. A script of CubeMX's kind is proved in QEMU, with a board's UART; semihosting is built only. `lib/mcg_bsp/mcg_system.c` of the project is the place for clocks, `mcg_uart_semihosting.c` the one for a UART of your own.

## New families

A new family is a folder with `mcg_system.c` (`mcg_system_init()`: clock and pins) and `mcg_family.h` (`MCG_FAMILY_TIMER`, 1 where
the family brings a counter because the core has neither DWT nor SysTick). Families of RISC-V chips begin with `riscv_`, and also have
`mcg_family_reset()`. A new instruction set is an entry in `mcugen/cores/architectures.py` with its tools, a folder in `firmware/bsp/` (start-up, trap
handler, counter, `mcg_core.h`) and a linker script in `templates/bsp/`.

## Memory

Vectors, code and constants lie in flash. RAM begins with the stack, so that an overflow leaves the RAM and faults instead
of changing variables; then come initialised data, the model's arena, and zeroed data. Linking fails, with the number of
bytes, when a region overflows. With a framework, memory is laid out by the framework's linker script, its stack is not measured, and faults are
handled by the framework.

## Renode

`--emulator renode` on `deploy`, `verify`, `run` and `generate` takes [Renode](https://renode.io) in place of QEMU; install it from
https://github.com/renode/renode/releases. `deploy` and `generate` put `renode/` into the project: `BOARD.resc` starts the firmware with its UART on a TCP
port (4321, all bytes as they are), `BOARD.repl` takes the platform from Renode and has room for peripherals of yours, and `firmware.robot` is a test for
Renode's own runner, `renode-test DIR/renode/firmware.robot`, which runs `mcugen verify` against that port. Costs are ticks: Renode's
counter does not count instructions exactly. Some platforms download register descriptions when they are loaded for the first time.

## rp2040py

`pico` runs in [rp2040py](https://pypi.org/project/rp2040py/), a Raspberry Pi Pico in Python: `python -m pip install rp2040py`, then
`mcugen deploy kws.tflite --data random --board pico --emulator rp2040py`. It executes the second stage of the boot and all start-up code; the SSI and the flash chip behind
it are registers only, so that reading in place by four bits is unproved, and so are clocks and pins. The boot ROM is there, but does not read the second stage: a test checks
its sum instead. About half a million instructions pass per second. Costs are ticks: the core's cycles without any wait for flash, which real ones have.

## labwired

`stm32f4-discovery-m0` runs in [labwired](https://pypi.org/project/labwired/): `python -m pip install labwired`, then `--emulator labwired`. Clocks of the STM32F4 and its USART are
modelled; SSAT and SMMLAR of Cortex-M4 are not, so that the kernels of the DSP instructions and of Cortex-M3 end there with a fault that names the instruction. Its nRF52840 has no
debug registers (DEMCR), which start-up asks for a cycle counter: `nrf52840-dk` ends there, too. Costs are ticks of its own.

## Flashing

`mcugen flash DIR` builds, writes and checks; `mcugen deploy MODEL --board B --port P` does all from the model to the verdict. Both take
`--port` (else the only port with the board's USB ids), `--probe` (serial number of the debug probe, where several are plugged in) and `--tool`.
Where two ports or probes could be the board's, a terminal is asked, and a script gets an error that lists them.

Boards with a framework are built by your own PlatformIO (`~/.platformio`, or `PLATFORMIO_CORE_DIR`): mcugen downloads nothing, and says which
command installs what is missing.
"""


def document() -> str:
    """The text of docs/BOARDS.md."""
    boards = load_boards().values()
    modelled = ", ".join(f"`{board.name}`" for board in boards if board.model("renode"))
    lines = [
        INTRO.replace("{renode}", modelled),
        "| board | chip | core | flash | RAM | starts with | proof | flashed with |",
        "|---|---|---|--:|--:|---|---|---|",
    ]
    lines += [row(board) for board in sorted(boards, key=lambda board: (PROOFS.index(proof(board)), board.name))]
    lines += ["", "## Links and notes", ""]
    lines += [f"- `{board.name}`: {board.title}. {board.notes}".rstrip() for board in boards]
    bsp = resource_dir("firmware") / "bsp"
    uarts = sorted(path.stem.removeprefix("mcg_uart_") for path in (bsp / "uart").glob("*.c"))
    named = {
        "families": ", ".join(f"`{name}`" for name in families()),
        "uarts": ", ".join(f"`{name}`" for name in uarts),
    }
    fields = FIELDS
    for key, value in named.items():
        fields = fields.replace(f"{{{key}}}", value)
    return "\n".join([*lines, "", fields])


def readme_table() -> str:
    """The table of emulated boards in README.md."""
    lines = ["| board | | flash | RAM |", "|---|---|---:|---:|"]
    for name, board in sorted(load_boards().items()):
        if tested_in(board):
            lines.append(f"| `{name}` | {board.title} | {memory(board.flash.size)} | {memory(board.ram.size)} |")
    return "\n".join(lines)


PROOFS = ("emulated", "built", "linted")


def tested_in(board: Board) -> list[str]:
    """The emulators that tests run the board in."""
    return [each.title for each in emulators().values() if each.tested and board.model(each.name) is not None]


def proof(board: Board) -> str:
    """How far a board's firmware is proved by the tests."""
    if tested_in(board):
        return "emulated"
    return "built" if board.framework is None else "linted"


def row(board: Board) -> str:
    core = board.cpu.replace("cortex-m", "M")
    features = ["FPU"] * bool(board.fpu) + [name.upper() for name in board.features]
    start = f"{board.framework.name}" if board.framework else "own start-up"
    sizes = [memory(region.size) if region.size else "yours" for region in (board.flash, board.ram)]
    cells = [
        f"`{board.name}`",
        board.mcu,
        " ".join([core, *features]),
        *sizes,
        start,
        ", ".join([proof(board), *tested_in(board)]),
        ", ".join(board.flashing.tools) or "–",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
