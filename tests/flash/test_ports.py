"""Which port and which probe: the one that is certain, or a question, or an error. Never a guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board, load_boards
from mcugen.errors import DeviceError
from mcugen.flash import ports, usb
from mcugen.flash.types import Probe
from tests.flash.fakes import fake_ports

NUCLEO = load_board("nucleo-f446re")
ESP = load_board("esp32dev")

NOISE = [("/dev/ttyS0", "", ""), ("/dev/ttyUSB9", "dead:beef", "1")]


def test_the_only_port_of_the_board_is_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, [*NOISE, ("/dev/ttyACM0", "0483:374b", "066A")])
    assert ports.find_port(NUCLEO) == "/dev/ttyACM0"
    fake_ports(monkeypatch, NOISE)
    assert ports.find_port(NUCLEO) is None


TWO = [("/dev/ttyACM1", "0483:374b", "066B"), ("/dev/ttyACM0", "0483:374b", "066A")]


def test_two_ports_are_a_question_or_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, TWO)
    with pytest.raises(DeviceError, match=r"several ports.*ttyACM0 \(0483:374b, 066A\); /dev/ttyACM1.*`port`") as error:
        ports.find_port(NUCLEO)
    assert error.value.where == "nucleo-f446re"
    asked = []

    def choose(question: str, answers: object) -> int:
        asked.append((question, answers))
        return 1

    assert ports.find_port(NUCLEO, choose=choose) == "/dev/ttyACM1"
    assert asked == [
        (
            "Several ports could belong to nucleo-f446re. Which is it?",
            ["/dev/ttyACM0 (0483:374b, 066A)", "/dev/ttyACM1 (0483:374b, 066B)"],
        )
    ]


def test_the_probe_tells_which_port(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, TWO)
    assert ports.find_port(NUCLEO, probe="066b") == "/dev/ttyACM1"
    assert ports.find_port(NUCLEO, probe="066C") is None


def test_a_bridge_that_other_things_have_as_well_is_never_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, [("/dev/ttyUSB0", "10c4:ea60", "")])
    with pytest.raises(DeviceError, match=r"this port could belong to esp32dev or to another device: /dev/ttyUSB0"):
        ports.find_port(ESP)
    assert ports.find_port(ESP, choose=lambda _question, _answers: 0) == "/dev/ttyUSB0"


def test_a_missing_port_says_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ports(monkeypatch, NOISE)
    with pytest.raises(DeviceError, match=r"no serial port of this board was found \(ports: /dev/ttyS0; .*dead:beef"):
        ports.require_port(NUCLEO, None)
    discovery = load_board("stm32f4-discovery")
    with pytest.raises(DeviceError, match=r"name it with `port`\. Link: USART2"):
        ports.require_port(discovery, None)
    assert ports.require_port(discovery, "/dev/x") == "/dev/x"


def test_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Probe("066A", "STM32 STLink"), Probe("000683012345", "J-Link")
    fake_ports(monkeypatch, [("/dev/ttyACM7", "1366:1015", "683012345")])
    assert ports.choose_probe(NUCLEO, [], None, None) is None
    assert ports.choose_probe(NUCLEO, [], "77", None) == "77", "a tool that cannot list probes may still know it"
    assert ports.choose_probe(NUCLEO, [one], None, None) == "066A"
    assert ports.choose_probe(NUCLEO, [Probe("", "without number")], None, None) is None
    assert ports.choose_probe(NUCLEO, [one, other], "066a", None) == "066A"
    assert ports.choose_probe(NUCLEO, [one, other], None, "/dev/ttyACM7") == "000683012345"
    with pytest.raises(DeviceError, match=r"several debug probes.*066A \(STM32 STLink\); 000683012345.*`probe=ID`"):
        ports.choose_probe(NUCLEO, [one, other], None, None)
    with pytest.raises(DeviceError, match=r"several debug probes"):
        ports.choose_probe(NUCLEO, [one, other], None, "/dev/ttyUSB0")
    with pytest.raises(DeviceError, match=r"there is no debug probe 99\. Probes on this computer: 066A"):
        ports.choose_probe(NUCLEO, [one, other], "99", None)


def test_probes_on_usb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = {
        "1-1": ("0483", "374b", "066A", "STM32 STLink"),
        "1-2": ("1366", "1015", "000683", "J-Link"),
        "1-3": ("2e8a", "000c", "E66", "Debugprobe on Pico (CMSIS-DAP)"),
        "1-4": ("0483", "5740", "X", "a keyboard by ST"),
        "usb1": ("1d6b", "0002", "", "hub"),
    }
    for name, values in devices.items():
        (tmp_path / name).mkdir()
        for file, value in zip(("idVendor", "idProduct", "serial", "product"), values, strict=True):
            (tmp_path / name / file).write_text(f"{value}\n")
    (tmp_path / "1-1:1.0").mkdir()
    monkeypatch.setattr(usb, "SYSFS", tmp_path)
    assert usb.usb_probes("stlink") == [Probe("066A", "STM32 STLink")]
    assert usb.usb_probes("jlink") == [Probe("000683", "J-Link")]
    assert [probe.id for probe in usb.usb_probes("cmsis-dap")] == ["E66"]
    assert usb.usb_probes("ftdi") == []


def test_usb_ids_of_boards_are_not_those_of_bridges() -> None:
    bridges = {usb_id for board in load_boards().values() for usb_id in board.flashing.usb_bridge}
    assert bridges
    for board in load_boards().values():
        assert not bridges & set(board.flashing.usb), board.name
