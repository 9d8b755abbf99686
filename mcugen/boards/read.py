"""Reads a board file.

A board file may come from anywhere, and its values reach a compiler, a linker script and an emulator's command line.
So every field is checked by type, range and alphabet, and anything unknown is refused.
`docs/BOARDS.md` describes the fields.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mcugen.boards.read_memory import read_memories
from mcugen.boards.read_timing import read_power, read_timing
from mcugen.boards.types import Board, Flashing, Framework, Region, Uart
from mcugen.cores import cores
from mcugen.cores.architectures import Architecture, family_architecture
from mcugen.emulators import emulators
from mcugen.errors import BoardError
from mcugen.resources import resource_dir
from mcugen.toml_table import Table, read_toml, short


def read_board(path: Path) -> Board:
    """Reads and checks one board file; the board's name is the file's name without .toml."""
    return _board(path, read_toml(path, "a board file", BoardError)[1])


def _board(path: Path, data: dict[str, Any]) -> Board:
    top = Table(path, "", data)
    name = path.stem
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
        raise BoardError(
            f"the file's name makes the board name {short(name)}, which is not made of a-z, 0-9 and -",
            where=str(path),
            hint="Rename the file",
        )
    own_script = top.boolean("own_linker_script", default=False)
    cpu_table, uart = top.table("cpu"), top.table("uart")
    cpu, fpu, features = _cpu(cpu_table)
    clock_hz = top.integer("clock_hz", 1_000_000, 2_000_000_000)
    if own_script and not top.has("memory"):
        regions = {name: Region(name, 0, 0) for name in ("flash", "ram")}
    else:
        regions = read_memories(top.table("memory"), has_framework="framework" in data)
    flash, ram = regions.pop("flash"), regions.pop("ram")
    stack_bytes = top.integer("stack_bytes", 512, max(512, ram.size // 2) if ram.size else 65_536)
    if stack_bytes % 16:
        raise top.error("stack_bytes", f"is {stack_bytes}, not a multiple of 16")
    framework = _framework(top.table("framework")) if "framework" in data else None
    if framework is None and not cores()[cpu].architecture.bsp:
        raise top.error("framework", f"is missing: mcugen has no start-up code for {cpu}")
    board = Board(
        name=name,
        title=top.text("title"),
        family=_family(top, cpu) if framework is None else "",
        mcu=top.text("mcu"),
        cpu=cpu,
        fpu=fpu,
        features=features,
        clock_hz=clock_hz,
        flash=flash,
        ram=ram,
        regions=tuple(regions.values()),
        stack_bytes=stack_bytes,
        uart=_uart(uart, clock_hz, framework),
        models=tuple(
            (emulator.name, emulator.read(top.table(emulator.table), clock_hz))
            for emulator in emulators().values()
            if emulator.table in data
        ),
        real_hardware=top.boolean("real_hardware"),
        notes=top.text("notes", default="", most=500),
        framework=framework,
        flashing=_flashing(top.table("flash")) if "flash" in data else Flashing(),
        own_linker_script=own_script,
        maker=top.text("maker", default=""),
        aliases=tuple(top.all_matching("aliases", _SPOKEN)),
        near=tuple(top.all_matching("near", _SPOKEN)),
        timing=read_timing(top.table("timing"), clock_hz) if "timing" in data else None,
        power=read_power(top.table("power")) if "power" in data else None,
    )
    if framework is not None and board.emulator is not None:
        raise top.error("emulator", "does not go with a framework, whose firmware needs the whole chip")
    if board.flash.read_cycles is not None and board.timing is not None and any(board.timing.miss):
        raise top.error("memory.flash.read_cycles", "does not go with [timing], which tells how long flash takes")
    top.finish()
    return board


_SPOKEN = r"[A-Za-z0-9][A-Za-z0-9 .+:-]{0,40}"
"""Names as people write them."""


def _cpu(table: Table) -> tuple[str, str, tuple[str, ...]]:
    cpu = table.choice("core", tuple(cores()))
    core = cores()[cpu]
    fpu = table.choice("fpu", ("", *core.fpus), default="")
    known = dict.fromkeys(feature.name for other in cores().values() for feature in other.features)
    named = table.strings("features", tuple(known))
    own = [feature.name for feature in core.features]
    for name in named:
        if name not in own:
            raise table.error("features", f'names "{name}", which {cpu} does not have')
    for feature in core.features:
        if feature.required and feature.name not in named:
            raise table.error("features", f'lacks "{feature.name}", which every {cpu} has')
        if feature.needs_fpu and feature.name in named and not fpu:
            raise table.error("fpu", f'is missing, but "{feature.name}" needs it')
    table.finish()
    return cpu, fpu, tuple(name for name in own if name in named)


_ANY_PIN = frozenset({"nrf51"})
"""UART drivers of chips that can put a UART on any pin: the board has to say on which."""


def _uart(table: Table, clock_hz: int, framework: Framework | None) -> Uart:
    baud = table.integer("baud", 1_200, 12_000_000)
    if framework is not None:
        table.finish()
        return Uart("", 0, baud, clock_hz)
    drivers = (resource_dir("firmware") / "bsp" / "uart").glob("mcg_uart_*.c")
    driver = table.choice("driver", tuple(sorted(path.stem.removeprefix("mcg_uart_") for path in drivers)))
    has_pins = table.has("tx_pin") or table.has("rx_pin") or driver in _ANY_PIN
    uart = Uart(
        driver=driver,
        base=table.integer("base", 0, 0xFFFF_FFFC),
        baud=baud,
        clock_hz=table.integer("clock_hz", 1_000_000, 2_000_000_000, default=clock_hz),
        tx_pin=table.integer("tx_pin", 0, 255) if has_pins else None,
        rx_pin=table.integer("rx_pin", 0, 255) if has_pins else None,
    )
    table.finish()
    return uart


_REPOSITORY = r"https://github\.com/[\w-]+/[\w.-]+\.git(#[\w.-]+)?"
_PLATFORM = rf"(?:[a-z0-9_-]+/)?[a-z0-9_-]+(?:@[~^]?[0-9.]+)?|{_REPOSITORY}"
_BOARD_OPTION = r"board_(?:build|upload)\.[a-z0-9_.]{1,60}"
"""The only options of PlatformIO's that a board file may set: others can run programs."""


