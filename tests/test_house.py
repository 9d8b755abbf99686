"""The law of the house: which room may import which. Data flows one way, so imports look down.

Adding a room is adding its name to `tools/structure.py` and a line here; docs/DESIGN.md tells what the rooms are for.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

from tools.structure import ROOMS, circles, document, imports, modules, room_edges, room_of

ROOT = Path(__file__).resolve().parent.parent

LAW = {
    # The ground.
    "errors": "",
    "names": "",
    "text": "",
    "progress": "",
    "resources": "",
    "custom": "",
    "environment": "errors",
    "cache": "environment",
    "outputs": "errors",
    "reading": "errors",
    "children": "",
    "cores": "",
    "toml_table": "errors",
    # What a model is, and what it computes.
    "graph": "",
    "tflite": "errors graph",
    "numerics": "graph",
    "ops": "errors resources custom graph tflite numerics",
    "cores.*.kernels": "ops",
    "ops.moving": "graph ops",
    "ops.elementwise": "graph numerics ops",
    "ops.casting": "graph numerics ops",
    "ops.weighted": "graph numerics ops",
    "ops.pooling": "graph numerics ops",
    "ops.rows": "graph tflite numerics ops",
    "ops.keeping": "graph tflite numerics ops ops.weighted",
    # What runs it. The two runtimes are sisters: neither knows the other.
    "emit": "environment errors resources graph tflite numerics ops",
    "frontends": "errors resources toml_table emit",
    "decisions": "errors resources graph toml_table",
    "pipeline": "errors resources graph toml_table numerics emit frontends decisions",
    "training": "errors resources graph tflite emit",
    "emulators": "errors resources cores toml_table emit",
    "boards": "errors resources cores toml_table ops emulators",
    "reference": "errors graph tflite",
    "oracle": "environment children errors names graph tflite ops.moving reference",
    "runtimes": "names graph",
    "runtimes.aot": "errors graph ops ops.keeping",
    "runtimes.aot.graph": "errors runtimes.aot graph tflite numerics ops ops.weighted ops.rows ops.keeping",
    "runtimes.aot.plan": "errors names graph ops ops.weighted ops.pooling runtimes.aot",
    "runtimes.aot.emit": "environment errors resources graph ops emit runtimes.aot.plan",
    "runtimes.tflm": "errors children names resources cores graph tflite ops emit boards oracle",
    # The stages.
    "project": "errors names resources graph emit boards runtimes",
    "formats": "errors names resources graph ops emit boards runtimes runtimes.aot.plan runtimes.tflm project",
    "builder": "cache environment errors reading children progress cores graph boards runtimes runtimes.aot.plan"
    " runtimes.tflm project",
    "verify": "errors progress graph tflite numerics ops oracle runtimes runtimes.aot.graph runtimes.aot.plan"
    " runtimes.aot.emit",
    "qat": "errors numerics",
    "guard": "errors reading",
    "convert.loops": "errors graph tflite ops",
    "convert": "cache errors text reading outputs children names progress graph tflite numerics ops oracle verify qat"
    " guard"
    " convert.loops",
    "assess": "errors names text progress graph tflite numerics oracle runtimes.aot.graph verify convert",
    "tune": "errors progress outputs reading graph tflite boards runtimes runtimes.aot.graph builder convert assess",
    "device": "errors progress environment children cores graph emulators boards builder",
    "cost": "cache environment errors outputs toml_table cores emulators boards builder device",
    "flash": "errors children boards builder device",
    "evidence": "environment errors runtimes.aot.plan project",
    "monitor": "errors outputs reading graph tflite numerics ops.moving runtimes runtimes.aot.plan convert device",
    "monitor.web": "errors tflite convert monitor",
    "sweep": "errors outputs children builder",
    # What verbs share, what people see, and the verbs.
    "flow": "errors names text progress outputs cores graph tflite numerics ops emit frontends decisions pipeline"
    " training"
    " emulators boards oracle runtimes"
    " runtimes.aot runtimes.aot.graph runtimes.aot.plan runtimes.aot.emit runtimes.tflm project formats builder verify"
    " guard convert assess tune device cost flash evidence monitor",
    "ui": "errors text progress graph ops runtimes runtimes.tflm verify convert assess cost flash monitor monitor.web"
    " flow",
    "report": "environment errors text resources outputs graph tflite numerics assess boards runtimes"
    " runtimes.aot.plan pipeline builder flow ui",
    "verbs.options": "errors names toml_table emulators monitor.web ui",
    "verbs": "errors names text progress outputs graph numerics ops emit emulators boards oracle runtimes"
    " runtimes.aot.plan runtimes.tflm pipeline project builder convert assess device cost flash monitor sweep flow ui"
    " report verbs.options",
    # The doors.
    "api": "verbs",
    "cli": "environment errors outputs ui verbs verbs.options",
    "testing": "graph oracle builder device cost flow",
    "pytest_plugin": "errors emulators oracle device flow testing",
}
"""Room → the rooms that it may import. Every one of them stands above it here."""

DOORS = {"mcugen", "mcugen.__main__"}
"""Modules in no room: the version, and `python -m mcugen`."""

MOST_LINES = 500

KNOWN = modules()
FOUND = imports(KNOWN)
EDGES = room_edges(FOUND)


def test_the_law_looks_down() -> None:
    order = list(LAW)
    assert set(order) == set(ROOMS)
    for room, allowed in LAW.items():
        above = order[: order.index(room)]
        assert set(allowed.split()) <= set(above), f"{room} may import what stands below it"


@pytest.mark.parametrize("room", LAW)
def test_rooms_import_what_the_law_allows(room: str) -> None:
    allowed = set(LAW[room].split())
    broken = [
        f"{item.source}:{item.line} imports {item.target}"
        for item in FOUND
        if room_of(item.source, ROOMS) == room and room_of(item.target, ROOMS) not in {room, "", *allowed}
    ]
    assert not broken, f"the law forbids it ({room}): {'; '.join(broken)}"
    assert not allowed - EDGES[room], f"{room} may import what it does not: strike it out"


def test_every_module_has_a_room() -> None:
    assert {name for name in KNOWN if not room_of(name, ROOMS)} == DOORS


def test_rooms_need_nothing_of_the_doors() -> None:
    """The package itself has the version alone, which anybody may read."""
    assert {item.target for item in FOUND if not room_of(item.target, ROOMS)} == {"mcugen"}


def test_no_circles() -> None:
    assert circles({name: [item.target for item in FOUND if item.source == name] for name in KNOWN}) == []
    assert circles({room: targets - {""} for room, targets in EDGES.items()}) == []


def test_no_two_packages_import_each_other() -> None:
    def package(module: str) -> str:
        alone = KNOWN[module].name == "__init__.py" or module.count(".") == 1
        return module if alone else module.rpartition(".")[0]

    pairs = {(package(item.source), package(item.target)) for item in FOUND if item.target != "mcugen"}
    assert not sorted((a, b) for a, b in pairs if a < b and (b, a) in pairs)


@pytest.mark.parametrize("folder", ["mcugen", "tools", "tests", "benchmarks"])
def test_modules_are_short(folder: str) -> None:
    lines = {path: len(path.read_text().splitlines()) for path in sorted((ROOT / folder).rglob("*.py"))}
    assert not [f"{path.relative_to(ROOT)}: {count}" for path, count in lines.items() if count > MOST_LINES]


def test_the_picture_is_of_today() -> None:
    picture = (ROOT / "docs" / "images" / "structure.svg").read_text(encoding="utf-8")
    assert picture == document(), "make docs draws it anew"


def house(folder: Path, **files: str) -> dict[str, Path]:
    """A package `mcugen` in a folder; `a__b` is the module b of the package a."""
    for name, text in {"__init__": "", **files}.items():
        path = folder / "mcugen" / f"{name.replace('__', '/') if name != '__init__' else name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    return modules(folder)


def test_a_forbidden_import_is_found_wherever_it_hides(tmp_path: Path) -> None:
    known = house(
        tmp_path,
        low="def f():\n    from mcugen.high import thing\n",
        high="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mcugen.low\n",
        inner__one="from . import two\nfrom ..high import thing\n",
        inner__two="",
    )
    found = [(item.source, item.target, item.line) for item in imports(known)]
    assert found == [
        ("mcugen.high", "mcugen.low", 3),
        ("mcugen.inner.one", "mcugen.high", 2),
        ("mcugen.inner.one", "mcugen.inner.two", 1),
        ("mcugen.low", "mcugen.high", 2),
    ]
    assert room_edges(imports(known), ("low", "high", "inner")) == {"low": {"high"}, "high": {"low"}, "inner": {"high"}}
    assert circles(room_edges(imports(known), ("low", "high", "inner"))) == [["high", "low"]]


def test_rooms_are_named_by_the_longest_name() -> None:
    rooms = ("ops", "ops.moving", "cores", "cores.*.kernels")
    assert room_of("mcugen.ops.moving.pad", rooms) == "ops.moving"
    assert room_of("mcugen.ops.base", rooms) == "ops"
    assert room_of("mcugen.cores.dsp.kernels", rooms) == "cores.*.kernels"
    assert room_of("mcugen.cores.dsp", rooms) == "cores"
    assert room_of("mcugen.opsy", rooms) == ""


def test_every_folder_of_tests_is_collected(pytestconfig: pytest.Config) -> None:
    """pytest passes over some names without a word: tests/build was one, and its tests did not run for weeks."""
    passed_over = pytestconfig.getini("norecursedirs")
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    parts = {part for folder in folders for part in folder.relative_to(ROOT).parts}
    assert not [part for part in parts for pattern in passed_over if fnmatch(part, pattern)]
