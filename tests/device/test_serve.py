"""`mcugen serve`: a port shared over the network, one client at a time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.device.connecting import connect
from mcugen.device.link import ConnectionLostError
from mcugen.device.share import SharedPort, is_local, parse_address
from mcugen.errors import DeviceError
from tests.cli.conftest import ROOT, int8_model
from tests.cli.test_json import assert_documented
from tests.device.build import build_host_double, double_answer
from tests.device.pipe import PipeTransport

pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name)")  # pyserial's

X = np.arange(64, dtype=np.int8).reshape(1, 64)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_host_double(tmp_path_factory.mktemp("server"))


@contextmanager
def shared(server: Path, said: list[str]) -> Iterator[SharedPort]:
    stop = threading.Event()
    with SharedPort(lambda: PipeTransport(server), "127.0.0.1:0", said.append) as port:
        thread = threading.Thread(target=port.serve, args=(stop,))
        thread.start()
        try:
            yield port
        finally:
            stop.set()
            thread.join(10)
            assert not thread.is_alive()


def test_one_client_at_a_time(server: Path) -> None:
    said: list[str] = []
    with shared(server, said) as port:
        url = f"rfc2217://{port.address}"
        with connect(url) as device:
            np.testing.assert_array_equal(device.run([X])[0][0], double_answer(X))
            with pytest.raises(DeviceError, match=r"mcugen serve: the port is in use by 127\.0\.0\.1:\d+ for \d+ s"):
                connect(url)
            np.testing.assert_array_equal(device.run([X])[0][0], double_answer(X))
        with connect(url) as device:
            np.testing.assert_array_equal(device.run([X])[0][0], double_answer(X))
        assert (port.traffic.clients, port.traffic.refused) == (2, 1)
        assert port.traffic.bytes_from_device > port.traffic.bytes_to_device > 300
    assert sum("was refused: the port is in use" in text for text in said) == 1


def test_a_port_that_is_lost_is_opened_for_the_next_client(server: Path) -> None:
    said: list[str] = []
    with shared(server, said) as port:
        url = f"rfc2217://{port.address}"
        with connect(url) as device:
            device.run([X])
            with contextlib.suppress(ConnectionLostError):  # the answer may go with the port
                device._session.ask(8, bytes)  # RESET: the program ends
            again = device.reconnect()
            assert not again.resumed
            np.testing.assert_array_equal(device.run([X])[0][0], double_answer(X))
    assert any("the board's port was lost" in text for text in said)


def test_clients_that_talk_nonsense_are_sent_away(server: Path) -> None:
    """The port is free again, whatever they said."""
    said: list[str] = []
    with shared(server, said) as port:
        host, number = port.address.split(":")
        for nonsense in (b"\xff\xf0", b"\xff\xfa" + b"x" * 5000, b"\xff\xfa\x2c\x01\x00\xff\xf0", b"\xff\xfd\x2c\xff"):
            with socket.create_connection((host, int(number)), 5) as client:
                client.sendall(nonsense + bytes(range(200)))
                client.settimeout(0.3)
                try:
                    while client.recv(4096):
                        pass
                except (TimeoutError, ConnectionResetError):
                    continue
        deadline = time.monotonic() + 5
        while sum("has left" in text for text in said) < 4 and time.monotonic() < deadline:
            time.sleep(0.02)
        with connect(f"rfc2217://{port.address}") as device:
            np.testing.assert_array_equal(device.run([X])[0][0], double_answer(X))
    assert port.traffic.refused == 0


def test_addresses() -> None:
    assert parse_address("127.0.0.1:2217") == ("127.0.0.1", 2217)
    assert parse_address("0") == ("127.0.0.1", 0)
    assert parse_address("[::1]:99") == ("::1", 99)
    for wrong in ("", "host", "host:x", "host:70000", "a:b:c", "user@host:1", "host:1/x"):
        with pytest.raises(DeviceError, match=r"`listen`: .*is not a valid address"):
            parse_address(wrong)
    assert [is_local(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "10.0.0.1")] == [True] * 3 + [
        False
    ] * 2


def test_an_address_that_is_taken(server: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(DeviceError, match="address cannot be used: Address already in use"):
            SharedPort(lambda: PipeTransport(server), address, lambda _text: None)


def test_what_can_be_shared(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="nothing to share was named"):
        api.serve()
    with pytest.raises(DeviceError, match="already has its firmware"):
        api.serve("model.tflite", port="/dev/ttyACM0")
    with pytest.raises(DeviceError, match="no such port"):
        api.serve(port="/dev/does-not-exist", listen="0")


@pytest.mark.emulator
def test_an_emulated_board_is_verified_from_another_process(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(int8_model())
    project = tmp_path / "project"
    api.generate(model, board="mps2-an386", out=project)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mcugen"]
    serving = subprocess.Popen(
        [*command, "serve", str(project), "--listen", "127.0.0.1:0", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with serving:
        assert serving.stderr is not None
        found = re.search(
            r"mps2-an386 \(emulator\) is shared at (rfc2217://127\.0\.0\.1:\d+)", serving.stderr.readline()
        )
        assert found
        verify = [*command, "verify", str(project), "--port", found[1], "--samples", "4", "--layers", "--paced"]
        done = subprocess.run(verify, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "bit-exact: 4/4 samples" in done.stdout
        assert "inferences go op by op" in done.stdout + done.stderr
        assert "instructions" in done.stdout, "its counter runs as the board's file says"
        serving.send_signal(signal.SIGINT)
        out, err = serving.communicate(timeout=30)
    assert serving.returncode == 0, err
    facts = json.loads(out)
    assert (facts["schema"], facts["clients"], facts["refused"]) == ("mcugen.serve/1", 1, 0)
    assert_documented(facts)
