"""The page: one HTML file without scripts, fonts or images from elsewhere, made from the facts and nothing else.

What comes from a model or a board file is text, wherever it stands: Jinja escapes all of it, after `plain` has turned
what is invisible, or would change the direction of text, into escapes. A Content-Security-Policy forbids everything
but the page's own style and script, by their hashes. Every figure carries the place in the JSON where it comes from
(`data-fact`) and the value there (`data-value`).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup

from mcugen.report.arena import draw_arena
from mcugen.report.drawing import BOX_HEIGHT, BOX_WIDTH, draw_graph
from mcugen.report.histogram import draw_histogram
from mcugen.report.names import tail
from mcugen.report.symbols import draw_flash
from mcugen.resources import resource_dir
from mcugen.text import memory, plain, share


def render_report(facts: Mapping[str, Any]) -> str:
    """The HTML page of a report's facts (:func:`mcugen.report.report_facts`, or the JSON file read again)."""
    page = Facts(facts)
    environment = page_environment()
    style, script = (page_source(environment, name) for name in ("report.css", "report.js"))
    edges = [(edge["from"], edge["to"]) for edge in facts["graph"]["edges"]]
    return environment.get_template("report.html.j2").render(
        facts=facts,
        fact=page.html,
        attributes=page.attributes,
        share_of=page.share,
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; style-src {policy_hash(style)}; script-src {policy_hash(script)}; "
        f"base-uri 'none'; form-action 'none'{_PICTURES if facts.get('detections') else ''}",
        arena=draw_arena(facts["arena"]) if facts["arena"] else None,
        tiles=draw_flash(facts["flash"]),
        panels=draw_graph(len(facts["graph"]["nodes"]), edges),
        box=(BOX_WIDTH, BOX_HEIGHT),
        cost=_cost(facts),
    )


@dataclass(frozen=True)
class Facts:
    """Looks values up by JSON pointer (RFC 6901), and writes them into the page."""

    root: Mapping[str, Any]

    def value(self, pointer: str) -> Any:
        """What is at a pointer.

        Raises:
            KeyError, IndexError: nothing.
        """
        here: Any = self.root
        for escaped in pointer.split("/")[1:]:
            key = escaped.replace("~1", "/").replace("~0", "~")
            here = here[int(key)] if isinstance(here, list) else here[key]
        return here

    def html(self, pointer: str, form: str = "number") -> Markup:
        """The value as people read it, in an element that says where it comes from."""
        text = FORMS[str(form)](self.value(pointer))
        return Markup("<span {}>{}</span>").format(self.attributes(pointer), text)

    def attributes(self, pointer: str) -> Markup:
        """The attributes with which an element shows what is at a pointer."""
        return Markup('data-fact="{}" data-value="{}"').format(pointer, json.dumps(self.value(pointer)))

    def share(self, part: str, whole: str) -> Markup:
        """One value as a percentage of another."""
        text = share(self.value(part), self.value(whole))
        return Markup('<span {} data-of="{}">{}</span>').format(self.attributes(part), whole, text)


def _size(value: int) -> str:
    """A size at a glance; the exact bytes stand elsewhere."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= 10 * unit or (unit == 1 << 20 and value >= unit):
            return f"{value / unit:.3g} {name}" if value < 1000 * unit else f"{value / unit:,.0f} {name}"
    return f"{value:,} B"


def _amount(value: int) -> str:
    """A count at a glance."""
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= 10 * unit or (unit > 10**3 and value >= unit):
            return f"{value / unit:.3g} {name}" if value < 1000 * unit else f"{value / unit:,.0f} {name}"
    return f"{value:,}"


def _signed(text: str) -> str:
    return text.replace("-", "−")


def _shape(value: list[int]) -> str:
    return "×".join(str(n) for n in value) or "scalar"


def _optional(form: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "–" if value is None else form(value)


_PICTURES = "; img-src data:"
"""The images that detections were found in are within the page."""

METRICS = {"macro_f1": "macro F1", "auc": "AUC", "map": "mAP@[.5:.95]", "map_50": "mAP@0.5"}

FORMS: Mapping[str, Callable[[Any], str]] = {
    "text": lambda value: plain(str(value)),
    "tail": lambda value: tail(str(value), 44),
    "number": _optional(lambda value: _signed(f"{value:,}")),
    "bytes": _optional(lambda value: f"{value:,} B"),
    "size": _size,
    "memory": memory,
    "amount": _amount,
    "hertz": lambda value: f"{value / 1e6:g} MHz",
    "percent": _optional(lambda value: f"{100 * value:.2f} %"),
    "points": lambda value: _signed(f"{value:.2f}"),
    "decibels": _optional(lambda value: _signed(f"{value:.1f} dB")),
    "short": _optional(lambda value: _signed(f"{value:.4g}")),
    "metric": lambda value: METRICS.get(value, plain(value).replace("_", " ")),
    "ratio": _optional(lambda value: f"{value:.2f}"),
    "cosine": lambda value: f"{value:.5f}",
    "shape": _shape,
}
"""How values are written. "tail" shortens a name from the left: its end tells it from others."""


@dataclass(frozen=True)
class CostBar:
    """Lengths of an op's bars, in percent of the longest: its share of the cost (cycles if known), and of the MACs."""

    cost: float
    macs: float


def _cost(facts: Mapping[str, Any]) -> list[CostBar]:
    ops = facts["proof"]["cost"]["per_op"]
    costs = [op["cycles"]["nominal"] if op["cycles"] else op["cost"] for op in ops]
    cost, macs = max(1, sum(costs)), max(1, sum(op["macs"] for op in ops))
    shares = [(own / cost, op["macs"] / macs) for own, op in zip(costs, ops, strict=True)]
    longest = max((max(pair) for pair in shares), default=0) or 1
    return [CostBar(round(100 * a / longest, 2), round(100 * b / longest, 2)) for a, b in shares]


@functools.cache
def page_environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates") / "report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=_visible,
    )
    environment.filters["tail"] = lambda text, most: tail(str(text), most)
    environment.filters["metric"] = FORMS["metric"]
    environment.filters["shape"] = _shape
    environment.filters["key"] = lambda key: str(key).replace("~", "~0").replace("/", "~1")
    environment.globals["histogram"] = draw_histogram
    return environment


def _visible(value: Any) -> Any:
    """Everything that a template writes passes here: text, unless it is markup of ours, shows what is invisible."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def page_source(environment: jinja2.Environment, name: str) -> str:
    """The page's own style or script, as it is."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def policy_hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
