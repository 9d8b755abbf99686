"""The command line starts at once, knows every verb, and the Python interface has them all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mcugen import __version__, api
from mcugen.verbs import verb_names
from tests.cli.conftest import ROOT, Cli

VERBS = {"boards", "doctor", "inspect", "quantize", "generate", "build", "run", "verify", "deploy"}
HEAVY = ("numpy", "tensorflow", "flatbuffers", "jinja2", "platformio", "serial", "PIL")


@pytest.mark.parametrize("arguments", [["--help"], ["boards"], ["boards", "--json"], ["deploy", "--help"]])
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    program = f"""
import sys
from mcugen.cli import run
assert run({arguments!r}) == 0
print("HEAVY:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "HEAVY: []" in done.stdout


def test_importing_the_package_imports_nothing_else() -> None:
    program = "import sys, mcugen.api; print([m for m in sys.modules if m.startswith(('rich', 'typer', 'numpy'))])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_verb_is_a_command_and_a_function(cli: Cli) -> None:
    help_text = cli("--help").out
    assert set(verb_names()) >= VERBS
    for verb in verb_names():
        assert f" {verb} " in help_text
        assert callable(getattr(api, verb))
        assert "--json" in cli(verb, "--help").out
    assert set(dir(api)) == set(verb_names())


def test_the_public_interface_names_every_verb_for_type_checkers() -> None:
    source = (ROOT / "mcugen" / "api.py").read_text()
    for verb in verb_names():
        assert f"from mcugen.verbs.{verb} import {verb} as {verb}" in source


def test_an_unknown_function_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="solder"):
        _ = api.solder


def test_version(cli: Cli) -> None:
    assert cli("--version", fresh=True).out.strip() == f"mcugen {__version__}"


def test_no_arguments_show_the_help(cli: Cli) -> None:
    ran = cli(fresh=True)
    assert ran.code == 2
    assert "Usage: mcugen" in ran.out + ran.err


def test_boards_lists_every_board(cli: Cli) -> None:
    ran = cli("boards")
    assert ran.code == 0
    for path in (ROOT / "boards").glob("*.toml"):
        assert path.stem in ran.out


def test_works_from_any_folder(cli: Cli, tmp_path: Path) -> None:
    assert cli("boards", cwd=tmp_path, fresh=True).code == 0
