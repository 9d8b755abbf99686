"""Texts speak of parameters, and the command line reads them as its options."""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from mcugen import api
from mcugen.cli import make_app
from mcugen.errors import DataError
from mcugen.ui.terminal import columns, grid, make_console, say_note
from mcugen.verbs import verb_function, verb_names
from mcugen.verbs.options.derive import UNSPELLED, as_options
from tests.cli.conftest import BOARD, ROOT, Cli, float_model

ABOVE = ("ui", "verbs", "api.py", "cli.py", "__main__.py", "pytest_plugin.py", "testing.py")
"""Rooms and doors that are the command line, draw for it, or have options of their own."""

ALLOWED = {
    ("flash/esptool.py", "--port"): "an argument of esptool",
    ("emulators/renode.py", "--plain"): "an argument of Renode",
    ("flow/doctor.py", "the TFLM runtime (--runtime tflm)"): "doctor's table of what a command line needs",
    ("flow/doctor.py", "--emulator …"): "doctor's table of what a command line needs",
    ("flow/project.py", " --data random"): "part of a whole command line",
    ("flow/runtime.py", " --plain"): "part of a whole command line",
    ("flow/runtime.py", " --reserve …=…"): "part of a whole command line",
    ("flow/project.py", " --no-quantize"): "part of a whole command line",
    ("flow/project.py", " --auto"): "part of a whole command line",
    ("flow/project.py", " --trainable …"): "part of a whole command line",
    ("flow/project.py", " --activations …"): "part of a whole command line",
    ("flow/project.py", "mcugen … … --board ………"): "a whole command line",
    ("flow/runtime.py", " --runtime tflm"): "part of a whole command line",
    ("flow/runtime.py", " --keep-names"): "part of a whole command line",
    ("flow/runtime.py", " --model-slot …"): "part of a whole command line",
    ("flow/runtime.py", " --optimize …"): "part of a whole command line",
    ("flow/runtime.py", " --rows pushed"): "part of a whole command line",
    ("report/write.py", " --data …"): "part of a whole command line",
    ("sweep/jobs.py", "--board"): "an argument of the command that it runs",
    ("sweep/jobs.py", "--json"): "an argument of the command that it runs",
    ("monitor/web/server.py", "--listen"): "only commands serve the page: no verb takes its address",
    ("monitor/web/server.py", "--token"): "only commands serve the page: no verb takes its token",
    (
        "monitor/web/server.py",
        "Add --token TOKEN (or set MCUGEN_TOKEN), or omit the address to serve this computer only",
    ): "only commands serve the page: no verb takes its token",
}
"""Literals that name options with good reason; "…" stands for what an f-string puts in."""

FILLED_IN = {*UNSPELLED, "show", "profile", "hold", "stop", "say"}
"""Parameters that commands fill in themselves."""

OTHERWISE = {
    ("ci", "folder"): "an argument of the other verbs, so texts name it in plain words",
    ("fit", "boards"): "--board is repeated here, where sweep has --boards",
}
"""Options of single verbs that texts cannot name."""


@cache
def options_of(verb: str) -> frozenset[str]:
    """The long options that the verb's command really has."""
    command = typer.main.get_command(make_app()).commands[verb]  # type: ignore[attr-defined]
    return frozenset(name for param in command.params for name in param.opts if name.startswith("--"))


def arguments_of(verb: str) -> set[str]:
    command = typer.main.get_command(make_app()).commands[verb]  # type: ignore[attr-defined]
    return {param.name for param in command.params if not param.opts[0].startswith("-")}


