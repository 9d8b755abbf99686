"""What doctor says on other systems."""

from __future__ import annotations

import platform
import shutil

import pytest

from mcugen.cores.architectures import ARM, RISCV
from mcugen.flow.installers import how_to_install


@pytest.mark.parametrize(
    ("system", "manager", "line"),
    [
        ("Darwin", "brew", "brew install --cask gcc-arm-embedded"),
        ("Linux", "apt-get", "sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"),
        ("Linux", "dnf", "sudo dnf install arm-none-eabi-gcc-cs arm-none-eabi-newlib"),
        ("Linux", "pacman", "sudo pacman -S arm-none-eabi-gcc arm-none-eabi-newlib"),
        ("Windows", "winget", "winget install Arm.GnuArmEmbeddedToolchain"),
        ("Windows", "choco", "choco install gcc-arm-embedded"),
        ("Linux", "zypper", "with this system's package manager (on Debian the packages are gcc-arm-none-eabi "),
    ],
)
def test_the_arm_compiler(system: str, manager: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name == manager else None)
    assert how_to_install(ARM.compiler_apt, ARM.compiler_brew).startswith(line)


def test_a_package_that_a_manager_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command is better than one that fails."""
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name == "winget" else None)
    assert how_to_install("openocd", "openocd").startswith("with this system's package manager")
    assert how_to_install(RISCV.qemu_apt, "qemu") == "winget install SoftwareFreedomConservancy.QEMU"
    assert how_to_install(RISCV.compiler_apt, "").startswith("with this system's package manager")
