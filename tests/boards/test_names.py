"""Boards by the names that people have for them, and by what is plugged in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mcugen.boards.shipped import board_names, load_board, load_boards, plain_name
from mcugen.errors import BoardError
from mcugen.flash import usb
from mcugen.flow.boards import named_board
from tests.flash.fakes import fake_ports


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("arduino-nano-33-ble", "nano33ble"),
        ("Arduino Nano 33 BLE Sense", "nano33ble"),
        ("NANO33BLE", "nano33ble"),
        ("esp32", "esp32dev"),
        ("ESP32-S3", "esp32-s3"),
        ("pi pico", "pico"),
        ("Raspberry Pi Pico 2", "pico2"),
        ("rp2040", "pico"),
        ("nucleo_f446re", "nucleo-f446re"),
        ("STM32F446RE", "nucleo-f446re"),
        ("teensy 4.1", "teensy41"),
        ("micro:bit v1", "microbit"),
        ("microbit 2", "microbit-v2"),
        ("Blue Pill", "bluepill-f103c8"),
        ("Pico W", "pico-w"),
        ("UNO R4", "uno-r4-minima"),
        ("2341:805A", "nano33ble"),
    ],
)
def test_what_people_say(said: str, name: str) -> None:
    assert load_board(said).name == name


def test_no_name_means_two_boards() -> None:
    seen: dict[str, str] = {}
    for board in load_boards().values():
        for name in {plain_name(name) for name in (board.name, *board.aliases, *board.near)}:
            assert seen.setdefault(name, board.name) == board.name, f"{name} is {seen[name]} and {board.name}"
    assert {"bluepill", "esp32c6", "picow", "arduinouno"} <= set(seen), "boards of ours, or near to them"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "Maple Mini",
            r"the board 'Maple Mini' is not supported\. Nearest is bluepill-f103c8 \(Blue Pill .*\)\. With its "
            r"linker script it is built as cortex-m3: `board='cortex-m3'`, `linker_script=FILE`\. docs/BOARDS.md tells",
        ),
        ("esp32-cam", r"'esp32-cam' is not supported\. Nearest is esp32dev \(Espressif ESP32 DevKitC .*\)\. docs/"),
        ("Arduino Uno", r"'Arduino Uno' is not supported\. Nearest is nano33ble .* built as cortex-m4f"),
        ("stm32h5", r"'stm32h5' is not supported\. With its linker script it is built as cortex-m33"),
        ("nucleo-f446", None),
        ("nucleo f429zi", r"unknown board 'nucleo f429zi'\. Did you mean ST: nucleo-.*\? The path of a board's \.toml"),
        ("nano33", r"Did you mean Arduino: nano33ble"),
        (
            "zzz",
            r"unknown board 'zzz'\. Boards: Adafruit: .*; Arm: mps2-an385, .*; with your own linker script:",
        ),
        ("", r"unknown board ''\. Boards: Adafruit"),
        (
            "0483:374b",
            r"the USB id 0483:374b belongs to several boards\. Name one of them\. ST: b-l475e-iot01a, .*nucleo-f446re",
        ),
        ("dead:beef", r"no board is known by the USB id dead:beef"),
    ],
)
def test_what_we_do_not_have(said: str, sentence: str | None) -> None:
    if sentence is None:
        load_board(said)
        return
    with pytest.raises(BoardError, match=sentence):
        load_board(said)


@pytest.mark.parametrize(
    ("ports", "found"),
    [
        ([("/dev/ttyACM0", "2341:805a", "")], "nano33ble"),
        ([("/dev/ttyACM0", "2e8a:000a", ""), ("/dev/ttyS0", "", "")], "pico-usb"),
        ([], r"no board that is plugged in was recognized\. Connect it with a data cable, or name it\.$"),
        ([("/dev/ttyUSB0", "10c4:ea60", "")], r"A USB-to-serial chip is there, as on these boards\. Espressif: esp32"),
        (
            [("/dev/ttyACM0", "0483:374b", "")],
            r"several boards could be plugged in, .* Name yours\. ST: b-l475e-iot01a, .*nucleo-f446re",
        ),
        ([("/dev/a", "2341:805a", ""), ("/dev/b", "2e8a:000a", "")], r"Arduino: nano33ble; Raspberry Pi: pico-usb"),
    ],
)
def test_what_is_plugged_in(
    ports: Sequence[tuple[str, str, str]], found: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_ports(monkeypatch, ports)
    monkeypatch.setattr(usb, "SYSFS", tmp_path)
    if found in board_names():
        assert named_board("auto").name == found
    else:
        with pytest.raises(BoardError, match=found):
            named_board("auto")


def test_a_probe_without_a_port_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_ports(monkeypatch, [])
    monkeypatch.setattr(usb, "SYSFS", tmp_path)
    (tmp_path / "1-1").mkdir()
    (tmp_path / "1-1" / "idVendor").write_text("2886\n")
    (tmp_path / "1-1" / "idProduct").write_text("8045\n")
    assert named_board("auto").name == "xiao-nrf52840"
