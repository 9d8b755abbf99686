"""`--json` of every verb: valid, alone on stdout, and documented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import BOARD, ROOT, Cli

DOCUMENT = (ROOT / "docs" / "JSON.md").read_text()


def keys(value: Any) -> Iterator[str]:
    """All keys of all objects in a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def assert_documented(facts: Any) -> None:
    words = set(re.findall(r"[a-z0-9_]+", " ".join(re.findall(r"`([^`]*)`", DOCUMENT))))
    missing = sorted(set(keys(facts)) - words - {"schema"})
    assert not missing, f"docs/JSON.md does not mention {missing}"


def test_boards_and_doctor(cli: Cli) -> None:
    for verb in ("boards", "doctor"):
        facts = cli(verb, "--json").json
        assert facts["schema"] == f"mcugen.{verb}/1"
        assert_documented(facts)


def test_inspect(cli: Cli, model: Path, float_tflite: Path) -> None:
    ran = cli("inspect", model, "--json")
    assert ran.code == 0, ran.err
    facts = ran.json
    assert facts["schema"] == "mcugen.inspect/1"
    assert facts["quantized_here"] is False
    assert [op["kind"] for op in facts["ops"]] == ["FULLY_CONNECTED", "LOGISTIC"]
    assert facts["model"]["macs"] == 24
    assert all(board["fits"] for board in facts["boards"])
    assert_documented(facts)
    of_float = cli("inspect", float_tflite, "--json").json
    assert of_float["quantized_here"] is True
    assert of_float["trusted"] is False


def test_quantize(cli: Cli, float_tflite: Path, tmp_path: Path) -> None:
    out = tmp_path / "int8.tflite"
    ran = cli("quantize", float_tflite, "--data", "random", "-o", out, "--json")
    assert ran.code == 0, ran.err
    facts = ran.json
    assert facts["schema"] == "mcugen.quantize/1"
    assert facts["trusted"] is False
    assert facts["model"]["bytes"] == len(out.read_bytes())
    assert_documented(facts)


def test_generate(cli: Cli, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "firmware"
    ran = cli("generate", model, "--board", BOARD, "-o", out, "--labels", "a,b,c,d", "--json")
    assert ran.code == 0, ran.err
    facts = ran.json
    assert facts["schema"] == "mcugen.generate/1"
    assert all((out / name).is_file() for name in facts["files"])
    assert_documented(facts)


@pytest.mark.emulator
def test_build_verify_and_run(cli: Cli, project: Path) -> None:
    built = cli("build", project, "--json")
    assert built.code == 0, built.err
    assert built.json["schema"] == "mcugen.build/1"
    assert Path(built.json["elf"]).is_file()
    assert_documented(built.json)
    assert_documented(cli("verify", project, "--samples", "1", "--json").json)


def test_the_exit_codes_are_documented() -> None:
    from mcugen import cli as command_line

    for code in (command_line.EXIT_USER_ERROR, command_line.EXIT_BUG, command_line.EXIT_INTERRUPTED):
        assert re.search(rf"^\| {code}\b", DOCUMENT, re.MULTILINE)


def test_inspect_for_a_board_shows_its_kernels(cli: Cli, model: Path) -> None:
    facts = cli("inspect", model, "--board", "mps2-an386", "--optimize", "ram", "--json").json
    assert (facts["board"], facts["optimize"], facts["cost"]) == ("mps2-an386", "ram", None)
    assert facts["ops"][0]["variant"] == "dsp"
    assert facts["ops"][0]["why_not_faster"] == ""
    assert_documented(facts)


@pytest.mark.emulator
def test_inspect_measures_every_op(cli: Cli, model: Path) -> None:
    facts = cli("inspect", model, "--board", BOARD, "--measure", "--json").json
    assert facts["cost"]["unit"] == "instructions"
    assert 0 < sum(op["cost"] for op in facts["ops"]) <= 2 * facts["cost"]["invoke"]
    first, last = facts["ops"]
    assert first["cost_per_mac"] == round(first["cost"] / first["macs"], 3)
    assert last["cost_per_mac"] is None
    assert_documented(facts)
