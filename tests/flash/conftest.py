from __future__ import annotations

from pathlib import Path

import pytest

from mcugen.builder import Firmware, FlashUse, RamUse


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("mcugen.flash.runner.sys.executable", str(folder / "python"))
    return folder


@pytest.fixture
def firmware(tmp_path: Path) -> Firmware:
    """A project that was built, as far as tools for flashing see it."""
    output = tmp_path / "project" / ".pio" / "build" / "board"
    output.mkdir(parents=True)
    for name in ("firmware.elf", "firmware.bin", "firmware.uf2", "bootloader.bin", "partitions.bin"):
        (output / name).write_bytes(name.encode())
    nothing = FlashUse(0, 0, 0, 0)
    return Firmware(
        project=tmp_path / "project",
        board="board",
        elf=output / "firmware.elf",
        map=output / "firmware.map",
        flash=nothing,
        ram=RamUse(0, 0, 0, 0),
        symbols=(),
        toolchain="",
    )
