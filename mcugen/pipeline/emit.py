"""Writes an app as C: `mcg_app.h` and `mcg_app.c` beside the model's own files."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from mcugen.decisions import Decision
from mcugen.emit import c_text
from mcugen.emit.interface import banner
from mcugen.emit.style import FIRMWARE_NAME
from mcugen.emit.templates import render
from mcugen.frontends.types import C_TYPES
from mcugen.graph.types import Graph
from mcugen.pipeline.app import App
from mcugen.resources import decision_headers, frontend_headers, kernel_headers

_COUNTERS = 12


def app_prefix(name: str) -> str:
    """The prefix of an app's functions by that of its model."""
    return "mcg_app" if name == FIRMWARE_NAME else f"{name}_app"


def scratch_bytes(app: App) -> int:
    """RAM that its front end takes only within a push."""
    return app.pipeline.front_end.emitted().scratch_bytes


def ram_bytes(app: App) -> int:
    """RAM that an app takes, on a 32-bit core: its front end with its scratch, rows, window and decision."""
    emitted, rows = app.pipeline.front_end.emitted(), app.pipeline.front_end.rows()
    found = emitted.state_bytes + emitted.scratch_bytes + rows.values * np.dtype(rows.dtype).itemsize + _COUNTERS
    found += app.window_values * app.input.dtype.itemsize
    return found + (app.decision.emitted().state_bytes if app.decision is not None else 0)


def emit_app(
    app: App, graph: Graph, *, name: str = FIRMWARE_NAME, command: str = "", scratch_in_arena: bool = False
) -> dict[str, str]:
    """The files of an app, by path relative to the model library's folder.

    Args:
        name: prefix of the model's functions.
        command: shown in the banner.
        scratch_in_arena: the front end works in the model's arena, where the model's C says.
    """
    prefix = app_prefix(name)
    values = {
        "banner": banner(graph.sha256, command),
        "name": name,
        "prefix": prefix,
        "PREFIX": prefix.upper(),
        "app": {**_app_view(app, graph), "scratch_in_arena": scratch_in_arena},
        "decision": _decision_view(app.decision) if app.decision is not None else None,
    }
    front = app.pipeline.front_end.emitted()
    headers = [front.header, *front.needs]
    if app.decision is not None:
        decided = app.decision.emitted()
        headers += [decided.header, *decided.needs]
    return {
        f"{prefix}.h": render("pipeline/mcg_app.h.j2", **values),
        f"{prefix}.c": render("pipeline/mcg_app.c.j2", **values),
        **{f"kernels/{header}": text for header, text in _with_includes(headers).items()},
    }


def _with_includes(headers: list[str]) -> dict[str, str]:
    """The headers and those that they include, in alphabetical order."""
    known = {**kernel_headers(), **frontend_headers(), **decision_headers()}
    found: dict[str, str] = {}
    pending = list(headers)
    while pending:
        header = pending.pop()
        if header not in found:
            found[header] = known[header].read_text(encoding="utf-8")
            pending += re.findall(r'#include "(\w+\.h)"', found[header])
    return dict(sorted(found.items()))


def _app_view(app: App, graph: Graph) -> dict[str, Any]:
    pipeline, quantizer = app.pipeline, app.quantizer
    signal, front, rows = pipeline.signal, pipeline.front_end.emitted(), pipeline.front_end.rows()
    low, high = quantizer.limits
    rate = signal.rate
    quantized = quantizer.way in ("integers", "reals")
    return {
        "signal_comment": _signal_text(app),
        "model_comment": c_text.comment(graph.name),
        "decision_comment": ", decision by labels" if app.decision is not None and app.decision.top else "",
        "channels": signal.channels,
        "value_type": C_TYPES[signal.dtype],
        "rate": f"{rate:g}" if rate is not None and rate == int(rate) else "",
        "row_type": C_TYPES[rows.dtype],
        "row_values": rows.values,
        "frames_first": rows.frames_first,
        "frames_step": rows.frames_step,
        "rows_first": app.rows,
        "rows_step": app.stride,
        "rows_kept": app.rows - app.stride,
        "window_values": app.window_values,
        "headers": [front.header],
        "front_kind": front.kind,
        "front_config": front.config,
        "quantize": quantizer.way,
        "quantize_comment": f"A row's value, whose step is {quantizer.row_scale:.9g}, by the input's scale "
        f"{app.input.scale:.9g} and zero point {app.input.zero_point}: rounded, halves up."
        if quantized
        else "",
        "input_type": C_TYPES[app.input.dtype.value],
        "multiplier": quantizer.multiplier,
        "shift": quantizer.shift,
        "zero_point": app.input.zero_point if quantized else 0,
        "low": low,
        "high": high,
        "row_scale": c_text.float_literal(quantizer.row_scale),
        "afresh": app.afresh,
    }


def _signal_text(app: App) -> str:
    signal = app.pipeline.signal
    if signal.kind == "image":
        return f"images of {signal.width}x{signal.height} pixels, {signal.format}, line by line"
    rate = f", {signal.rate:g} frames per second" if signal.rate is not None else ""
    return f"{signal.kind} of {signal.dtype}, {signal.channels} per frame{rate}"


def _decision_view(decision: Decision) -> dict[str, Any]:
    emitted = decision.emitted()
    macros: dict[str, int] = {}
    labels = []
    for number, label in enumerate(decision.labels):
        macro = c_text.identifier(label, "label").upper()
        macro = f"{macro}_{number}" if macro in macros else macro
        macros[macro] = number
        labels.append({"string": c_text.string(label), "macro": macro})
    return {
        **vars(emitted),
        "labels": labels,
        "top": decision.top,
        "reads_input": decision.reads_input,
        "unit": c_text.float_literal(decision.real(1)),
        "meaning": emitted.meaning
        or ("the mean over the window" if decision.top else "the mean of squares over elements and window"),
    }
