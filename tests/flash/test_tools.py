"""Every tool: the arguments it gets, and what a person reads when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcugen.boards.read import TOOLS as NAMES
from mcugen.boards.shipped import load_board, load_boards
from mcugen.builder import Firmware
from mcugen.errors import BoardError, DeviceError, ToolError
from mcugen.flash import flash_board, runner, uf2, usb
from mcugen.flash.flash import TOOLS, can_flash
from tests.flash.fakes import fake_ports, fake_tool

NUCLEO, DK = load_board("nucleo-f446re"), load_board("nrf52840-dk")
ESP, S3, PICO = load_board("esp32dev"), load_board("esp32-s3"), load_board("pico-usb")
ST_PORT = ("/dev/ttyACM0", "0483:374b", "066A")
J_PORT = ("/dev/ttyACM1", "1366:1015", "000683")
PROBES = {"boards": [{"unique_id": "683", "info": "J-Link", "vendor_name": "SEGGER"}], "status": 0}


@pytest.fixture(autouse=True)
def _no_usb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb, "SYSFS", tmp_path / "sys")


def test_every_tool_that_a_board_may_name_exists() -> None:
    assert set(TOOLS) == set(NAMES)
    for board in load_boards().values():
        assert board.framework is not None or "platformio" not in board.flashing.tools


def fake_pyocd(bin_dir: Path, output: str = "", code: int = 0, probes: object = PROBES):  # type: ignore[no-untyped-def]
    body = f"if sys.argv[1] == 'json':\n    print({json.dumps(probes)!r})\n    sys.exit(0)"
    return fake_tool(bin_dir, "pyocd", output, code, body)


# ---- what they are called with


def test_pyocd(bin_dir: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, [J_PORT])
    tool = fake_pyocd(bin_dir)
    flashed = flash_board(firmware, DK)
    assert (flashed.tool, flashed.probe, flashed.port) == ("pyocd", "683", "/dev/ttyACM1")
    flash = ["flash", "--no-wait", "--target", "nrf52840", "--uid", "683", "firmware.elf"]
    assert tool.calls == [["json", "--probes"], flash]


def test_openocd(bin_dir: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, [ST_PORT])
    tool = fake_tool(bin_dir, "openocd")
    flash_board(firmware, NUCLEO, probe="066A")
    config = ["-f", "interface/stlink.cfg", "-c", "adapter serial 066A", "-f", "target/stm32f4x.cfg"]
    assert tool.calls == [[*config, "-c", "program firmware.elf verify reset exit"]]
    fake_ports(monkeypatch, [J_PORT])
    flash_board(firmware, DK, tool="openocd")
    assert tool.calls[1][:4] == ["-f", "interface/jlink.cfg", "-c", "transport select swd"]


def test_esptool(bin_dir: Path, firmware: Firmware) -> None:
    sees = bin_dir / "ota.txt"
    body = f"open({str(sees)!r}, 'wb').write(open(sys.argv[sys.argv.index('0xe000') + 1], 'rb').read())"
    tool = fake_tool(bin_dir, "esptool", body=body)
    flash_board(firmware, ESP, port="/dev/ttyUSB0", tool="esptool")
    (call,) = tool.calls
    assert call[:7] == ["--chip", "esp32", "--port", "/dev/ttyUSB0", "--baud", "460800", "write_flash"]
    output = firmware.elf.parent
    parts = dict(zip(call[7::2], call[8::2], strict=True))
    assert parts.pop("0xe000").endswith("ota_data.bin")
    assert parts == {
        "0x1000": str(output / "bootloader.bin"),
        "0x8000": str(output / "partitions.bin"),
        "0x10000": str(output / "firmware.bin"),
    }
    assert sees.read_bytes() == b"\xff" * 0x2000
    flash_board(firmware, S3, port="/dev/ttyUSB0", tool="esptool")
    assert tool.calls[1][7] == "0x0"


def test_esptool_under_its_old_name(bin_dir: Path, firmware: Firmware) -> None:
    tool = fake_tool(bin_dir, "esptool.py")
    flash_board(firmware, ESP, port="/dev/ttyUSB0", tool="esptool")
    assert len(tool.calls) == 1


def test_picotool(bin_dir: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, [])
    tool = fake_tool(bin_dir, "picotool")
    flashed = flash_board(firmware, PICO, tool="picotool", probe="E66")
    uf2_path = str(firmware.elf.parent / "firmware.uf2")
    assert tool.calls == [["load", "-v", "-x", uf2_path, "-f", "--ser", "E66"]]
    assert flashed.port is None, "it comes into being when the firmware runs"


# ---- how they fail

PYOCD = [
    ("[Errno 13] Access denied (insufficient permissions)", "no permission to use the debug probe", "udev rules"),
    ("usb.core.USBError: [Errno 16] Resource busy", "another program holds the debug probe", "Close serial monitors"),
    ("No connected debug probes\n0000290 E No target device available [load_cmd]", "no debug probe", "data cable"),
    (
        "0001 C Target type nrf52840 not recognized. Use 'pyocd list --targets'",
        "does not know",
        "pyocd pack install nrf52840",
    ),
    ("0002 E No ACK received", "chip does not answer", "right board"),
    ("0003 C flash program page failure (address 0x00001000; result code 0x1)", "writing failed midway", "incomplete"),
]
OPENOCD = [
    ("Error: libusb_open() failed with LIBUSB_ERROR_ACCESS\nError: open failed", "no permission", "udev rules"),
    ("Error: libusb_claim_interface() failed with LIBUSB_ERROR_BUSY", "another program holds", "Close serial"),
    ("Error: open failed\nin procedure 'init'", "no debug probe was found", "data cable"),
    ("Error: unable to find a matching CMSIS-DAP device", "no debug probe was found", "data cable"),
    ("Warn : UNEXPECTED idcode: 0x1ba01477\nError: open failed", "the chip is not this board's", "right board"),
    ("Error: Cannot identify target as a STM32 family.\n** Programming Failed **", "not this board's", "right board"),
    ("Error: init mode failed (unable to connect to the target)", "the chip does not answer", "powered"),
    ("Error: error writing to flash at address 0x08000000\n** Programming Failed **", "midway", "incomplete firmware"),
    ("** Verify Failed **", "what was read back differs", "Try again"),
    ("Can't find interface/stlink.cfg", "too old", "0.12"),
]
ESPTOOL = [
    (
        "Could not open /dev/x, the port is busy or doesn't exist.\n([Errno 13] could not open port: Permission denied",
        "no permission to use the port",
        "dialout",
    ),
    (
        "Could not open /dev/x, the port is busy or doesn't exist.\n([Errno 11] Could not exclusively lock port",
        "another program holds the port",
        "Close serial monitors",
    ),
    (
        "Could not open /dev/x, the port is busy or doesn't exist.\n([Errno 2] could not open port",
        "no such port",
        "data cable",
    ),
    ("A fatal error occurred: This chip is ESP32-S3, not ESP32. Wrong --chip argument?", "not this board's", "right"),
    ("A fatal error occurred: Failed to connect to ESP32: No serial data received.", "boot loader", "Hold the button"),
    ("Writing at 0x00010000... (3 %)\nA fatal error occurred: The chip stopped responding.", "midway", "incomplete"),
]
PICOTOOL = [
    (
        "No accessible RP2040 devices in BOOTSEL mode were found.\nbut:\nDevice at bus 3 appears to be a RP2040 device "
        "in BOOTSEL mode, but picotool was unable to connect.",
        "no permission",
        "udev",
    ),
    ("No accessible RP2040/RP2350 devices in BOOTSEL mode were found.", "no board is in its boot loader", "BOOTSEL"),
    ("ERROR: Command requires a single RP2040 device to be targeted.", "several boards", "`probe=SERIAL`"),
    ("ERROR: Family ID 'rp2350-arm-s' cannot be downloaded anywhere", "not this board's", "pico2"),
    ("ERROR: The RP2040 device returned an error: unknown", "midway", "incomplete firmware"),
]
CASES = [
    *(("pyocd", "nrf52840-dk", *case) for case in PYOCD),
    *(("openocd", "nucleo-f446re", *case) for case in OPENOCD),
    *(("esptool", "esp32dev", *case) for case in ESPTOOL),
    *(("picotool", "pico-usb", *case) for case in PICOTOOL),
]


@pytest.mark.parametrize(("tool", "board", "output", "what", "hint"), CASES)
def test_failures_are_explained(
    tool: str,
    board: str,
    output: str,
    what: str,
    hint: str,
    bin_dir: Path,
    firmware: Firmware,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_ports(monkeypatch, [ST_PORT, J_PORT])
    if tool == "pyocd":
        fake_pyocd(bin_dir, output, 1)
    else:
        fake_tool(bin_dir, tool, output, 1)
    with pytest.raises(DeviceError) as error:
        flash_board(firmware, load_board(board), tool=tool, port="/dev/x")
    assert what in error.value.what
    assert hint in error.value.hint
    assert board in error.value.where


def test_what_is_not_known_is_shown(bin_dir: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, [ST_PORT])
    fake_tool(bin_dir, "openocd", "Info : hello\nError: the moon is full\n", 3)
    with pytest.raises(DeviceError, match=r"openocd failed with exit code 3:\n  Info : hello\n  Error: the moon"):
        flash_board(firmware, NUCLEO)
    fake_tool(bin_dir, "openocd", "", 1)
    with pytest.raises(DeviceError, match="it printed nothing"):
        flash_board(firmware, NUCLEO)


def test_a_tool_that_hangs_is_ended(bin_dir: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tool(bin_dir, "openocd", body="import time; time.sleep(60)")
    with pytest.raises(DeviceError, match="openocd did not finish in 0 s"):
        runner.run_tool([str(bin_dir / "openocd")], (), where="x", cwd=bin_dir, timeout=0.3)
    (bin_dir / "openocd").write_text("no program")
    with pytest.raises(DeviceError, match="openocd cannot be run: Exec format error"):
        runner.run_tool([str(bin_dir / "openocd")], (), where="x", cwd=bin_dir)


def test_a_list_of_probes_that_is_none(bin_dir: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, [J_PORT])
    fake_pyocd(bin_dir, probes=[1])
    with pytest.raises(DeviceError, match="list of probes cannot be read"):
        flash_board(firmware, DK)
    fake_pyocd(bin_dir, probes={"status": 1, "error": "no backend available"})
    with pytest.raises(DeviceError, match="cannot list probes: no backend available"):
        flash_board(firmware, DK)


def test_several_probes_are_no_guess(bin_dir: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, [("/dev/ttyACM1", "1366:1015", "")])
    two = {"boards": [{"unique_id": "683"}, {"unique_id": "684"}], "status": 0}
    tool = fake_pyocd(bin_dir, probes=two)
    with pytest.raises(DeviceError, match="several debug probes are connected: 683"):
        flash_board(firmware, DK)
    assert [call[0] for call in tool.calls] == ["json"], "nothing was written"
    assert flash_board(firmware, DK, probe="0684", port="/dev/ttyACM1").probe == "684"
    with pytest.raises(DeviceError, match="is not a probe's serial number"):
        flash_board(firmware, DK, probe="x; shutdown")


def test_missing_tools_are_named(bin_dir: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, [ST_PORT])
    with pytest.raises(ToolError, match=r"openocd and pyocd are not installed.*apt-get install openocd.*pip install"):
        flash_board(firmware, NUCLEO)
    with pytest.raises(ToolError, match=r"pyocd is not installed\. Install it: pyocd: pip install pyocd"):
        flash_board(firmware, NUCLEO, tool="pyocd")
    with pytest.raises(BoardError, match=r"'esptool' cannot flash this board\. Tools: openocd, pyocd"):
        flash_board(firmware, NUCLEO, tool="esptool")
    with pytest.raises(BoardError, match="does not know how to flash Arm MPS2"):
        flash_board(firmware, load_board("mps2-an386"))


def test_a_build_without_its_files(bin_dir: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, [])
    (firmware.elf.parent / "partitions.bin").unlink()
    (firmware.elf.parent / "firmware.uf2").unlink()
    tools = [fake_tool(bin_dir, "esptool"), fake_tool(bin_dir, "picotool")]
    with pytest.raises(DeviceError, match=r"the build left no partitions\.bin"):
        flash_board(firmware, ESP, tool="esptool", port="/dev/x")
    with pytest.raises(DeviceError, match=r"the build left no firmware\.uf2"):
        flash_board(firmware, PICO, tool="picotool")
    assert [tool.calls for tool in tools] == [[], []]


def test_boards_without_a_port_to_be_told_by_are_not_flashed(
    bin_dir: Path, firmware: Firmware, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_ports(monkeypatch, [("/dev/ttyS0", "", "")])
    tool = fake_tool(bin_dir, "openocd")
    with pytest.raises(DeviceError, match="no serial port of this board was found"):
        flash_board(firmware, load_board("stm32f4-discovery"))
    assert tool.calls == [], "what cannot be checked afterwards is not written"


def test_what_can_be_flashed_from_here() -> None:
    assert can_flash(NUCLEO, None)
    assert can_flash(NUCLEO, "/dev/ttyACM0")
    assert not can_flash(NUCLEO, "rfc2217://bench:4000")
    assert not can_flash(load_board("mps2-an386"), "/dev/ttyACM0")


# ---- UF2 disks


@pytest.fixture
def disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose sub-folders are mounted disks, as /proc/mounts tells."""
    folder = tmp_path / "media disk"
    folder.mkdir()
    mounts = tmp_path / "mounts"

    def mount(name: str, info: str) -> None:
        (folder / name).mkdir()
        (folder / name / "INFO_UF2.TXT").write_text(info)
        escaped = str(folder / name).replace(" ", "\\040")
        with mounts.open("a") as file:
            file.write(f"/dev/sda1 {escaped} vfat rw 0 0\n")

    mounts.write_text("proc /proc proc rw 0 0\n/dev/sdb1 /nowhere vfat rw 0 0\n")
    monkeypatch.setattr(uf2, "MOUNTS", mounts)
    monkeypatch.setattr(uf2, "mount", mount, raising=False)
    fake_ports(monkeypatch, [])
    return folder


