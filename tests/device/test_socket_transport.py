"""A socket as a link's transport: what arrives, what is taken, and how long the other end may be late."""

from __future__ import annotations

import contextlib
import random
import socket

import pytest

from mcugen.device.link import SocketTransport


def test_a_socket() -> None:
    here, there = socket.socketpair()
    transport = SocketTransport(here)
    with there:
        assert here.gettimeout() == 0
        assert transport.read(0) == b""
        data = random.Random(0).randbytes(70_000)
        transport.write(data[:1000])
        assert here.gettimeout() == 0
        assert there.recv(2000) == data[:1000]
        there.sendall(data)
        first = transport.read(10)
        assert 0 < len(first) <= 65_536
        received = first
        while len(received) < len(data):
            received += transport.read(10)
        assert received == data
    with pytest.raises(ConnectionResetError, match=r"^the other end closed the link$"):
        transport.read(10)
    with pytest.raises(OSError, match="Broken pipe"):
        transport.write(b"x")
    assert here.gettimeout() == 0
    transport.close()
    assert here.fileno() == -1


def full_socket() -> tuple[socket.socket, socket.socket]:
    """A pair whose first end takes nothing more until the second is read."""
    here, there = socket.socketpair()
    here.setblocking(False)
    while True:
        try:
            here.send(bytes(1 << 16))
        except BlockingIOError:
            return here, there


def test_a_write_waits_for_a_slow_reader_by_its_own_clock() -> None:
    """Ten seconds in which nothing is taken, and no longer; what is taken starts them again."""
    here, there = full_socket()
    times = iter([0.0, 3.0, 10.0, 10.1])
    with there, here, pytest.raises(TimeoutError, match=r"^nothing was taken within 10 s$"):
        SocketTransport(here, lambda: next(times)).write(b"abc")
    assert next(times, None) is None


def test_a_reader_that_goes_on_late_gets_everything() -> None:
    here, there = full_socket()
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        if looks == 3:
            there.recv(1 << 22)
        return 0.0

    data = random.Random(1).randbytes(5_000)
    with there, here:
        SocketTransport(here, clock).write(data)
        received = b""
        while not received.endswith(data):
            received += there.recv(1 << 20)


def test_what_is_taken_starts_the_ten_seconds_again() -> None:
    here, there = full_socket()
    there.setblocking(False)
    looks, received = 0, b""

    def take() -> None:
        nonlocal received
        with contextlib.suppress(BlockingIOError):
            while True:
                received += there.recv(1 << 20)

    def clock() -> float:
        nonlocal looks
        looks += 1
        if looks % 3 == 0:  # between two of these the socket is full again
            take()
        return 8.0 * (looks // 3)

    data = random.Random(2).randbytes(600_000)
    with there, here:
        SocketTransport(here, clock).write(data)
        take()
    assert received.endswith(data)
    assert looks > 6
