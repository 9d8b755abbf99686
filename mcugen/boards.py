"""Boards: one TOML file each, read into a frozen `Board`.

A board file may come from anywhere, and its values reach a compiler, a linker script and an emulator's command line.
So every field is checked by type, range and alphabet, and anything unknown is refused.
`docs/BOARDS.md` describes the fields.
"""

from __future__ import annotations

import functools
import itertools
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcugen.errors import BoardError
from mcugen.resources import resource_dir

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

if TYPE_CHECKING:
    from mcugen.ops.base import Target

MAX_FILE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Core:
    """What a CPU core can have: FPUs the compiler knows for it, and whether DSP, MVE and multiply-accumulate exist."""

    fpus: tuple[str, ...]
    dsp: bool = False
    mve: bool = False
    dsp_optional: bool = False
    mla: bool = True


CORES: Mapping[str, Core] = {
    "cortex-m0": Core((), mla=False),
    "cortex-m0plus": Core((), mla=False),
    "cortex-m3": Core(()),
    "cortex-m4": Core(("fpv4-sp-d16",), dsp=True),
    "cortex-m7": Core(("fpv5-sp-d16", "fpv5-d16"), dsp=True),
    "cortex-m33": Core(("fpv5-sp-d16",), dsp=True, dsp_optional=True),
    "cortex-m55": Core(("auto",), dsp=True, mve=True),
}


@dataclass(frozen=True)
class Region:
    """A range of memory: `origin` is an address, `size` is in bytes."""

    name: str
    origin: int
    size: int

    @property
    def end(self) -> int:
        return self.origin + self.size


@dataclass(frozen=True)
class Uart:
    """The UART of the link. `driver` names a file in firmware/bsp/uart; `clock_hz` feeds its baud divider."""

    driver: str
    base: int
    baud: int
    clock_hz: int


@dataclass(frozen=True)
class Emulator:
    """How QEMU runs the board.

    One instruction takes 2**icount_shift ns of virtual time; `counter_hz` is the rate of the SysTick counter
    in that time. Two ticks or more per instruction make the instruction count exact.
    """

    machine: str
    args: tuple[str, ...]
    icount_shift: int
    counter_hz: int

    def instructions(self, ticks: int) -> int:
        """Instructions in `ticks` of the counter, rounded to the nearest."""
        per_instruction = self.counter_hz << self.icount_shift
        return (ticks * 10**9 * 2 + per_instruction) // (2 * per_instruction)


@dataclass(frozen=True)
class Board:
    """A board.

    Attributes:
        family: folder in firmware/bsp with the chip family's clock and pins.
        cpu: core name as the compiler knows it ("cortex-m4").
        fpu: the compiler's FPU name, or "" for none (soft float).
        flash, ram: the part's true memories; `regions` are further ones (tightly coupled RAM, …).
        stack_bytes: RAM reserved for the stack.
        real_hardware: True where clocks and pins are set up for a real part, not only for the emulator.
    """

    name: str
    title: str
    family: str
    mcu: str
    cpu: str
    fpu: str
    dsp: bool
    mve: bool
    clock_hz: int
    flash: Region
    ram: Region
    regions: tuple[Region, ...]
    stack_bytes: int
    uart: Uart
    emulator: Emulator | None
    real_hardware: bool
    notes: str

    def target(self) -> Target:
        """The core that kernels are chosen for."""
        from mcugen.ops.base import Target  # imports numpy: too slow for listing boards

        return Target(cpu=self.cpu, dsp=self.dsp, mve=self.mve, mla=CORES[self.cpu].mla)

    def cpu_flags(self) -> list[str]:
        """Compiler and linker flags that choose the instruction set and the calling convention."""
        core = CORES[self.cpu]
        lacks = "+nodsp" if core.dsp_optional and not self.dsp else ""
        if core.mve and not self.mve:
            lacks += "+nomve"
        flags = [f"-mcpu={self.cpu}{lacks}", "-mthumb"]
        if self.fpu:
            return [*flags, "-mfloat-abi=hard", f"-mfpu={self.fpu}"]
        return [*flags, "-mfloat-abi=soft"]


def load_boards() -> dict[str, Board]:
    """All boards that ship with mcugen, by name, in alphabetical order."""
    return {name: load_board(name) for name in board_names()}


@functools.cache
def board_names() -> tuple[str, ...]:
    """Names of the boards that ship with mcugen, in alphabetical order."""
    return tuple(sorted(path.stem for path in resource_dir("boards").glob("*.toml")))


