"""docs/reference/json.md, from docs/schema/: every field and its type. tools/docs.py writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).resolve().parent.parent / "docs" / "schema"

INTRO = """\
# JSON schemas

Each object that mcugen prints or writes follows a [JSON Schema](https://json-schema.org) in `docs/schema/`; tests
validate real outputs against them. This page lists their fields and types. What the fields mean is in
[JSON output](../JSON.md).

The schemas describe this version exactly and allow no other fields. Later versions may add fields within the same
number (`mcugen.VERB/N`), so a program that should work with them must ignore fields that it does not know.

`[]` stands for the elements of a list, `*` for any key, and "or null" for a value that may be absent.
"""


def document() -> str:
    """The text of the page."""
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(SCHEMAS.glob("*.json"))}
    parts = files.pop("common")["$defs"]
    lines = [INTRO, "| schema | file | what it describes |", "|---|---|---|"]
    for name, schema in files.items():
        lines.append(f"| [{name}](#{name}) | `docs/schema/{name}.json` | {_code(schema['title'])} |")
    for name, schema in files.items():
        lines += ["", f"## {name}", ""]
        if "$ref" in schema:
            part, const = _part(schema), schema["properties"]["schema"]["const"]
            lines += [f"As [{part}]({_anchor(schema)}), with `schema` `{const}`."]
        else:
            lines += _table(schema)
    lines += ["", "## Shared parts", ""]
    for name, schema in parts.items():
        lines += [f"### common.{name}", "", *_table(schema), ""]
    return "\n".join(lines)


def _code(title: str) -> str:
    return f"`{title}`" if title.startswith("mcugen ") else title


def _part(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[1]


def _anchor(schema: dict[str, Any]) -> str:
    """Where a shared part is; some have the name of a schema."""
    return f"#common{_part(schema)}"


def _table(schema: dict[str, Any]) -> list[str]:
    rows = list(_rows(schema, ""))
    if not rows:
        return [f"{_type(schema)[:1].upper()}{_type(schema)[1:]}."]
    return ["| field | type |", "|---|---|", *(f"| `{path}` | {kind} |" for path, kind in rows)]


def _rows(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Every field below a schema, with its path."""
    inner = next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)
    if "items" in inner:
        yield from _rows(inner["items"], f"{path}[]")
    for name, field in inner.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, _type(field)
        yield from _rows(field, here)
    other = inner.get("additionalProperties")
    if isinstance(other, dict):
        yield f"{path}.*", _type(other)


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "$ref" in schema:
        return f"[{_part(schema)}]({_anchor(schema)})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join("null" if value is None else f"`{value}`" for value in schema["enum"])
    kind = schema["type"]
    if isinstance(kind, list):
        return " or ".join(kind)
    return f"array of {_type(schema['items'])}" if kind == "array" else str(kind)
