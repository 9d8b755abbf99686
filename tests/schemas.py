"""Validates what mcugen prints and writes as JSON against docs/schema/."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SCHEMAS = Path(__file__).resolve().parent.parent / "docs" / "schema"


def names() -> list[str]:
    """All schemas but the parts that they share."""
    return sorted(path.stem for path in SCHEMAS.glob("*.json") if path.stem != "common")


@cache
def validator(name: str) -> Any:
    """The validator of docs/schema/NAME.json."""
    files = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in SCHEMAS.glob("*.json")}
    resources = [(name, Resource.from_contents(text, DRAFT202012)) for name, text in files.items()]
    schema = files[f"{name}.json"]
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, registry=Registry().with_resources(resources))


def check(facts: Any, name: str | None = None) -> Any:
    """The facts, as JSON carries them, if they are what their schema says; fails with the first difference otherwise.

    Args:
        name: the schema; by default the one that the facts name themselves.
    """
    facts = json.loads(json.dumps(facts, allow_nan=False))
    if name is None:
        match = re.fullmatch(r"mcugen\.([a-z]+)/\d+", str(facts.get("schema")))
        assert match, f"names no schema: {facts.get('schema')!r}"
        name = match.group(1)
    error = jsonschema.exceptions.best_match(validator(name).iter_errors(facts))
    assert error is None, f"docs/schema/{name}.json: {error.json_path}: {error.message}"
    return facts
