"""What a board is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcugen.cores import cores
from mcugen.cores.architectures import ARM, RISCV, Architecture
from mcugen.cores.types import Core
from mcugen.emulators import DEFAULT
from mcugen.emulators.qemu import Qemu

if TYPE_CHECKING:
    from mcugen.ops.base import Target


@dataclass(frozen=True)
class Region:
    """A range of memory: `origin` is an address, `size` is in bytes.

    Attributes:
        kind: "dtcm", "sram", "psram", "flash" or "qspi"; "" where the board file does not say.
        read_cycles, write_cycles: (low, nominal, high) cycles that an access of up to a word waits, beyond the core's
            own; None where the board file does not say.
        holds: what of a model may lie there: "arena", "weights". Flash and RAM need not say it.
        dma: DMA reaches it.
        source: the document that says so.
    """

    name: str
    origin: int
    size: int
    kind: str = ""
    read_cycles: tuple[float, float, float] | None = None
    write_cycles: tuple[float, float, float] | None = None
    holds: tuple[str, ...] = ()
    dma: bool = True
    source: str = ""

    @property
    def end(self) -> int:
        return self.origin + self.size

    @property
    def is_ram(self) -> bool:
        """It is lost without power, so that what lies there is copied or computed after a start."""
        return self.kind not in NON_VOLATILE


NON_VOLATILE = ("flash", "qspi")
KINDS = ("dtcm", "sram", "psram", *NON_VOLATILE)


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
class Cache:
    """A cache of `lines` lines of `line_bytes` bytes; without lines every read of another line goes to the memory."""

    lines: int
    line_bytes: int
    ways: int


@dataclass(frozen=True)
class FlashFront:
    """What stands between core and flash.

    Attributes:
        code, data: the caches for instructions and for data.
        shared: data goes through the cache for instructions.
    """

    code: Cache
    data: Cache
    shared: bool = False


@dataclass(frozen=True)
class MemoryTiming:
    """How long the flash takes. All other memories answer at once.

    Attributes:
        miss: (low, nominal, high) cycles that a read waits which no cache holds.
        hidden: of these, how many pass while the line before is executed, if instructions are fetched ahead.
        front: the caches; None where flash answers at once, so that they do not matter.
        multiplier: "fast" or "small" where the core's maker leaves the choice, "" where it is not known.
        source: the documents that say so.
    """

    miss: tuple[float, float, float]
    hidden: tuple[float, float, float]
    front: FlashFront | None
    multiplier: str
    source: str


@dataclass(frozen=True)
class Power:
    """Power while an inference runs, in mW: the least and the most that was published, and between them the usual."""

    active_mw: tuple[float, float, float]
    source: str


@dataclass(frozen=True)
class Board:
    """A board.

    Attributes:
        family: folder in firmware/bsp with the chip family's clock and pins; "" where `framework` starts the chip.
        cpu: core name as the compiler knows it ("cortex-m4").
        fpu: the compiler's FPU name, or "" for none (soft float).
        features: the extensions of the instruction set that the part has ("dsp", "mve").
        flash, ram: the part's true memories; `regions` are further ones (tightly coupled RAM, …). One that is named
            "vectors" gets the table that the core starts from, where flash is not where it looks for it.
        stack_bytes: RAM reserved for the stack.
        models: how emulators run the board: (the emulator's name, its model) each.
        real_hardware: True where clocks and pins are set up for a real part, not only for the emulator.
        own_linker_script: the user brings the linker script, which tells the memories: without it they are of size 0
            (see `mcugen.boards.linker_script`).
        maker: whom people know the board by; "" for boards of no maker.
        aliases: what people call it, too. Case, spaces and signs do not count.
        near: names of boards that are not supported and have this one's core or chip family.
        linker_script: the text of that script, made fit for our start-up; "" otherwise, and once a project holds it.
        timing: how long its flash takes at `clock_hz`; None where that is not known.
        power: None where none is published.
    """

    name: str
    title: str
    family: str
    mcu: str
    cpu: str
    fpu: str
    features: tuple[str, ...]
    clock_hz: int
    flash: Region
    ram: Region
    regions: tuple[Region, ...]
    stack_bytes: int
    uart: Uart
    models: tuple[tuple[str, Any], ...]
    real_hardware: bool
    notes: str
    framework: Framework | None = None
    flashing: Flashing = Flashing()
    own_linker_script: bool = False
    maker: str = field(default="", compare=False)
    aliases: tuple[str, ...] = field(default=(), compare=False)
    near: tuple[str, ...] = field(default=(), compare=False)
    linker_script: str = field(default="", compare=False)
    timing: MemoryTiming | None = field(default=None, compare=False)
    power: Power | None = field(default=None, compare=False)

    def model(self, emulator: str) -> Any:
        """How an emulator, by its name, runs the board; None where it does not."""
        return dict(self.models).get(emulator)

    @property
    def emulator(self) -> Qemu | None:
        """How the default emulator runs the board, which counts instructions; None where it does not."""
        model: Qemu | None = self.model(DEFAULT)
        return model

    @property
    def memories(self) -> tuple[Region, ...]:
        """Flash, RAM, and what else there is."""
        return (self.flash, self.ram, *self.regions)

    @property
    def placed(self) -> tuple[Region, ...]:
        """The memories beside flash and RAM that parts of a model may lie in; none on most boards."""
        return tuple(region for region in self.regions if region.holds)

    @property
    def flash_bytes(self) -> int:
        """Of flash and of what holds weights without power."""
        return self.flash.size + sum(region.size for region in self.placed if not region.is_ram)

    @property
    def ram_bytes(self) -> int:
        """Of RAM and of what else holds arenas or weights in use."""
        return self.ram.size + sum(region.size for region in self.placed if region.is_ram)

    def region(self, name: str) -> Region | None:
        """A memory beside flash and RAM, by its name; None where there is none of it."""
        return next((region for region in self.regions if region.name == name), None)

    @property
    def architecture(self) -> Architecture:
        """The core's instruction set and its tools."""
        return self.core.architecture

    @property
    def core(self) -> Core:
        """What is known of the core."""
        return cores()[self.cpu]

    def target(self) -> Target:
        """The core that kernels are chosen for."""
        from mcugen.ops.base import Target  # imports numpy: too slow for listing boards

        return Target(self.cpu, self.core.kernel_sets(self.features))

    def cpu_flags(self) -> list[str]:
        """Compiler and linker flags that choose the instruction set and the calling convention."""
        if self.architecture is RISCV:
            return [f"-march={self.cpu}", "-mabi=ilp32"]
        if self.architecture is not ARM:
            return []  # the framework's compiler knows
        lacks = "".join(feature.absent for feature in self.core.features if feature.name not in self.features)
        flags = [f"-mcpu={self.cpu}{lacks}", "-mthumb"]
        if self.fpu:
            return [*flags, "-mfloat-abi=hard", f"-mfpu={self.fpu}"]
        return [*flags, "-mfloat-abi=soft"]
