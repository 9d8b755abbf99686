"""How tools are installed on this system, by the package managers that it has."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping

_COMMANDS: Mapping[str, str] = {
    "dnf": "sudo dnf install",
    "pacman": "sudo pacman -S",
    "winget": "winget install",
    "choco": "choco install",
}
"""Package managers beside Debian's and Homebrew, in the order in which they are asked."""

_PACKAGES: Mapping[str, Mapping[str, str]] = {
    "gcc": {"dnf": "gcc", "pacman": "gcc"},
    "gcc-arm-none-eabi": {
        "dnf": "arm-none-eabi-gcc-cs",
        "pacman": "arm-none-eabi-gcc",
        "winget": "Arm.GnuArmEmbeddedToolchain",
        "choco": "gcc-arm-embedded",
    },
    "libnewlib-arm-none-eabi": {
        "dnf": "arm-none-eabi-newlib",
        "pacman": "arm-none-eabi-newlib",
        "winget": "",
        "choco": "",
    },
    "libstdc++-arm-none-eabi-newlib": {
        "dnf": "arm-none-eabi-gcc-cs-c++",
        "pacman": "arm-none-eabi-gcc",
        "winget": "Arm.GnuArmEmbeddedToolchain",
        "choco": "gcc-arm-embedded",
    },
    "qemu-system-arm": {
        "dnf": "qemu-system-arm",
        "pacman": "qemu-system-arm",
        "winget": "SoftwareFreedomConservancy.QEMU",
        "choco": "qemu",
    },
    "qemu-system-misc": {
        "dnf": "qemu-system-riscv",
        "pacman": "qemu-system-riscv",
        "winget": "SoftwareFreedomConservancy.QEMU",
        "choco": "qemu",
    },
    "openocd": {"dnf": "openocd", "pacman": "openocd", "choco": "openocd"},
}
"""What a Debian package is called elsewhere; "" where another of its command brings it along."""


def how_to_install(debian: str, brew: str) -> str:
    """A command to type, or how to look for it.

    Args:
        debian: names of packages, with spaces between.
        brew: what Homebrew calls them; "" where it has none.
    """
    if platform.system() == "Darwin" and brew:
        return f"brew install {brew}"
    if shutil.which("apt-get"):
        return f"sudo apt-get install {debian}"
    for manager, command in _COMMANDS.items():
        names = [_PACKAGES.get(package, {}).get(manager) for package in debian.split()]
        if None not in names and shutil.which(manager):
            return " ".join([command, *(name for name in names if name)])
    return f"with this system's package manager (on Debian the packages are {debian})"
