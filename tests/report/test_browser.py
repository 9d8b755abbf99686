"""The page in a real browser: it shows what the JSON says, asks for nothing, complains of nothing, needs no script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import Page, browser
from tests.report.conftest import Made

pytestmark = pytest.mark.emulator

SHOWN = """[...document.querySelectorAll("[data-fact]")].map(e => [
  e.dataset.fact, e.dataset.value, e.dataset.of || "", e.closest("svg") ? "" : e.textContent])"""

BARE = """(() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const at = walker.currentNode.parentElement;
    if (!at.closest("svg, [data-fact], script, style") && /[0-9]/.test(walker.currentNode.data))
      found.push(walker.currentNode.data.trim());
  }
  return found;
})()"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.fixture
def page(tab: Page, made: Made) -> Page:
    tab.media()
    tab.size(1240, 900)
    tab.open(made.page.as_uri())
    return tab


def at(facts: Any, pointer: str) -> Any:
    for key in pointer.split("/")[1:]:
        facts = facts[int(key)] if isinstance(facts, list) else facts[key.replace("~1", "/").replace("~0", "~")]
    return facts


UNITS = {"%": 0.01, "KiB": 1024, "MiB": 1 << 20, "k": 1e3, "M": 1e6, "G": 1e9, "MHz": 1e6}


def number_in(text: str) -> tuple[float, float]:
    """A number as it is written, and how far rounding may have moved it."""
    match = re.fullmatch(r"([−<]?)([\d,]+(?:\.\d+)?(?:e[−+]?\d+)?) ?([A-Za-z%]*)", text)
    assert match, text
    sign, digits, unit = match.groups()
    scale = UNITS.get(unit, 1)
    plain = digits.replace(",", "").replace("−", "-")
    value = float(plain)
    decimals = len(plain.partition(".")[2].partition("e")[0])
    exponent = int(plain.partition("e")[2] or 0)
    step = 10.0 ** (exponent - decimals) if "." in plain or "e" in plain else 1.0
    # Three digits at a glance: 167 k stands for 167,270.
    return (-value if sign == "−" else value) * scale, step * scale * 0.51 if scale != 1 or step != 1 else 0.0


def test_every_figure_equals_the_json(page: Page, made: Made) -> None:
    shown = page.run(SHOWN)
    for pointer, value, whole, text in shown:
        fact = at(made.facts, pointer)
        assert json.loads(value) == fact, pointer
        if text in ("in", "out"):
            assert fact == (-1 if text == "in" else made.facts["arena"]["steps"])
        elif text and not isinstance(fact, str | list | bool) and fact is not None:
            number, tolerance = number_in(text)
            if whole:
                fact = fact / at(made.facts, whole)
            if text.startswith("<"):
                assert fact < number
            else:
                assert abs(number - fact) <= tolerance, (pointer, text, fact)
        elif isinstance(fact, str) and text:
            assert text == fact or (text[0] == "…" and fact.endswith(text[1:])) or fact in ("macro_f1", "top_3"), text
    pointers = {pointer for pointer, *_ in shown}
    ops = range(len(made.facts["proof"]["cost"]["per_op"]))
    assert {f"/proof/cost/per_op/{n}/{key}" for n in ops for key in ("kind", "macs", "cost")} <= pointers
    assert {f"/arena/buffers/{n}/size" for n in range(len(made.facts["arena"]["buffers"]))} <= pointers
    assert {f"/graph/nodes/{n}/kind" for n in range(len(made.facts["graph"]["nodes"]))} <= pointers
    noise = enumerate(made.facts["proof"]["sqnr"]["layers"])
    assert {f"/proof/sqnr/layers/{n}/sqnr_db" for n, layer in noise if layer["sqnr_db"] is not None} <= pointers
    assert {f"/proof/accuracy/runs/0/confusion/{a}/{b}" for a in range(4) for b in range(4)} <= pointers


def test_no_figure_stands_there_without_its_fact(page: Page) -> None:
    # Words with digits: names of arithmetic and hashes, and "float32" in the prose.
    allowed = re.compile(r"float32|int8|SHA-256|macro F1|top 3")
    assert [text for text in page.run(BARE) if re.search(r"\d", allowed.sub("", text))] == []


def test_it_asks_for_nothing_and_complains_of_nothing(page: Page, made: Made) -> None:
    assert page.requests() == [made.page.as_uri()]
    assert page.complaints() == []
    # The policy holds: what is not the page's own is neither run nor loaded.
    page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.bad = 1'}))")
    page.run("document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:9/x.png'}))")
    assert page.run("window.bad") is None
    assert page.complaints()


def test_tables_are_sorted_by_their_headings(page: Page) -> None:
    costs = """[...document.querySelectorAll("#cost tbody tr")].map(row =>
      JSON.parse(row.cells[4].querySelector("[data-value]").dataset.value))"""
    before = page.run(costs)
    click = "document.querySelectorAll('#cost thead button')[4].click()"
    page.run(click)
    assert page.run(costs) == sorted(before, reverse=True)
    assert page.run("document.querySelectorAll('#cost th')[4].ariaSort") == "descending"
    page.run(click)
    assert page.run(costs) == sorted(before)


def test_all_is_there_without_script(tab: Page, made: Made) -> None:
    tab.open(made.page.as_uri())
    text = tab.run("document.querySelector('main').innerText.replace(/\\s+/g, ' ')")
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(made.page.as_uri())
        assert tab.run("document.querySelector('main').innerText.replace(/\\s+/g, ' ')") == text
        assert tab.run("document.querySelectorAll('thead button').length") == 0
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.parametrize("width", [360, 820, 1240, 2000])
def test_it_never_scrolls_sideways(page: Page, width: int) -> None:
    page.size(width, 900)
    assert page.run("document.documentElement.scrollWidth") <= width


def luminance(colour: str) -> float:
    channels = [float(c) / 255 for c in re.findall(r"[\d.]+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_in_light_and_dark(page: Page, dark: bool) -> None:
    """WCAG 2.1: a contrast of 4.5 for text."""
    page.media(dark=dark)
    paper = luminance(page.run("getComputedStyle(document.querySelector('section')).backgroundColor"))
    assert (paper < 0.05) is dark
    for selector in ("h2", ".lead", "td", "td small, th small", "a", "summary"):
        ink = luminance(page.run(f"getComputedStyle(document.querySelector('main {selector}, {selector}')).color"))
        contrast = (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05)
        assert contrast >= 4.5, selector


def test_it_prints_on_white(page: Page) -> None:
    page.media(dark=True, printed=True)
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF-")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 9


def test_pictures_and_tables_have_names(page: Page) -> None:
    unnamed = """[...document.querySelectorAll("svg[role=img], table, [role=region], section")].filter(e =>
      !e.ariaLabel && !e.getAttribute("aria-labelledby") && !e.querySelector("caption")).length"""
    assert page.run(unnamed) == 0
    assert page.run("document.querySelectorAll('[role=region]:not([tabindex])').length") == 0
    assert page.run("document.documentElement.lang") == "en"
    assert page.run("document.querySelectorAll('h1').length") == 1