def load_board(name: str) -> Board:
    """The board `name`, or the board in the TOML file at path `name`.

    Raises:
        BoardError: unknown name (with close matches), unreadable file, or a field that breaks the format.
    """
    if name.endswith(".toml"):
        return read_board(Path(name))
    if name in board_names():
        return read_board(resource_dir("boards") / f"{name}.toml")
    import difflib

    close = difflib.get_close_matches(name, board_names(), n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Boards: {', '.join(board_names())}."
    raise BoardError(f"unknown board {_short(name)}", hint=f"{hint} A path to a board's own .toml file works as well")


def read_board(path: Path) -> Board:
    """Reads and checks one board file; the board's name is the file's name without .toml."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise BoardError(f"larger than {MAX_FILE_BYTES} bytes, so not a board file", where=str(path))
        data = tomllib.loads(raw.decode())
    except OSError as error:
        raise BoardError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BoardError(f"not valid TOML: {error}", where=str(path)) from error
    return _board(path, data)


def _board(path: Path, data: dict[str, Any]) -> Board:
    top = _Table(path, "", data)
    name = path.stem
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
        raise BoardError(
            f"the file's name makes the board name {_short(name)}, which is not made of a-z, 0-9 and -",
            where=str(path),
            hint="Rename the file",
        )
    cpu_table, memory, uart = top.table("cpu"), top.table("memory"), top.table("uart")
    cpu, fpu, dsp, mve = _cpu(cpu_table)
    clock_hz = top.integer("clock_hz", 1_000_000, 2_000_000_000)
    regions = {key: _region(memory.table(key), key) for key in memory.keys(r"[a-z][a-z0-9_]{0,15}")}
    for required in ("flash", "ram"):
        if required not in regions:
            raise memory.error(required, "is missing")
    _check_overlap(memory, list(regions.values()))
    flash, ram = regions.pop("flash"), regions.pop("ram")
    stack_bytes = top.integer("stack_bytes", 512, max(512, ram.size // 2))
    if stack_bytes % 16:
        raise top.error("stack_bytes", f"is {stack_bytes}, not a multiple of 16")
    board = Board(
        name=name,
        title=top.text("title"),
        family=_driver(top, "family", ""),
        mcu=top.text("mcu"),
        cpu=cpu,
        fpu=fpu,
        dsp=dsp,
        mve=mve,
        clock_hz=clock_hz,
        flash=flash,
        ram=ram,
        regions=tuple(regions.values()),
        stack_bytes=stack_bytes,
        uart=Uart(
            driver=_driver(uart, "driver", "uart"),
            base=uart.integer("base", 0, 0xFFFF_FFFC),
            baud=uart.integer("baud", 1_200, 12_000_000),
            clock_hz=uart.integer("clock_hz", 1_000_000, 2_000_000_000, default=clock_hz),
        ),
        emulator=_emulator(top.table("emulator"), clock_hz) if "emulator" in data else None,
        real_hardware=top.boolean("real_hardware"),
        notes=top.text("notes", default="", most=500),
    )
    uart.finish()
    top.finish()
    return board


def _cpu(table: _Table) -> tuple[str, str, bool, bool]:
    cpu = table.choice("core", tuple(CORES))
    core = CORES[cpu]
    fpu = table.choice("fpu", ("", *core.fpus), default="")
    features = table.strings("features", ("dsp", "mve"))
    for feature, has in (("dsp", core.dsp), ("mve", core.mve)):
        if feature in features and not has:
            raise table.error("features", f'names "{feature}", which {cpu} does not have')
    if core.dsp and not core.dsp_optional and "dsp" not in features:
        raise table.error("features", f'lacks "dsp", which every {cpu} has')
    if "mve" in features and not fpu:
        raise table.error("fpu", 'is missing, but "mve" needs it')
    table.finish()
    return cpu, fpu, "dsp" in features, "mve" in features


def _region(table: _Table, name: str) -> Region:
    origin = table.integer("origin", 0, 0xFFFF_FFF0)
    size = table.integer("size", 1024, 1 << 31)
    if origin % 16 or size % 16:
        raise table.error("origin" if origin % 16 else "size", "is not a multiple of 16")
    if origin + size > 1 << 32:
        raise table.error("size", f"reaches beyond the 32-bit address space ({origin + size:#x})")
    table.finish()
    return Region(name, origin, size)


def _check_overlap(memory: _Table, regions: list[Region]) -> None:
    ordered = sorted(regions, key=lambda region: region.origin)
    for low, high in itertools.pairwise(ordered):
        if low.end > high.origin:
            raise memory.error(high.name, f"overlaps {low.name} ({low.origin:#x}-{low.end:#x} and {high.origin:#x}-…)")


def _driver(table: _Table, key: str, kind: str) -> str:
    """A name that must exist in firmware/bsp: a family's folder, or a UART driver's file."""
    bsp = resource_dir("firmware") / "bsp"
    if kind == "uart":
        known = sorted(path.stem.removeprefix("mcg_uart_") for path in (bsp / "uart").glob("mcg_uart_*.c"))
    else:
        shared = {"cortex_m", "uart"}
        known = sorted(path.name for path in bsp.iterdir() if path.is_dir() and path.name not in shared)
    return table.choice(key, tuple(known))


_QEMU_OPTIONS = ("-cpu", "-global", "-m")
"""The only QEMU options a board file may set: others can open files and start programs."""


def _emulator(table: _Table, clock_hz: int) -> Emulator:
    args = table.strings("args", None)
    for position, arg in enumerate(args):
        pattern = r"[A-Za-z0-9][A-Za-z0-9_.,=+-]*" if position % 2 else "|".join(_QEMU_OPTIONS)
        if not re.fullmatch(pattern, arg) or len(args) % 2:
            allowed = f"pairs of {', '.join(_QEMU_OPTIONS)} and a value"
            raise table.error("args", f"holds {_short(arg)}; allowed are {allowed}")
    machine = table.text("machine")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", machine):
        raise table.error("machine", f"is {_short(machine)}, not a machine name of a-z, 0-9 and -")
    shift = table.integer("icount_shift", 0, 10)
    counter_hz = table.integer("counter_hz", 1_000_000, 2_000_000_000, default=clock_hz)
    if counter_hz << shift < 2 * 10**9:
        raise table.error(
            "icount_shift",
            f"is {shift}: an instruction takes {1 << shift} ns, less than two ticks of the {counter_hz} Hz counter,"
            " so instruction counts would not be exact",
        )
    table.finish()
    return Emulator(machine, tuple(args), shift, counter_hz)


_REQUIRED: Any = object()


class _Table:
    """One table of a board file, whose keys are taken out one by one, so that what is left is unknown."""

    def __init__(self, path: Path, name: str, data: Mapping[str, Any]) -> None:
        self._path, self._name, self._data = path, name, data
        self._taken: set[str] = set()

    def error(self, key: str, what: str) -> BoardError:
        field = f"{self._name}.{key}" if self._name else key
        return BoardError(what, where=f"{self._path}: field {field}", hint="docs/BOARDS.md describes the fields")

    def finish(self) -> None:
        for key in self._data:
            if key not in self._taken:
                known = ", ".join(sorted(self._taken))
                raise self.error(_short(key), f"is unknown (known here: {known})")

    def keys(self, pattern: str) -> list[str]:
        for key in self._data:
            if not re.fullmatch(pattern, key):
                raise self.error(_short(key), "is not a name of a-z, 0-9 and _")
        return list(self._data)

    def _take(self, key: str, kind: type, kind_name: str, default: Any) -> Any:
        self._taken.add(key)
        if key not in self._data:
            if default is _REQUIRED:
                raise self.error(key, "is missing")
            return default
        value = self._data[key]
        if type(value) is not kind:
            raise self.error(key, f"is {_short(value)}, not {kind_name}")
        return value

    def table(self, key: str) -> _Table:
        value = self._take(key, dict, "a table", _REQUIRED)
        return _Table(self._path, f"{self._name}.{key}" if self._name else key, value)

    def integer(self, key: str, low: int, high: int, default: Any = _REQUIRED) -> int:
        value: int = self._take(key, int, "an integer", default)
        if not low <= value <= high:
            raise self.error(key, f"is {value}, not between {low} and {high}")
        return value

    def boolean(self, key: str) -> bool:
        value: bool = self._take(key, bool, "true or false", _REQUIRED)
        return value

    def text(self, key: str, default: Any = _REQUIRED, most: int = 100) -> str:
        value: str = self._take(key, str, "a string", default)
        if len(value) > most or not all(" " <= char <= "~" for char in value):
            raise self.error(key, f"is not one line of at most {most} printable ASCII characters")
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: Any = _REQUIRED) -> str:
        value: str = self._take(key, str, "a string", default)
        if value not in choices:
            raise self.error(key, f"is {_short(value)}, not one of {', '.join(c for c in choices if c)}")
        return value

    def strings(self, key: str, choices: tuple[str, ...] | None) -> list[str]:
        values: list[Any] = self._take(key, list, "a list of strings", [])
        for value in values:
            if type(value) is not str:
                raise self.error(key, f"holds {_short(value)}, not a string")
            if choices is not None and value not in choices:
                raise self.error(key, f"holds {_short(value)}, not one of {', '.join(choices)}")
        return list(values)


def _short(value: object) -> str:
    """`value` as a message can show it: one line, not too long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
