"""What messages advise exists: functions, parameters, verbs, options, documents and settings that they name."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from mcugen import api
from mcugen.cli import make_app
from mcugen.verbs import verb_names
from tests.conftest import ROOT

SOURCES = sorted((ROOT / "mcugen").rglob("*.py"))


@cache
def said() -> tuple[tuple[str, int, str], ...]:
    """Every string in the code that is no docstring: (file, line, text); what f-strings fill in is "…"."""
    found = []
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        told = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told | alone:
                text = node.value
            else:
                continue
            found.append((str(path.relative_to(ROOT)), node.lineno, text))
    return tuple(found)


def named(pattern: str) -> Iterator[tuple[str, str]]:
    """What the first group of a pattern names, and where."""
    for file, line, text in said():
        for match in re.finditer(pattern, text):
            yield match[1], f"{file}:{line}: {match[0]!r}"


@cache
def verbs() -> frozenset[str]:
    return frozenset(verb_names())


@cache
def parameters() -> frozenset[str]:
    """Of all verbs."""
    return frozenset(p for verb in verbs() for p in inspect.signature(getattr(api, verb)).parameters)


@cache
def options() -> frozenset[str]:
    """Of all commands."""
    group = typer.main.get_command(make_app())
    commands = getattr(group, "commands", {}).values()
    return frozenset(o for command in (group, *commands) for p in command.params for o in (*p.opts, *p.secondary_opts))


def test_the_walk_sees_what_it_is_to_see() -> None:
    assert len(said()) > 5000
    assert len(list(named(r"\bapi\.(\w+)"))) > 10
    assert {"deploy", "verify", "calibrate"} <= verbs()
    assert {"board", "max_ms"} <= parameters()
    assert {"--board", "--json", "--no-flash"} <= options()


def test_functions_of_the_api() -> None:
    missing = [where for name, where in named(r"(?<![\w/.])(?:mcugen\.)?api\.([a-z]\w*)\(?") if not hasattr(api, name)]
    assert not missing, missing


def test_nothing_is_called_on_the_package_itself() -> None:
    """`mcugen.quantize(…)` is `mcugen.api.quantize(…)`."""
    wrong = [where for name, where in named(r"(?<![\w/.-])mcugen\.([a-z]\w*)(?![\w/.])") if name in verbs()]
    assert not wrong, wrong


def test_parameters_in_backticks() -> None:
    known = parameters()
    assigned = [(name, where) for name, where in named(r"`([a-z_]+)=[^`]*`")]
    assert len(assigned) > 20
    # What is passed to another library, or a key of a file.
    foreign = {"allow_pickle", "dtype", "signatures", "safe_mode", "use_cache", "axis"}
    missing = [where for name, where in assigned if name not in known | foreign]
    assert not missing, missing


def test_verbs_in_commands() -> None:
    ours = [
        (name, where) for name, where in named(r"(?:^|[ `(]|: )mcugen ([a-z]+)(?= (?:[A-Z]{3,}|-|…|\.|[a-z/]+\.\w+))")
    ]
    assert len(ours) > 10
    commands = {name.replace("_", "-") for name in verbs()} | {"ci", "mutants"}
    missing = [where for name, where in ours if name not in commands | {"takes", "speaks", "writes", "reads"}]
    assert not missing, missing


def test_options_exist() -> None:
    """Texts below the verbs speak of parameters; those that do name an option name one that there is."""
    ours = [
        (name, where)
        for file, line, text in said()
        if re.search(r"\bmcugen [a-z]+\b", text)
        for name, where in (
            (m[1], f"{file}:{line}: {m[0]!r}") for m in re.finditer(r"(?<![\w-])(--[a-z][a-z-]+)", text)
        )
    ]
    assert len(ours) > 5
    missing = [where for name, where in ours if name not in options() | {"--help"}]
    assert not missing, missing


@pytest.mark.parametrize("kind", ["docs", "settings"])
def test_documents_and_settings(kind: str) -> None:
    if kind == "docs":
        pages = list(named(r"\b(docs/[\w/]+\.(?:md|json))"))
        assert len(pages) > 5
        missing = [where for name, where in pages if not (ROOT / name).is_file()]
    else:
        text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
        variables = list(named(r"\bset (MCUGEN_[A-Z_]+)\b"))
        assert variables
        missing = [where for name, where in variables if text.count(f'"{name}"') == 0]
    assert not missing, missing
    assert Path(ROOT / "docs").is_dir()
