"""Documentation: generated pages are current, commands in it exist, links lead somewhere, the site builds offline."""

from __future__ import annotations

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

from mcugen.cli import make_app

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


def commands(text: str) -> Iterator[str]:
    """The lines of code blocks, indented or fenced, that call mcugen, and the calls within a sentence."""
    fenced = False
    for line in text.replace("\\\n", " ").splitlines():
        fenced ^= line.startswith("```")
        if re.match(r"(mcugen|\.venv/bin/mcugen) [a-z]" if fenced else r"    (mcugen|\.venv/bin/mcugen) [a-z]", line):
            yield line.split("#")[0].split(" > ")[0].strip()
    yield from (" ".join(found.split()) for found in re.findall(r"`(mcugen [a-z][^`]*)`", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_exist(page: Path) -> None:
    verbs: dict[str, Any] = typer.main.get_command(make_app()).commands  # type: ignore[attr-defined]
    for command in commands(page.read_text(encoding="utf-8")):
        _program, verb, *arguments = shlex.split(command.replace("'", ""))
        assert verb in verbs, command
        known = {name for parameter in verbs[verb].params for name in parameter.opts} | {"--help"}
        options = [word for word in arguments if re.match(r"--?[a-z]", word)]
        assert not set(options) - known, f"{command}: no option {sorted(set(options) - known)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s:]+)(?:#[^)\s]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"


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