def literals(path: Path) -> Iterator[str]:
    """The strings of a module that are no docstrings; an f-string is one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out = {
        id(each)
        for node in ast.walk(tree)
        for each in (
            [node.value] if isinstance(node, ast.Expr) else node.values if isinstance(node, ast.JoinedStr) else []
        )
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


def test_no_text_below_the_verbs_names_an_option() -> None:
    ours = frozenset[str]().union(*map(options_of, verb_names()))
    command_line = re.compile(rf"mcugen ({'|'.join(verb_names())})\b[^;,:]*")
    found = set()
    for path in sorted((ROOT / "mcugen").rglob("*.py")):
        name = path.relative_to(ROOT / "mcugen").as_posix()
        if name.split("/")[0] in ABOVE:
            continue
        for text in literals(path):
            said = command_line.sub("", text)
            if ours & set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", said)):
                found.add((name, text))
    assert not found - set(ALLOWED), "name the parameter, in backticks; the command line translates it"
    assert not set(ALLOWED) - found, "no longer there: strike it out"


COMMANDS_ALLOWED = {
    ("ops/advice.py", "inspect"): "only the command lists the alternatives",
    ("sweep/jobs.py", "verify"): "the command that it runs",
    ("monitor/web/app.py", "monitor"): "only commands serve the page",
    ("device/share.py", "serve"): "what it calls itself to the client",
}
"""Commands that texts name with good reason."""


def test_no_text_below_the_verbs_names_a_command() -> None:
    """A user of Python has functions: `api.flash(DIR)` is what both read in their words."""
    command = re.compile(rf"\bmcugen ({'|'.join(verb_names())})\b")
    found = {}
    for path in sorted((ROOT / "mcugen").rglob("*.py")):
        name = path.relative_to(ROOT / "mcugen").as_posix()
        if name.split("/")[0] not in ABOVE:
            found.update({(name, said[1]): text for text in literals(path) for said in command.finditer(text)})
    assert not set(found) - set(COMMANDS_ALLOWED), "write `api.verb(ARGUMENTS)`; the command line translates it"
    assert not set(COMMANDS_ALLOWED) - set(found), "no longer there: strike it out"


def test_calls_in_texts_are_possible() -> None:
    """Every function and parameter that a text names in a call exists."""
    call = re.compile(r"`api\.(\w+)\(([^`]*)\)`")
    seen = 0
    for path in sorted((ROOT / "mcugen").rglob("*.py")):
        for text in literals(path):
            for verb, arguments in call.findall(text):
                if "…" in verb:
                    continue
                seen += 1
                parameters = inspect.signature(verb_function(verb)).parameters
                named = re.findall(r"(?:^|, )([a-z_]+)=", arguments)
                assert set(named) <= set(parameters), f"{path.name}: {text}"
    assert seen > 10


@pytest.mark.parametrize("verb", verb_names())
def test_every_parameter_becomes_an_option_of_its_command(verb: str) -> None:
    arguments = arguments_of(verb)
    for name, parameter in inspect.signature(verb_function(verb)).parameters.items():
        said = as_options(f"`{name}`")
        if name in FILLED_IN or name in arguments:
            assert said == f"`{name}`"
        elif (verb, name) not in OTHERWISE:
            assert said in options_of(verb), f"{name} of {verb}"
            if isinstance(parameter.default, bool):
                assert as_options(f"`{name}={not parameter.default}`") == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Omit `data`", "Omit --data"),
        ("`quantize=False` takes no `data`", "--no-quantize takes no --data"),
        ('Add `runtime="tflm"`.', "Add --runtime tflm."),
        ("Set `arena=BYTES`", "Set --arena BYTES"),
        ('`custom_ops=["A=k.c"]` with a kernel', "--custom-op A=k.c with a kernel"),
        ("`max_drop`", "--max-drop"),
        ("Pass one of `ports`", "Pass one of --port"),
        ("Try `api.flash(DIR, port=PORT)`", "Try mcugen flash DIR --port PORT"),
        ("`api.flash('my out', port=\"/dev/a b\")`.", "mcugen flash 'my out' --port '/dev/a b'."),
        ("`api.deploy(MODEL, board='x', quantize=False)`", "mcugen deploy MODEL --board x --no-quantize"),
        ("`api.boards()` lists them", "mcugen boards lists them"),
        ("`quantize=True`, `force=False`", "`quantize=True`, `force=False`"),  # no options say these
        ("`model`, `progress`, `nothing=1`, `x", "`model`, `progress`, `nothing=1`, `x"),
        ("region `ram' overflowed by `data", "region `ram' overflowed by `data"),
    ],
)
def test_parameters_and_nothing_else_are_translated(text: str, said: str) -> None:
    assert as_options(text) == said


def test_lines_and_tables_are_drawn_in_the_readers_words() -> None:
    stream = io.StringIO()
    console = make_console(stream, as_options)
    say_note(console, "use `data`")
    console.print(grid([("note", "use `auto=True`")]), columns(("why",), [("use `seed=N`",)]))
    said = stream.getvalue()
    assert [name for name in ("use --data", "use --auto", "use --seed N") if name in said] == [
        "use --data", "use --auto", "use --seed N",
    ]  # fmt: skip
    assert "`" not in said


def test_one_mistake_reads_right_from_python_and_from_the_command_line(cli: Cli, tmp_path: Path) -> None:
    model = tmp_path / "float.tflite"
    model.write_bytes(float_model())
    with pytest.raises(DataError, match=r"`quantize=False` takes no calibration data. Omit either `data` or") as caught:
        api.generate(model, board=BOARD, out=tmp_path / "p", data="random", quantize=False)
    assert "--" not in str(caught.value)

    ran = cli("generate", model, "--board", BOARD, "-o", tmp_path / "p", "--data", "random", "--no-quantize", "--json")
    assert ran.code == 2
    assert "--no-quantize takes no calibration data" in ran.err
    assert "Omit either --data or --no-quantize" in ran.err
    assert "`" not in ran.err
    error = json.loads(ran.out)["error"]
    assert (error["what"], error["hint"]) == (
        "--no-quantize takes no calibration data",
        "Omit either --data or --no-quantize",
    )


def test_one_warning_reads_right_from_python_and_from_the_command_line(cli: Cli, tmp_path: Path) -> None:
    model = tmp_path / "float.tflite"
    model.write_bytes(float_model())
    report = api.quantize(model, data="random").model.report
    assert report is not None
    assert any(warning.endswith("pass real samples with `data`") for warning in report.warnings)
    ran = cli("quantize", model, "--data", "random", "-o", tmp_path / "q.tflite")
    assert "pass real samples with --data" in ran.out
    assert "`" not in ran.out
