from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcugen import __version__
from mcugen.errors import ProjectError
from mcugen.project.manifest import SCHEMA, Manifest, is_inside, manifest_text, parse_manifest, plan_facts
from tests.builder.tiny import tiny_plan


def made() -> Manifest:
    return Manifest(
        mcugen=__version__,
        board="mps2-an386",
        command="mcugen generate m.tflite",
        labels=("zero", 'o"ne'),
        protocol="mcugen",
        files={"src/main.c": "0" * 64, "README.md": "f" * 64},
        **plan_facts(tiny_plan(name="näme")),
    )


def test_it_reads_back_equal() -> None:
    assert parse_manifest(manifest_text(made()), "m") == made()


def test_it_holds_the_plans_facts() -> None:
    data = json.loads(manifest_text(made()))
    plan = tiny_plan()
    assert data["schema"] == SCHEMA
    assert data["arena_bytes"] == plan.arena_bytes
    assert data["live_bound"] == plan.live_bound
    assert data["macs"] == plan.macs == 32
    assert data["inputs"][0]["shape"] == [1, 8]
    assert data["inputs"][0]["zero_point"] == 3
    assert data["ops"][0]["kind"] == "FULLY_CONNECTED"
    assert data["ops"][0]["kernels"] == [call.kernel for call in plan.steps[0].calls]
    assert data["weight_bytes"] >= 32 + 16


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"x"', "{}", "[" * 100_000, '{"schema": NaN}', '{"schema": 1e400}']
)
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ProjectError, match=r"is not valid JSON|not a JSON object|field schema is"):
        parse_manifest(text, "mcugen.json")


def test_another_schema_says_so() -> None:
    text = manifest_text(made()).replace(f'"schema": {SCHEMA}', '"schema": 99')
    with pytest.raises(ProjectError, match=r"schema 99.*Another version"):
        parse_manifest(text, "m")


Change = Callable[[dict[str, Any]], None]


def change(*path: Any, value: Any) -> Change:
    def apply(data: dict[str, Any]) -> None:
        place: Any = data
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    ("apply", "says"),
    [
        (change("arena_bytes", value=-1), "arena_bytes is -1"),
        (change("arena_bytes", value=True), "arena_bytes is True"),
        (change("arena_bytes", value=1 << 70), "arena_bytes"),
        (change("arena_bytes", value="16"), "not an integer"),
        (change("model_sha256", value="xyz"), "model_sha256"),
        (change("model_sha256", value="0" * 64 + "\n"), "model_sha256"),
        (change("board", value="../../etc"), "board"),
        (change("board", value="a; rm -rf"), "board"),
        (change("runtime", value="python"), "runtime"),
        (change("labels", value=[1]), "labels"),
        (change("inputs", value={}), "inputs"),
        (change("inputs", 0, value=None), r"inputs\[0\]"),
        (change("inputs", 0, "shape", value=[-1]), r"inputs\[0\]\.shape"),
        (change("inputs", 0, "scale", value="1"), r"inputs\[0\]\.scale"),
        (change("inputs", 0, "scale", value=float("nan")), "scale"),
        (change("inputs", 0, "scale", value=float("inf")), "scale"),
        (change("inputs", 0, "scale", value=10**400), "scale"),
        (change("inputs", 0, "dtype", value="float128"), "dtype"),
        (change("ops", 0, "kind", value="CONV; DROP"), "kind"),
        (change("ops", 0, "macs", value=1.5), r"ops\[0\]\.macs"),
        (change("files", value=[]), "files"),
        (change("files", "../x", value="0" * 64), "not a path inside"),
        (change("files", "/etc/passwd", value="0" * 64), "not a path inside"),
        (change("files", "a//b", value="0" * 64), "not a path inside"),
        (change("files", "a\n", value="0" * 64), "not a path inside"),
        (change("files", "ok", value="short"), "no SHA-256"),
    ],
)
def test_a_hostile_field_is_named(apply: Change, says: str) -> None:
    data = json.loads(manifest_text(made()))
    apply(data)
    with pytest.raises(ProjectError, match=says):
        parse_manifest(json.dumps(data), "mcugen.json")


@pytest.mark.parametrize("key", list(json.loads(manifest_text(made()))))
def test_every_field_is_needed(key: str) -> None:
    data = json.loads(manifest_text(made()))
    del data[key]
    with pytest.raises(ProjectError, match=key):
        parse_manifest(json.dumps(data), "m")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists), st.data())
def test_nothing_but_project_errors_comes_out(value: Any, data: st.DataObject) -> None:
    fields = json.loads(manifest_text(made()))
    place: Any = fields
    key = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = value
    with contextlib.suppress(ProjectError):
        parse_manifest(json.dumps(fields), "m")


@pytest.mark.parametrize("path", ["a", "a/b.c", ".gitignore", "a b/c"])
def test_paths_inside(path: str) -> None:
    assert is_inside(path)


@pytest.mark.parametrize("path", ["", ".", "..", "a/..", "/a", "./a", "a/", "a/./b", "a\\b", "a\0b"])
def test_paths_that_leave_or_hide(path: str) -> None:
    assert not is_inside(path)