def mount(name: str, board_id: str = "RPI-RP2") -> None:
    uf2.mount(name, f"UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: {board_id}\r\n")  # type: ignore[attr-defined]


def test_uf2_is_copied_to_the_boards_disk(firmware: Firmware, disks: Path) -> None:
    mount("RPI-RP2")
    mount("OTHER", "SAMD51")
    flash_board(firmware, PICO, tool="uf2")
    assert (disks / "RPI-RP2" / "firmware.uf2").read_bytes() == b"firmware.uf2"
    assert not (disks / "OTHER" / "firmware.uf2").exists()


def test_uf2_without_a_disk(firmware: Firmware, disks: Path) -> None:
    with pytest.raises(DeviceError, match=r"no board shows its boot loader's disk\. Hold BOOTSEL"):
        flash_board(firmware, PICO, tool="uf2")


def test_uf2_of_another_chip_or_of_several_boards(firmware: Firmware, disks: Path) -> None:
    mount("RP2350", "RP2350")
    with pytest.raises(DeviceError, match=r"the disk is another chip's: .*RP2350 \(RP2350\), not RPI-RP2"):
        flash_board(firmware, PICO, tool="uf2")
    mount("A")
    mount("B")
    with pytest.raises(DeviceError, match=r"several boards show their disks: .*A, .*B\. Unplug"):
        flash_board(firmware, PICO, tool="uf2")