def _framework(table: Table) -> Framework:
    options: tuple[tuple[str, str], ...] = ()
    if table.has("options"):
        given = table.table("options")
        keys = given.keys(_BOARD_OPTION, "an option that starts with board_build. or board_upload.")
        options = tuple((key, given.matching(key, r"[A-Za-z0-9_.-]{1,60}")) for key in keys)
    framework = Framework(
        name=table.choice("name", ("arduino",)),
        platform=table.matching("platform", _PLATFORM),
        board=table.matching("board", r"[A-Za-z0-9_-]{1,60}"),
        options=options,
        flash_bytes=table.integer("flash_bytes", 0, 1 << 31),
        ram_bytes=table.integer("ram_bytes", 0, 1 << 31),
    )
    table.finish()
    return framework


TOOLS = ("platformio", "openocd", "pyocd", "esptool", "picotool", "uf2")
"""Of mcugen.flash, which checks that these are all that it has."""


def _flashing(table: Table) -> Flashing:
    flashing = Flashing(
        tools=tuple(table.strings("tools", TOOLS)),
        pyocd=table.matching("pyocd", r"[a-z0-9_]{1,40}", default=""),
        # A name in OpenOCD's own scripts: a path elsewhere could run anything.
        openocd=tuple(table.all_matching("openocd", r"(?:interface|target|board)/[a-z0-9_-]+(?:/[a-z0-9_-]+)?\.cfg")),
        esptool=table.matching("esptool", r"esp32[a-z0-9]{0,4}", default=""),
        uf2=table.matching("uf2", r"[A-Za-z0-9-]{1,40}", default=""),
        usb=tuple(table.all_matching("usb", _USB_ID)),
        usb_bridge=tuple(table.all_matching("usb_bridge", _USB_ID)),
    )
    needs = {"pyocd": flashing.pyocd, "openocd": flashing.openocd, "esptool": flashing.esptool}
    needs |= {"picotool": flashing.uf2, "uf2": flashing.uf2}
    for tool in flashing.tools:
        if not needs.get(tool, True):
            raise table.error("uf2" if tool == "picotool" else tool, f'is missing, but tools names "{tool}"')
    table.finish()
    return flashing


_USB_ID = r"[0-9a-f]{4}:[0-9a-f]{4}"


def families(architecture: Architecture | None = None) -> tuple[str, ...]:
    """The chip families in firmware/bsp, of one architecture or of all, in alphabetical order."""
    names = sorted(path.parent.name for path in (resource_dir("firmware") / "bsp").glob("*/mcg_family.h"))
    return tuple(name for name in names if architecture in (None, family_architecture(name)))


def _family(top: Table, cpu: str) -> str:
    return top.choice("family", families(cores()[cpu].architecture))
