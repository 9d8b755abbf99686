"""`mcugen new` and what commands read from `mcugen.toml`."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from mcugen import api
from mcugen.cli import run
from mcugen.errors import McugenError
from mcugen.verbs.options.settings import FILE, KEYS, READERS, read_settings
from tests.cli.conftest import BOARD, ROOT, Cli, int8_model
from tests.schemas import check


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, where commands run."""
    (tmp_path / "small.tflite").write_bytes(int8_model())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert run(arguments) == code
    captured = capsys.readouterr()
    return captured.out if code == 0 else captured.err


@pytest.mark.emulator
def test_three_answers_then_deploy(cli: Cli, here: Path) -> None:
    made = cli("new", "small.tflite", "--board", "an386", cwd=here)
    assert made.code == 0, made.err
    assert made.out.splitlines()[-2].split() == ["next", "mcugen", "deploy"]
    assert (here / FILE).read_text().splitlines()[1:] == [
        'model = "small.tflite"', 'board = "mps2-an386"', 'out = "firmware"',
    ]  # fmt: skip
    deployed = cli("deploy", "--samples", "2", "--json", cwd=here)
    assert deployed.json["project"] == "firmware"
    assert deployed.json["verify"]["samples"] == 2
    assert cli("build", "--json", cwd=here).json["board"] == BOARD
    assert cli("verify", "-n", "1", "--json", cwd=here).json["project"] is None
    # What is typed wins, and another model is not this file's business.
    assert cli("inspect", cwd=here).code == 0
    shutil.copy(here / "small.tflite", here / "other.tflite")
    other = cli("deploy", "other.tflite", "--json", cwd=here)
    assert other.code == 2
    assert "--board" in other.err


@pytest.mark.usefixtures("here")
def test_what_is_typed_wins(capsys: pytest.CaptureFixture[str]) -> None:
    Path(FILE).write_text('model = "small.tflite"\noptimize = "size"\n')
    assert json.loads(said(capsys, "inspect", "--json"))["optimize"] == "size"
    assert json.loads(said(capsys, "inspect", "--optimize", "ram", "--json"))["optimize"] == "ram"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('model = "m.keras"\n\nbord = "pico"\n', "mcugen.toml, line 3: unknown key 'bord'"),
        ('[deploy]\nmodel = "m"\n', "mcugen.toml, line 1: unknown key 'deploy'"),
        ("trust_model = true\n", "mcugen.toml, line 1: unknown key 'trust_model'"),
        ('model = "m"\nsamples = "many"\n', "mcugen.toml, line 2: samples is not a whole number"),
        ("flash = 1\n", "mcugen.toml, line 1: flash is not true or false"),
        ("custom_ops = [1]\n", "mcugen.toml, line 1: custom_ops is not a list of texts"),
        ("model = m\n", "mcugen.toml: is not valid TOML: Invalid value (at line 1, column 9)"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    here: Path, text: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(FILE).write_text(text)
    assert sentence in said(capsys, "deploy", code=2)
    assert run(["deploy", "--help"]) == 0
    assert run(["boards"]) == 0


@pytest.mark.usefixtures("here")
def test_every_key_reaches_a_command() -> None:
    values: dict[str, Any] = {
        key: {str: "x", int: 3, bool: False, list: ["a"]}[kinds[0]] for key, kinds in KEYS.items()
    }
    Path(FILE).write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    settings = read_settings(Path(FILE))
    assert settings is not None
    assert dict(settings.values) == values
    import typer

    from mcugen.cli import make_app

    commands = typer.main.get_command(make_app()).commands  # type: ignore[attr-defined]
    assert set(READERS) <= set(commands)
    reached = settings.for_verb("deploy", {str(p.name): "option" for p in commands["deploy"].params})
    assert len(reached) == len(KEYS)
    assert (reached["no_quantize"], reached["no_flash"], reached["custom_op"]) == (True, True, ["a"])
    assert settings.for_verb("build", {"folder": "argument", "clean": "option"}) == {"folder": "x"}
    assert "out" not in settings.for_verb("quantize", {"model": "argument", "out": "option", "board": "option"})


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["new"], "MODEL and --board were not given, and there is no terminal to ask at"),
        (["new", "small.tflite"], "--board was not given, and there is no terminal to ask at"),
        (["new", "none.keras", "--board", BOARD], "none.keras: there is no such file"),
        (["new", "small.tflite", "--data", "no.npz", "--board", BOARD], "no.npz: there is no such file"),
        (["new", "small.tflite", "--board", "maple mini"], "the board 'maple mini' is not supported"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert sentence in said(capsys, *arguments, code=2)
    assert not Path(FILE).exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("here")
def test_at_a_terminal_it_asks_until_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal("nothing.keras\n\n\nzzz\npi pico\n"))
    monkeypatch.setattr(sys, "stderr", asked)
    assert run(["new"]) == 0
    settings = read_settings(Path(FILE))
    assert settings is not None
    assert settings.values == {"model": "small.tflite", "board": "pico", "out": "firmware"}
    for words in (
        "Which model?",
        "[small.tflite]",
        "there is no such file",
        "Which data?",
        "Which board?",
        "unknown bo",
    ):
        assert words in asked.getvalue()


@pytest.mark.usefixtures("here")
def test_it_is_a_function_and_replaces_nothing() -> None:
    check(api.new("small.tflite", board="nano33ble", data="random").to_dict())
    with pytest.raises(McugenError, match=r"mcugen.toml: exists already. Edit it, or replace it with `force=True`"):
        api.new("small.tflite", board=BOARD)
    assert api.new("small.tflite", board=BOARD, force=True).board == BOARD


def test_no_settings_lie_in_the_repository() -> None:
    """Tests run there, and would read them."""
    assert not (ROOT / FILE).exists()
