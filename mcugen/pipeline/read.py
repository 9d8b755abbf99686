"""Reads a pipeline file, which is hostile until checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcugen import decisions, frontends
from mcugen.errors import PipelineError
from mcugen.frontends import Signal
from mcugen.frontends.image_pixels import FORMATS
from mcugen.pipeline.types import HINT, Pipeline
from mcugen.toml_table import Table, parse_toml, read_toml

_MOST_CHANNELS = 4096
_MOST_ROWS = 1 << 16
_TABLES = ("input", "frontend", "model", "decision")
_DTYPES = {
    "audio": ("int16",),
    "motion": ("int16", "float32", "int8"),
    "table": ("float32", "int16", "int8", "uint8"),
    "image": ("uint8",),
}
"""By kind of signal the types of its values, the usual one first."""


def is_pipeline_file(source: object) -> bool:
    """Whether a verb's MODEL argument is the name of a pipeline file."""
    return isinstance(source, str | Path) and Path(source).suffix.lower() == ".toml"


def read_pipeline(path: str | Path) -> Pipeline:
    """Read a pipeline file.

    Raises:
        PipelineError: it cannot be read, is not TOML, or a field is missing, unknown or wrong; the message names it.
    """
    path = Path(path)
    text, data = read_toml(path, "a pipeline file", PipelineError)
    return _read(data, path, text)


def read_text(text: str, path: Path) -> Pipeline:
    """The pipeline of a file's text; `path` names it in messages.

    Raises:
        PipelineError: see :func:`read_pipeline`.
    """
    return _read(parse_toml(text, path, PipelineError), path, text)


def _read(data: Mapping[str, Any], path: Path, text: str) -> Pipeline:
    top = Table(path, "", data, PipelineError, HINT)
    signal = _signal(top.table("input"))
    front_end = frontends.parse(top.table("frontend"), signal)
    model = top.table("model")
    file = model.text("file", most=1000)
    if not file:
        raise model.error("file", "is empty")
    window = model.integer("window", 0, _MOST_ROWS, 0) or None
    stride = model.integer("stride", 0, _MOST_ROWS, 0) or None
    if window is not None and stride is not None and stride > window:
        raise model.error("stride", f"is {stride}, but an inference takes {window} rows: none may be left out")
    row_scale = model.number("row_scale", 1e-12, 1e12) if model.has("row_scale") else front_end.rows().scale
    model.finish()
    decision = decisions.parse(top.table("decision")) if top.has("decision") else None
    top.finish()
    return Pipeline(signal, front_end, path.parent / file, window, stride, row_scale, decision, text)


def _signal(table: Table) -> Signal:
    kind = table.choice("kind", tuple(_DTYPES))
    if kind == "image":
        signal = _image(table)
    else:
        dtype = table.choice("format", _DTYPES[kind], _DTYPES[kind][0])
        rate = table.number("rate", 1e-3, 1e8) if kind == "audio" or table.has("rate") else None
        channels = table.integer("channels", 1, _MOST_CHANNELS, 1)
        signal = Signal(kind, dtype, channels, rate)
    table.finish()
    return signal


def _image(table: Table) -> Signal:
    pixels = table.choice("format", tuple(FORMATS))
    width, height = table.integer("width", 1, 4096), table.integer("height", 1, 4096)
    rate = table.number("rate", 1e-3, 1e4) if table.has("rate") else None
    lines = None if rate is None else rate * height
    line_bytes = width * FORMATS[pixels].bytes_of_two // 2
    return Signal("image", "uint8", line_bytes, lines, height, width, pixels)
