"""Documentation: generated pages are current, commands in it exist, links lead somewhere, the site builds offline."""

from __future__ import annotations

import contextlib
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mcugen import api
from mcugen.cli import make_app
from tests.cli.conftest import BOARD, float_model

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "docs.py"
if not TOOL.is_file():
    pytest.skip("tools/ is not part of this distribution", allow_module_level=True)

PAGES = sorted(
    path
    for folder in (ROOT, ROOT / "docs", ROOT / "docs/reference", ROOT / "benchmarks")
    for path in folder.glob("*.md")
)
GENERATED: dict[str, tuple[str, str]] = runpy.run_path(str(TOOL))["PAGES"]


@pytest.mark.parametrize("name", list(GENERATED))
def test_generated_pages_are_current(name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == runpy.run_path(str(TOOL))["page"](name), "run make docs"


def test_the_readme_lists_the_emulated_boards() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8") == runpy.run_path(str(TOOL))["readme"](), "run make docs"


def test_the_page_on_integration_lists_the_formats() -> None:
    page = ROOT / "docs" / "INTEGRATION.md"
    assert page.read_text(encoding="utf-8") == runpy.run_path(str(TOOL))["integration"](), "run make docs"


def commands(text: str) -> Iterator[str]:
    """The lines of code blocks that call mcugen, and the calls within a sentence."""
    yield from command_lines(text)
    yield from (" ".join(found.split()) for found in re.findall(r"`(mcugen [a-z][^`]*)`", text))


def command_lines(text: str) -> Iterator[str]:
    """The lines of code blocks, indented or fenced, that call mcugen."""
    fenced = False
    for line in text.replace("\\\n", " ").splitlines():
        fenced ^= line.startswith("```")
        if re.match(r"(mcugen|\.venv/bin/mcugen) [a-z]" if fenced else r"    (mcugen|\.venv/bin/mcugen) [a-z]", line):
            yield line.split("#")[0].split(" > ")[0].strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_exist(page: Path) -> None:
    known_verbs = verbs()
    for command in commands(page.read_text(encoding="utf-8")):
        _program, verb, *arguments = shlex.split(command.replace("'", ""))
        assert verb in known_verbs, command
        known = {name for parameter in known_verbs[verb].params for name in parameter.opts} | {"--help"}
        options = [word for word in arguments if re.match(r"--?[a-z]", word)]
        assert not set(options) - known, f"{command}: no option {sorted(set(options) - known)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_command_lines_are_accepted(page: Path) -> None:
    known_verbs = verbs()
    for command in command_lines(page.read_text(encoding="utf-8")):
        if "[OPTIONS]" in command:
            continue  # how a verb is called in general
        _program, verb, *arguments = shlex.split(command.replace("'", "").replace("…", ""))
        if not arguments:
            continue  # mcugen.toml says the rest
        with contextlib.suppress(typer.Exit):
            known_verbs[verb].make_context(verb, list(arguments))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"


def verbs() -> dict[str, Any]:
    return dict(typer.main.get_command(make_app()).commands)  # type: ignore[attr-defined]


def options_of(command: Any) -> dict[str, str]:
    return {name: parameter.help or "" for parameter in command.params for name in parameter.opts}


def test_help_speaks_of_projects_only_where_one_is_taken() -> None:
    for name, command in verbs().items():
        target = next((p.metavar or "" for p in command.params if p.param_type_name == "argument"), "")
        for option, text in options_of(command).items():
            assert "project knows" not in text or "DIR" in target, f"{name} {option}: {text}"
    assert "FLASHED" in options_of(verbs()["deploy"])["--port"]


def test_the_page_on_custom_ops_names_the_verbs_that_take_them() -> None:
    text = (ROOT / "docs" / "CUSTOM_OPS.md").read_text(encoding="utf-8")
    sentence = re.search(r"what the model calls the op\. ([^.;]*?) take it", text)
    assert sentence
    taking = {name for name, command in verbs().items() if "--custom-op" in options_of(command)}
    assert set(re.findall(r"`([a-z]+)`", sentence.group(1))) == taking


def test_the_design_shows_what_a_project_holds(tmp_path: Path) -> None:
    model = tmp_path / "float.tflite"
    model.write_bytes(float_model())
    api.generate(model, data="random", board=BOARD, out=tmp_path / "out")
    text = (ROOT / "docs" / "DESIGN.md").read_text(encoding="utf-8")
    tree = text.split("## The emitted project")[1].split("```")[1]
    shown = set(re.findall(r"^([\w./]+)", tree, re.MULTILINE))
    for path in (tmp_path / "out").rglob("*"):
        inside = path.relative_to(tmp_path / "out").as_posix()
        if path.is_file():
            assert inside in shown or any(inside.startswith(name) for name in shown if name.endswith("/")), inside
    assert all((tmp_path / "out" / name).exists() for name in shown)


def test_the_site_builds_without_warnings_and_needs_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    pages = {path.relative_to(tmp_path / "site").as_posix(): path for path in (tmp_path / "site").rglob("*.html")}
    assert {"index.html", "contributing.html", "reference/cli.html"} <= pages.keys()
    for name, path in pages.items():
        loaded = re.findall(
            r"<(?:script|link|img)[^>]*(?:src|href)=\"(https?:[^\"]*)\"", path.read_text(encoding="utf-8")
        )
        assert not loaded, f"{name} loads {loaded}"
