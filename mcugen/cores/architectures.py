"""Instruction sets, and the tools of each: compiler, C library, emulator, and what its faults are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Architecture:
    """An instruction set.

    Attributes:
        name: as people call it.
        bsp: folder in firmware/bsp with start-up, counter and trap handler, and name of the linker script's template;
            "" where mcugen has none, so that only a framework can start such a chip.
        family_prefix: how the folders of its chip families begin; "" for those of no other architecture.
        tools: what the names of its GNU tools begin with.
        library: the C library's name.
        compile_flags, link_flags: what chooses that library.
        library_file: a file that the compiler finds where the library is installed for a core.
        compiler_apt, compiler_brew: packages of compiler and library.
        qemu: the emulator's program.
        qemu_args: what it needs to run bare firmware, whatever the board.
        qemu_apt: its package; Homebrew's `qemu` has all.
        fault_flag: bits that a device sets in a fault's exception number, which tell the architecture.
        exceptions: their numbers without that flag → names.
    """

    name: str
    bsp: str = ""
    family_prefix: str = ""
    tools: str = ""
    library: str = ""
    compile_flags: tuple[str, ...] = ()
    link_flags: tuple[str, ...] = ()
    library_file: str = ""
    compiler_apt: str = ""
    compiler_brew: str = ""
    qemu: str = ""
    qemu_args: tuple[str, ...] = ()
    qemu_apt: str = ""
    fault_flag: int = 0
    exceptions: Mapping[int, str] = field(default_factory=dict, hash=False)

    @property
    def compiler(self) -> str:
        """The C compiler's name."""
        return f"{self.tools}gcc"

    @property
    def addr2line(self) -> str:
        """The program that finds the line of an address."""
        return f"{self.tools}addr2line"

    def how_to_install_compiler(self) -> str:
        """For the hint of an error."""
        brew = f", brew install {self.compiler_brew} (macOS)" if self.compiler_brew else ""
        return f"Install it: apt-get install {self.compiler_apt} (Debian, Ubuntu){brew}"

    def how_to_install_qemu(self) -> str:
        """For the hint of an error."""
        return f"Install it: sudo apt install {self.qemu_apt} (Debian, Ubuntu), brew install qemu (macOS)"


ARM = Architecture(
    name="Arm",
    bsp="cortex_m",
    tools="arm-none-eabi-",
    library="newlib",
    link_flags=("--specs=nano.specs", "--specs=nosys.specs"),
    library_file="libc_nano.a",
    compiler_apt="gcc-arm-none-eabi libnewlib-arm-none-eabi",
    compiler_brew="--cask gcc-arm-embedded",
    qemu="qemu-system-arm",
    qemu_apt="qemu-system-arm",
    exceptions={2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault", 7: "SecureFault"},
)

RISCV = Architecture(
    name="RISC-V",
    bsp="riscv",
    family_prefix="riscv_",
    tools="riscv64-unknown-elf-",
    library="picolibc",
    compile_flags=("--specs=picolibc.specs",),
    link_flags=("--specs=picolibc.specs",),
    library_file="picolibc.specs",
    compiler_apt="gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
    qemu="qemu-system-riscv32",
    qemu_args=("-bios", "none"),
    qemu_apt="qemu-system-misc",
    fault_flag=0x10000,
    # The Privileged Architecture's mcause for exceptions.
    exceptions={
        0: "misaligned jump",
        1: "instruction access fault",
        2: "illegal instruction",
        3: "breakpoint",
        4: "misaligned load",
        5: "load access fault",
        6: "misaligned store",
        7: "store access fault",
        8: "call from user mode",
        11: "call from machine mode",
    },
)

XTENSA = Architecture(name="Xtensa")

BARE_METAL = (ARM, RISCV)
"""Those with start-up code of mcugen's."""


def family_architecture(family: str) -> Architecture:
    """The architecture of a chip family, by its folder's name in firmware/bsp."""
    named = (arch for arch in BARE_METAL if arch.family_prefix and family.startswith(arch.family_prefix))
    return next(named, ARM)


def fault_architecture(exception: int) -> Architecture:
    """The architecture of the device that reports a fault, by its exception number."""
    flagged = (arch for arch in BARE_METAL if arch.fault_flag and exception & arch.fault_flag)
    return next(flagged, ARM)
