"""Serial ports: which one is the board's? Only USB ids that the board itself shows decide; never a guess."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcugen.boards.types import Board
from mcugen.errors import DeviceError
from mcugen.flash.types import Probe

Choose = Callable[[str, Sequence[str]], int]
"""Asks a person: called with a question and the answers, gives the answer's position."""


@dataclass(frozen=True)
class SerialPort:
    """A serial port of this computer. `usb_id` is "VID:PID" in lower case, "" where it is not on USB."""

    device: str
    usb_id: str
    serial: str
    title: str

    def __str__(self) -> str:
        details = ", ".join(text for text in (self.title, self.usb_id, self.serial) if text)
        return f"{self.device} ({details})" if details else self.device


def serial_ports() -> list[SerialPort]:
    """All serial ports of this computer, by name."""
    from serial.tools.list_ports import comports

    found = []
    for port in comports():
        usb_id = f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None and port.pid is not None else ""
        title = port.description if port.description not in (None, "n/a") else ""
        found.append(SerialPort(port.device, usb_id, port.serial_number or "", title))
    return sorted(found, key=lambda port: port.device)


def find_port(board: Board, *, probe: str | None = None, choose: Choose | None = None) -> str | None:
    """The serial port of the board that is plugged in; None where there is none yet.

    Args:
        probe: serial number of the board's debug probe, if it was named.
        choose: asks which, if there are several; without it that is an error.

    Raises:
        DeviceError: several ports could be the board's, or ports that other things could have as well.
    """
    ports = serial_ports()
    own = [port for port in ports if port.usb_id in board.flashing.usb]
    if probe is not None:
        own = [port for port in own if same_serial(port.serial, probe)]
    if len(own) == 1:
        return own[0].device
    if own:
        return _chosen(own, f"several ports could belong to {board.name}", board, choose)
    bridges = [port for port in ports if port.usb_id in board.flashing.usb_bridge]
    if bridges:
        what = f"{'these ports' if len(bridges) > 1 else 'this port'} could belong to {board.name} or to another device"
        return _chosen(bridges, what, board, choose)
    return None


def asking_once(choose: Choose | None) -> Choose | None:
    """The same, but a question that was answered is not asked again."""
    if choose is None:
        return None
    answered: dict[tuple[str, tuple[str, ...]], int] = {}

    def remembering(question: str, answers: Sequence[str]) -> int:
        asked = (question, tuple(answers))
        if asked not in answered:
            answered[asked] = choose(question, answers)
        return answered[asked]

    return remembering


def _chosen(ports: Sequence[SerialPort], what: str, board: Board, choose: Choose | None) -> str:
    if choose is None:
        raise DeviceError(
            f"{what}: {'; '.join(map(str, ports))}", where=board.name, hint="Name the board's port with `port`"
        )
    return ports[choose(f"{what[0].upper()}{what[1:]}. Which is it?", [str(port) for port in ports])].device


def require_port(board: Board, port: str | None) -> str:
    """`port`, or an error that says what to do where there is none.

    Raises:
        DeviceError: None was given.
    """
    if port is not None:
        return port
    others = "; ".join(map(str, serial_ports())) or "none"
    if board.flashing.usb:
        hint = "Connect it with a data cable"
    else:
        hint = f"Its port cannot be identified: name it with `port`. {board.notes}"
    raise DeviceError(f"no serial port of this board was found (ports: {others})", where=board.name, hint=hint)


def probe_of_port(port: str, probes: Sequence[Probe]) -> Probe | None:
    """The probe that is the same USB device as a serial port, which many boards' probes show as well."""
    serials = [known.serial for known in serial_ports() if known.device == port and known.serial]
    return next((probe for probe in probes for serial in serials if same_serial(probe.id, serial)), None)


def choose_probe(board: Board, probes: Sequence[Probe], wanted: str | None, port: str | None) -> str | None:
    """Serial number of the probe to use; None where there is only one, or none is known of.

    Raises:
        DeviceError: the named one is not there, or there are several and none was named.
    """
    shown = "; ".join(f"{probe.id or '(without serial number)'} ({probe.title})" for probe in probes)
    if wanted is not None:
        named = next((probe.id for probe in probes if same_serial(probe.id, wanted)), None)
        if named is None and probes:
            raise DeviceError(
                f"there is no debug probe {wanted}", where=board.name, hint=f"Probes on this computer: {shown}"
            )
        return named or wanted
    if len(probes) <= 1:
        return probes[0].id or None if probes else None
    if port is not None and (same := probe_of_port(port, probes)) is not None:
        return same.id
    raise DeviceError(
        f"several debug probes are connected: {shown}", where=board.name, hint="Name the board's with `probe=ID`"
    )


def same_serial(one: str, other: str) -> bool:
    """Serial numbers as USB, tools and labels show them: in either case, J-Link's with or without leading zeros."""
    return one.lower().lstrip("0") == other.lower().lstrip("0")
