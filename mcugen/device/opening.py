"""Opens a port to a device again and again: at the speed at which it answers, and where its board came back."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mcugen.device.link import DeviceFault, Link, NoAnswerError, Refusal, Transport
from mcugen.device.ports import FollowedPort, SerialTransport, open_port
from mcugen.device.protocol import Command

USUAL_BAUDS = (115_200, 921_600, 460_800, 230_400, 57_600, 38_400, 19_200, 9_600, 1_000_000, 2_000_000)
FIRST_TRY_S = 1.5
OTHER_TRY_S = 0.6
LONGEST_TRY_S = 4.0


class PortOpener:
    """A device's port. `baud` is the speed at which the device answered last.

    Args:
        url: see `mcugen.device.ports.open_port`.
        name: the device in messages.
        timeout: seconds until it must have answered at some speed.
    """

    def __init__(self, url: str, baud: int, name: str, timeout: float) -> None:
        self.baud = baud
        self._port, self._name, self._timeout = FollowedPort(url), name, timeout

    def open(self) -> Link:
        """A link to the device, which has answered a first HELLO where its speed had to be found.

        Raises:
            DeviceError: the port cannot be opened.
            NoAnswerError: no answer at any speed.
        """
        transport = self._open_port()
        link = self._link(transport)
        if isinstance(transport, SerialTransport):
            try:
                self.baud = find_baud(link, transport, self.baud, timeout=self._timeout)
            except BaseException:
                link.close()
                raise
        return link

    def reopen(self) -> Link:
        """A link at the speed that was found before; nothing has been sent."""
        return self._link(self._open_port())

    def _open_port(self) -> Transport:
        return open_port(self._port.find(), self.baud)

    def _link(self, transport: Transport) -> Link:
        has_speed = isinstance(transport, SerialTransport)
        return Link(transport, self._name, byte_seconds=10 / self.baud if has_speed else 0.0)


def find_baud(link: Link, port: SerialTransport, first: int, *, timeout: float) -> int:
    """Set a port to the speed at which the device says hello, and return it.

    Args:
        first: speed to try before the usual ones.
        timeout: seconds after which no further round of all speeds begins.

    Raises:
        NoAnswerError: no answer at any speed.
        ConnectionLostError: a broken connection.
    """
    bauds = (first, *(baud for baud in USUAL_BAUDS if baud != first))
    until = time.monotonic() + timeout
    link.start_session()  # one for all speeds, so that what arrives late is known to be old
    longer = 1.0
    while True:
        for baud in bauds:
            if _answers(link, port, baud, min(LONGEST_TRY_S, longer * (FIRST_TRY_S if baud == first else OTHER_TRY_S))):
                return baud
            if time.monotonic() >= until:
                raise _no_answer(link.name, bauds)
        longer *= 2


def _answers(link: Link, port: SerialTransport, baud: int, seconds: float) -> bool:
    try:
        port.set_baud(baud)
    except (OSError, ValueError):
        return False  # the port cannot go so fast; that it is gone shows at its own speed
    link.byte_seconds = 10 / baud
    try:
        link.request(Command.HELLO, timeout=seconds)
    except NoAnswerError:
        return False
    except (DeviceFault, Refusal):
        return True  # it is the device that says so; its session will explain it
    return True


def _no_answer(name: str, bauds: Sequence[int]) -> NoAnswerError:
    return NoAnswerError(
        f"no answer to HELLO at any speed ({', '.join(map(str, bauds))} baud)",
        where=name,
        hint="Check that a firmware of mcugen's runs there, that this is its port, and press the board's reset button",
    )