def test_uf2_that_fails_half_way(firmware: Firmware, disks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mount("RPI-RP2")
    (disks / "RPI-RP2" / "firmware.uf2").symlink_to("/dev/full")
    with pytest.raises(DeviceError, match="writing failed midway: No space left"):
        flash_board(firmware, PICO, tool="uf2")


def test_uf2_after_which_the_disk_vanishes_is_written(
    firmware: Firmware, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanished(_file: int) -> None:
        raise OSError(5, "Input/output error")

    mount("RPI-RP2")
    monkeypatch.setattr(uf2.os, "fsync", vanished)
    flash_board(firmware, PICO, tool="uf2")
    assert (disks / "RPI-RP2" / "firmware.uf2").exists()


def test_uf2_asks_a_running_firmware_for_its_boot_loader(
    firmware: Firmware, disks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    class Serial:
        def __init__(self, port: str, baud: int, exclusive: bool) -> None:
            opened.append((port, baud))
            mount("RPI-RP2")

        def close(self) -> None:
            pass

    monkeypatch.setattr("serial.Serial", Serial)
    fake_ports(monkeypatch, [("/dev/ttyACM5", "2e8a:000a", "E66")])
    flash_board(firmware, PICO, tool="uf2")
    assert opened == [("/dev/ttyACM5", 1200)]
    assert (disks / "RPI-RP2" / "firmware.uf2").exists()
