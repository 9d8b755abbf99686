"""The page in a browser, with devices that work, die and come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from mcugen.monitor.state import State
from mcugen.monitor.types import Block, Message, Note, OpCost, Opened, Reading, Sample
from mcugen.monitor.web.server import WebServer
from mcugen.tflite.types import TensorSpec
from tests.browser import Page, browser
from tests.monitor.fakes import facts, scores

IMAGE = TensorSpec("image", (1, 12, 12, 1), "int8", 1 / 255, -128)
EVIL = "<img src=x onerror=\"document.title='evil'\"><b>bold"
SECONDS = 30.0


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as page:
        page.size(1280, 900)
        yield page


def wait_for(tab: Page, expression: str) -> None:
    """Wait until an expression is true, as JavaScript sees it."""
    until = time.monotonic() + SECONDS
    while not tab.run(f"Boolean({expression})"):
        assert time.monotonic() < until, f"{expression} stayed false; {tab.complaints()}"
        time.sleep(0.05)


def wait_for_a_frame(tab: Page) -> None:
    """Wait until all that the page knows now is drawn: it draws once per frame, after the messages before it."""
    tab.run("new Promise(requestAnimationFrame)")


class Bench:
    """Two devices that are told about from another thread, until the end."""

    def __init__(self, server: WebServer) -> None:
        self._server, self._state = server, State()
        self._messages: list[Message] = []
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def tell(self, *messages: Message) -> None:
        with self._lock:
            self._messages.extend(messages)

    def _work(self) -> None:
        while not self._stop.wait(0.02):
            with self._lock:
                new, self._messages = self._messages, []
            for message in [*new, None]:
                if message is not None:
                    self._state.take(message)
                self._server.show(message, self._state)

    def end(self) -> None:
        self._stop.set()
        self._thread.join(10)


def answer(device: int, number: int) -> Reading:
    image = np.random.default_rng(number).integers(-128, 128, IMAGE.shape).astype(np.int8)
    sample, outputs = Sample((image,), number, 0.0), (scores(-128, -128 + number, 100),)
    return Reading(device, number, 1000.0 + number / 10, sample, outputs, 5000 + number % 7, 0.01)


def test_the_page_shows_devices_at_work(tab: Page) -> None:
    ops = (OpCost("hidden", "CONV_2D", 4000), OpCost(EVIL, "SOFTMAX", 1000))
    blocks = (Block("image", 0, 144, -1, 0), Block("scratch of hidden", 144, 64, 0, 0), Block("scores", 0, 3, 1, 2))
    told = facts(inputs=(IMAGE,), ops=ops, blocks=blocks, arena_bytes=208, labels=("no", EVIL, "maybe"))
    with WebServer("127.0.0.1:0", "a-token-of-my-own") as server:
        bench = Bench(server)
        try:
            bench.tell(Opened(0, told), Opened(1, facts(device="second", inputs=(IMAGE,), labels=())))
            bench.tell(*(answer(device, number) for number in range(1, 30) for device in (0, 1)))
            tab.open(server.url)
            wait_for(tab, "document.querySelectorAll('.device').length === 2")
            wait_for(tab, "document.querySelector('.state').textContent.startsWith('29 inferences')")
            assert tab.run("document.getElementById('status').textContent") == "live"
            assert "token" not in tab.run("location.href")

            def text(selector: str, device: int = 0) -> str:
                panel = f"document.querySelectorAll('.device')[{device}]"
                return str(tab.run(f"{panel}.querySelector({selector!r}).textContent"))

            # Names are text, whatever is in them.
            wait_for_a_frame(tab)
            assert text(".classes li .name") == "maybe"
            assert tab.run("document.querySelectorAll('.classes li .name')[1].textContent") == EVIL
            assert tab.run("document.querySelectorAll('img, b:not(.figure b)').length") == 0
            assert tab.run("document.title") == "mcugen monitor"

            assert text(".figure b") == "5,001"
            assert "4,000" in text(".ops li")
            assert "80 %" in text(".ops li")
            assert tab.run("document.querySelectorAll('.arena rect').length") == len(blocks)
            assert "not known here" in text(".arena .note", 1)
            assert is_drawn(tab, ".line")
            assert is_drawn(tab, ".picture")

            first = tab.run("document.querySelector('.picture').toDataURL()")
            bench.tell(answer(0, 30))
            wait_for(tab, "document.querySelector('.state').textContent.startsWith('30 inferences')")
            wait_for(tab, f"document.querySelector('.picture').toDataURL() !== {first!r}")

            bench.tell(Note(0, 1010.0, "lost", "the cable is out"), Note(1, 1010.0, "warning", "it drifts", "drift"))
            wait_for(tab, "document.querySelector('.state').classList.contains('lost')")
            assert "the cable is out" in text(".log li")
            wait_for(tab, "document.querySelectorAll('.device')[1].querySelector('.warnings li')")
            bench.tell(Note(0, 1011.0, "back", "reconnected"), Note(1, 1011.0, "over", "it drifts", "drift"))
            wait_for(tab, "!document.querySelector('.state').classList.contains('lost')")
            wait_for(tab, "!document.querySelectorAll('.device')[1].querySelector('.warnings li')")
            side_by_side(tab)
            readable(tab)
        finally:
            bench.end()
    wait_for(tab, "document.getElementById('status').textContent === 'ended'")
    assert tab.complaints() == []
    assert all(address.startswith((f"http://127.0.0.1:{server.port}/", "data:")) for address in tab.requests())


def is_drawn(tab: Page, selector: str) -> bool:
    """Whether a canvas has more than one colour."""
    script = (
        f"(() => {{ const c = document.querySelector({selector!r});"
        " const d = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);"
        " return new Set(d).size > 1; })()"
    )
    return bool(tab.run(script))


def side_by_side(tab: Page) -> None:
    """Two devices beside each other where there is room, one under the other where not; nothing sticks out."""
    tops = "[...document.querySelectorAll('.device')].map((d) => d.getBoundingClientRect().top)"
    for width, beside in ((1400, True), (420, False)):
        tab.size(width, 900)
        first, second = tab.run(tops)
        assert (first == second) is beside
        assert tab.run("document.documentElement.scrollWidth <= window.innerWidth")


def readable(tab: Page) -> None:
    """Text on its background has the contrast that WCAG AA asks for, in light and in dark."""
    script = """(() => {
      const parse = (c) => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
      const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
      const light = (c) => parse(c).reduce((sum, v, i) => sum + linear(v / 255) * [0.2126, 0.7152, 0.0722][i], 0);
      const style = (e) => getComputedStyle(e);
      const behind = (e) => {
        while (style(e).backgroundColor === 'rgba(0, 0, 0, 0)') e = e.parentElement;
        return style(e).backgroundColor;
      };
      const texts = document.querySelectorAll('h1, h2, h3, p, .name, .number, .state, .log span, time');
      return Math.min(...[...texts].map((e) => {
        const [a, b] = [light(style(e).color), light(behind(e))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); })); })()"""
    backgrounds = []
    for dark in (False, True):
        tab.media(dark=dark)
        assert tab.run(script) >= 4.5
        backgrounds.append(tab.run("getComputedStyle(document.body).backgroundColor"))
    assert backgrounds[0] != backgrounds[1]


def test_without_the_token_there_is_no_page(tab: Page) -> None:
    with WebServer("127.0.0.1:0", "a-token-of-my-own") as server:
        tab.open(f"http://127.0.0.1:{server.port}/")
        wait_for(tab, "document.body && document.body.textContent.includes('a token is needed')")
