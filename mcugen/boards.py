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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcugen.architectures import ARM, RISCV, XTENSA, Architecture, family_architecture
from mcugen.errors import BoardError
from mcugen.resources import resource_dir
from mcugen.toml_table import Table, short

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

if TYPE_CHECKING:
    from mcugen.ops.base import Target

MAX_FILE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Core:
    """What a CPU core can have: FPUs the compiler knows for it, and whether DSP, MVE and multiply-accumulate exist.

    Cores that are not Arm's run the portable kernels.
    """

    fpus: tuple[str, ...]
    dsp: bool = False
    mve: bool = False
    dsp_optional: bool = False
    mla: bool = True
    architecture: Architecture = ARM


CORES: Mapping[str, Core] = {
    "cortex-m0": Core((), mla=False),
    "cortex-m0plus": Core((), mla=False),
    "cortex-m3": Core(()),
    "cortex-m4": Core(("fpv4-sp-d16",), dsp=True),
    "cortex-m7": Core(("fpv5-sp-d16", "fpv5-d16"), dsp=True),
    "cortex-m33": Core(("fpv5-sp-d16",), dsp=True, dsp_optional=True),
    "cortex-m55": Core(("auto",), dsp=True, mve=True),
    "xtensa-lx6": Core((), mla=False, architecture=XTENSA),
    "xtensa-lx7": Core((), mla=False, architecture=XTENSA),
    "rv32imc": Core((), mla=False, architecture=RISCV),
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
    """The UART of the link. `driver` names a file in firmware/bsp/uart; `clock_hz` feeds its baud divider.

    `tx_pin` and `rx_pin` are for chips that can put a UART on any pin; None where the chip family knows them. Where a
    framework drives the UART, only `baud` means something, and `driver` is "".
    """

    driver: str
    base: int
    baud: int
    clock_hz: int
    tx_pin: int | None = None
    rx_pin: int | None = None


@dataclass(frozen=True)
class Framework:
    """PlatformIO's framework, for chips that mcugen has no start-up code for.

    Attributes:
        name: "arduino".
        platform, board: as in platformio.ini: PlatformIO's platform (a name, or the URL of a Git repository), and its
            id of the board.
        options: further lines of the environment.
        flash_bytes, ram_bytes: roughly what the framework itself takes.
    """

    name: str
    platform: str
    board: str
    options: tuple[tuple[str, str], ...]
    flash_bytes: int
    ram_bytes: int


@dataclass(frozen=True)
class Flashing:
    """How firmware gets onto the board.

    Attributes:
        tools: names of mcugen.flash's tools that can do it, the best first; none where a person has to do it.
        pyocd: pyOCD's name of the target.
        openocd: OpenOCD's configuration files.
        esptool: esptool's name of the chip.
        uf2: the Board-ID that its boot loader's INFO_UF2.TXT shows.
        usb: "VID:PID", in lower case, of the serial ports that the board itself shows on USB.
        usb_bridge: "VID:PID" of general USB-to-serial chips that such boards carry: other things have them as well.
    """

    tools: tuple[str, ...] = ()
    pyocd: str = ""
    openocd: tuple[str, ...] = ()
    esptool: str = ""
    uf2: str = ""
    usb: tuple[str, ...] = ()
    usb_bridge: tuple[str, ...] = ()


@dataclass(frozen=True)
class Emulator:
    """How QEMU runs the board.

    One instruction takes 2**icount_shift ns of virtual time; `counter_hz` is the rate of the core's counter (SysTick,
    mcycle) in that time. Two ticks or more per instruction make the instruction count exact.
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
class Renode:
    """How Renode models the board: a platform that Renode brings along, and the name of the link's UART in it."""

    platform: str
    uart: str


@dataclass(frozen=True)
class Board:
    """A board.

    Attributes:
        family: folder in firmware/bsp with the chip family's clock and pins; "" where `framework` starts the chip.
        cpu: core name as the compiler knows it ("cortex-m4").
        fpu: the compiler's FPU name, or "" for none (soft float).
        flash, ram: the part's true memories; `regions` are further ones (tightly coupled RAM, …). One that is named
            "vectors" gets the table that the core starts from, where flash is not where it looks for it.
        stack_bytes: RAM reserved for the stack.
        real_hardware: True where clocks and pins are set up for a real part, not only for the emulator.
        own_linker_script: the user brings the linker script, which tells the memories: without it they are of size 0
            (see `mcugen.linker_script`).
        linker_script: the text of that script, made fit for our start-up; "" otherwise, and once a project holds it.
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
    framework: Framework | None = None
    flashing: Flashing = Flashing()
    own_linker_script: bool = False
    linker_script: str = field(default="", compare=False)
    renode: Renode | None = None

    def region(self, name: str) -> Region | None:
        """A memory beside flash and RAM, by its name; None where there is none of it."""
        return next((region for region in self.regions if region.name == name), None)

    @property
    def architecture(self) -> Architecture:
        """The core's instruction set and its tools."""
        return CORES[self.cpu].architecture

    def target(self) -> Target:
        """The core that kernels are chosen for."""
        from mcugen.ops.base import Target  # imports numpy: too slow for listing boards

        return Target(cpu=self.cpu, dsp=self.dsp, mve=self.mve, mla=CORES[self.cpu].mla)

    def cpu_flags(self) -> list[str]:
        """Compiler and linker flags that choose the instruction set and the calling convention."""
        core = CORES[self.cpu]
        if core.architecture is RISCV:
            return [f"-march={self.cpu}", "-mabi=ilp32"]
        if core.architecture is not ARM:
            return []  # the framework's compiler knows
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
    raise BoardError(f"unknown board {short(name)}", hint=f"{hint} A path to a board's own .toml file works as well")


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
    cpu, fpu, dsp, mve = _cpu(cpu_table)
    clock_hz = top.integer("clock_hz", 1_000_000, 2_000_000_000)
    if own_script and not top.has("memory"):
        regions = {name: Region(name, 0, 0) for name in ("flash", "ram")}
    else:
        regions = _regions(top.table("memory"))
    flash, ram = regions.pop("flash"), regions.pop("ram")
    stack_bytes = top.integer("stack_bytes", 512, max(512, ram.size // 2) if ram.size else 65_536)
    if stack_bytes % 16:
        raise top.error("stack_bytes", f"is {stack_bytes}, not a multiple of 16")
    framework = _framework(top.table("framework")) if "framework" in data else None
    if framework is None and not CORES[cpu].architecture.bsp:
        raise top.error("framework", f"is missing: mcugen has no start-up code for {cpu}")
    board = Board(
        name=name,
        title=top.text("title"),
        family=_family(top, cpu) if framework is None else "",
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
        uart=_uart(uart, clock_hz, framework),
        emulator=_emulator(top.table("emulator"), clock_hz) if "emulator" in data else None,
        real_hardware=top.boolean("real_hardware"),
        notes=top.text("notes", default="", most=500),
        framework=framework,
        flashing=_flashing(top.table("flash")) if "flash" in data else Flashing(),
        own_linker_script=own_script,
        renode=_renode(top.table("renode")) if "renode" in data else None,
    )
    if framework is not None and board.emulator is not None:
        raise top.error("emulator", "does not go with a framework, whose firmware needs the whole chip")
    top.finish()
    return board


def _cpu(table: Table) -> tuple[str, str, bool, bool]:
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


def _regions(memory: Table) -> dict[str, Region]:
    regions = {key: _region(memory.table(key), key) for key in memory.keys(r"[a-z][a-z0-9_]{0,15}")}
    for required in ("flash", "ram"):
        if required not in regions:
            raise memory.error(required, "is missing")
    _check_overlap(memory, list(regions.values()))
    return regions


def _region(table: Table, name: str) -> Region:
    origin = table.integer("origin", 0, 0xFFFF_FFF0)
    size = table.integer("size", 1024, 1 << 31)
    if origin % 16 or size % 16:
        raise table.error("origin" if origin % 16 else "size", "is not a multiple of 16")
    if origin + size > 1 << 32:
        raise table.error("size", f"reaches beyond the 32-bit address space ({origin + size:#x})")
    table.finish()
    return Region(name, origin, size)


def _check_overlap(memory: Table, regions: list[Region]) -> None:
    ordered = sorted(regions, key=lambda region: region.origin)
    for low, high in itertools.pairwise(ordered):
        if low.end > high.origin:
            raise memory.error(high.name, f"overlaps {low.name} ({low.origin:#x}-{low.end:#x} and {high.origin:#x}-…)")


def families(architecture: Architecture | None = None) -> tuple[str, ...]:
    """The chip families in firmware/bsp, of one architecture or of all, in alphabetical order."""
    names = sorted(path.parent.name for path in (resource_dir("firmware") / "bsp").glob("*/mcg_family.h"))
    return tuple(name for name in names if architecture in (None, family_architecture(name)))


def _family(top: Table, cpu: str) -> str:
    return top.choice("family", families(CORES[cpu].architecture))


def _renode(table: Table) -> Renode:
    renode = Renode(
        platform=table.matching("platform", r"platforms/(?:boards|cpus)/[A-Za-z0-9_-]{1,60}\.repl"),
        uart=table.matching("uart", r"[A-Za-z][A-Za-z0-9_]{0,30}"),
    )
    table.finish()
    return renode


_QEMU_OPTIONS = ("-cpu", "-global", "-m")
"""The only QEMU options a board file may set: others can open files and start programs."""


def _emulator(table: Table, clock_hz: int) -> Emulator:
    args = table.strings("args", None)
    for position, arg in enumerate(args):
        pattern = r"[A-Za-z0-9][A-Za-z0-9_.,=+-]*" if position % 2 else "|".join(_QEMU_OPTIONS)
        if not re.fullmatch(pattern, arg) or len(args) % 2:
            allowed = f"pairs of {', '.join(_QEMU_OPTIONS)} and a value"
            raise table.error("args", f"holds {short(arg)}; allowed are {allowed}")
    machine = table.text("machine")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", machine):
        raise table.error("machine", f"is {short(machine)}, not a machine name of a-z, 0-9 and -")
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
