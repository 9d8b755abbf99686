"""The page's server: what it tells, and to whom."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from mcugen.monitor.state import State
from mcugen.monitor.types import Message, Note, Opened, Reading, Sample
from mcugen.monitor.web import messages
from mcugen.monitor.web.app import ASSETS
from mcugen.monitor.web.server import AddressError, WebServer, check_access, is_loopback, parse_address
from mcugen.tflite.types import TensorSpec
from tests.monitor.fakes import facts, reading, scores
from tests.monitor.sockets import PageSocket, Refused

TOKEN = "correct-horse-battery"


class Shown:
    """A server that is fed by a thread, as the monitor does."""

    def __init__(self, server: WebServer) -> None:
        self.server, self.state = server, State()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._ticker = threading.Thread(target=self._tick)
        self._ticker.start()

    def tell(self, message: Message) -> None:
        with self._lock:
            self.state.take(message)
            self.server.show(message, self.state)

    def _tick(self) -> None:
        while not self._stop.wait(0.02):
            with self._lock:
                self.server.show(None, self.state)

    def stop(self) -> None:
        self._stop.set()
        self._ticker.join(10)


@pytest.fixture
def page() -> Iterator[Shown]:
    with WebServer("127.0.0.1:0", None) as server:
        shown = Shown(server)
        try:
            yield shown
        finally:
            shown.stop()


@pytest.fixture
def guarded() -> Iterator[WebServer]:
    with WebServer("127.0.0.1:0", TOKEN) as server:
        yield server


def get(port: int, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers={"Host": f"127.0.0.1:{port}", **named})
    answer = connection.getresponse()
    answer.read()
    return answer


def test_a_page_that_opens_late_gets_what_was_before(page: Shown) -> None:
    page.tell(Opened(0, facts()))
    for number in range(1, 6):
        page.tell(reading([scores(0, 100, -128)], number=number, cost=1000 + number))
    page.tell(Note(0, 1.0, "warning", "drifts", "drift"))
    with PageSocket(page.server.port) as first:
        device = first.message()
        assert (device["type"], device["model"], device["costs"]) == ("device", "tiny", [1001, 1002, 1003, 1004, 1005])
        assert [note["text"] for note in device["log"]] == ["drifts"]
        last = first.message()
        assert (last["type"], last["number"], last["costs"], last["warnings"]) == ("reading", 5, [], ["drifts"])
        assert last["classes"][0]["label"] == "yes"
        with PageSocket(page.server.port) as second:
            assert second.message()["type"] == "device"
            page.tell(Note(0, 2.0, "lost", "gone"))
            told = first.message()
            assert (told["type"], told["kind"], told["connected"]) == ("note", "lost", False)
    # Pages come and go.
    with PageSocket(page.server.port) as third:
        assert third.message()["type"] == "device"


def test_every_cost_is_told_even_where_readings_are_left_out(page: Shown) -> None:
    page.tell(Opened(0, facts()))
    with PageSocket(page.server.port) as socket_:
        assert socket_.message()["type"] == "device"
        count = 300
        for number in range(1, count + 1):
            page.tell(reading([scores(0, 1, 2)], number=number, cost=number))
        costs: list[int] = []
        told = 0
        while not costs or costs[-1] < count:
            costs += socket_.message()["costs"]
            told += 1
        assert costs == list(range(1, count + 1))
        assert told < count


def test_numbers_that_json_does_not_have() -> None:
    real = TensorSpec("y", (1, 3), "float32")
    state = State()
    state.take(Opened(0, facts(inputs=(real,), outputs=(real,), labels=("a", "b", "c"))))
    values = np.array([[1.0, np.nan, np.inf]], np.float32)
    message = Reading(0, 1, 1.0, Sample((values,), 0, 0.0), (values,), 5, 0.1)
    state.take(message)
    told = messages.reading(0, message, state.devices[0], [5])
    assert json.loads(json.dumps(told, allow_nan=False))["outputs"][0]["raw"] == [1.0, None, None]


def test_inputs_are_sent_small() -> None:
    for shape, kind in (((1, 480, 640, 3), "image"), ((1, 50_000), "wave")):
        spec = TensorSpec("x", shape, "int8", 1.0, 0)
        state = State()
        state.take(Opened(0, facts(inputs=(spec,))))
        given = np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)
        message = Reading(0, 1, 1.0, Sample((given,), 0, 0.0), (scores(1, 2, 3),), 5, 0.1)
        state.take(message)
        told = messages.reading(0, message, state.devices[0], [])["input"]
        assert told["kind"] == kind
        assert len(told["data"]) < 128 * 128 * 3 * 4 / 3 + 4


def test_files_are_served_with_a_strict_policy_and_nothing_else_is(page: Shown) -> None:
    port = page.server.port
    for path in ("/", "/app.js", "/charts.js", "/style.css"):
        answer = get(port, path)
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    for path in ("/app.py", "/../app.py", "/%2e%2e/app.py", "/assets/app.js", "/etc/passwd"):
        assert get(port, path).status == 404


def test_assets_need_no_network_and_make_no_markup_of_names() -> None:
    for path in ASSETS.iterdir():
        text = path.read_text(encoding="utf-8")
        links = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", text)
        assert set(links) <= {"http://www.w3.org"}, path  # the name of SVG, not a place
        assert "innerHTML" not in text
        assert "eval(" not in text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "", "127.0.0.1:1"])
def test_another_name_gets_nothing(page: Shown, host: str) -> None:
    """A site that lets its own name resolve to 127.0.0.1 (DNS rebinding)."""
    assert get(page.server.port, "/", Host=host).status == 403
    with pytest.raises(Refused) as caught:
        PageSocket(page.server.port, headers={"Host": host or "none", "Origin": f"http://{host}"})
    assert caught.value.code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:1", "file://"])
def test_another_site_gets_no_socket(page: Shown, origin: str) -> None:
    with pytest.raises(Refused) as caught:
        PageSocket(page.server.port, headers={"Origin": origin})
    assert caught.value.code == 403


def test_a_token_opens_the_page_and_the_socket(guarded: WebServer) -> None:
    port = guarded.port
    assert guarded.url.endswith(f"/?token={TOKEN}")
    for path in ("/", "/app.js", "/?token=wrong", "/?token=", f"/?token={TOKEN}x"):
        assert get(port, path).status == 403, path
    with pytest.raises(Refused, match="403"):
        PageSocket(port)
    with pytest.raises(Refused, match="403"):
        PageSocket(port, headers={"Cookie": f"mcugen_token_{port}=wrong; other=\x7f"})
    answer = get(port, f"/?token={TOKEN}")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    name_and_value = cookie.split(";")[0]
    assert get(port, "/", Cookie=name_and_value).status == 200
    PageSocket(port, headers={"Cookie": name_and_value}).__exit__(None, None, None)
    with pytest.raises(Refused, match="403"):  # the token does not help another site
        PageSocket(port, headers={"Cookie": name_and_value, "Origin": "http://evil.example"})


def test_other_addresses_need_a_token() -> None:
    for host in ("0.0.0.0", "192.168.1.7", "::", "example.org", ""):
        with pytest.raises(AddressError, match="token is required") as caught:
            check_access(host, None)
        assert "--token" in caught.value.hint
        check_access(host, TOKEN)
    for host in ("127.0.0.1", "127.0.0.2", "::1", "localhost"):
        assert is_loopback(host)
        check_access(host, None)
    for token in ("", "short", "with space in it", "ümläut-ümläut", "x" * 300):
        with pytest.raises(AddressError, match="letters"):
            check_access("127.0.0.1", token)


def test_a_public_address_takes_any_name_with_the_token() -> None:
    with WebServer("0.0.0.0:0", TOKEN) as server:
        assert get(server.port, "/", Host="bench.example:80").status == 403
        assert get(server.port, f"/?token={TOKEN}", Host="bench.example:80").status == 303


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("8000", "127.0.0.1", 8000),
        (":0", "127.0.0.1", 0),
        ("[::1]:8765", "::1", 8765),
        ("localhost:1", "localhost", 1),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)


@pytest.mark.parametrize("text", ["", "host", "1:2:3", "127.0.0.1:70000", "http://x:1", "a b:1", "::1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(AddressError, match="is not a valid address"):
        parse_address(text)


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AddressError, match="cannot be used") as caught:
            WebServer(f"127.0.0.1:{taken.getsockname()[1]}", None)
    assert "another port" in caught.value.hint


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from mcugen.errors import ToolError

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ToolError) as caught:
        WebServer("127.0.0.1:0", None)
    assert "mcugen[web]" in caught.value.hint
