"""`--json` of every verb: alone on stdout, as its schema says, and documented.

`Ran.json` validates whatever a test reads of a command; what functions return goes through `assert_documented`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.device.connecting import open_device
from mcugen.flow.model import load_model
from mcugen.runtimes.tflm.strip import Stripped
from mcugen.verbs import verb_names
from mcugen.verbs.push import Pushed
from tests.cli.conftest import BOARD, ROOT, Cli
from tests.schemas import SCHEMAS, check, names, validator

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
    """docs/JSON.md mentions every key; whole objects follow their schema."""
    if "schema" in facts:
        check(facts)
    words = set(re.findall(r"[a-z0-9_]+", " ".join(re.findall(r"`([^`]*)`", DOCUMENT))))
    missing = sorted(set(keys(facts)) - words - {"schema"})
    assert not missing, f"docs/JSON.md does not mention {missing}"


def test_every_verb_has_a_schema() -> None:
    others = {"error", "exported", "fallback", "manifest", "quantization", "report"}
    assert set(names()) == {*verb_names(), *others}
    for name in names():
        validator(name)


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema and "$ref" not in schema:
            yield schema
        for inner in schema.values():
            yield from objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from objects(inner)


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_schemas_are_strict(path: Path) -> None:
    found = list(objects(json.loads(path.read_text(encoding="utf-8"))))
    assert found or "$ref" in path.read_text(encoding="utf-8")
    for each in found:
        assert each["additionalProperties"] is False
        # Counts by status: only those that occurred.
        assert each.get("required") == list(each["properties"]) or "does not fit" in each["properties"]


def test_what_breaks_a_schema_is_found(cli: Cli) -> None:
    facts = cli("boards", "--json").json
    with pytest.raises(AssertionError, match="unexpected"):
        check({**facts, "new": 1})
    first = facts["boards"][0]
    with pytest.raises(AssertionError, match="'cpu' is a required property"):
        check({**facts, "boards": [{key: value for key, value in first.items() if key != "cpu"}]})
    with pytest.raises(AssertionError, match=r"boards\[0\]\.clock_hz"):
        check({**facts, "boards": [{**first, "clock_hz": "fast"}]})


def test_boards_and_doctor(cli: Cli) -> None:
    for verb in ("boards", "doctor"):
        facts = cli(verb, "--json").json
        assert facts["schema"] == f"mcugen.{verb}/1"
        assert_documented(facts)


@pytest.mark.emulator
def test_push(project: Path, float_tflite: Path) -> None:
    """Without TensorFlow Lite Micro no device takes a model; what says hello here stands for one."""
    with open_device(api.build(project).firmware.elf, load_board(BOARD)) as device:
        hello = device.hello
    model = load_model(float_tflite, "random")
    stripped = Stripped(model.opened, saved=8, proved=True)
    facts = Pushed(model, stripped, hello, "socket://bench:4000", keeps=False).to_dict()
    assert (facts["board"], facts["saved"]) == (BOARD, 8)
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
    check(json.loads((out / "mcugen.json").read_text()), "manifest")
    assert_documented(facts)


def test_export(cli: Cli, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "lib"
    ran = cli("export", model, "--as", "c", "--core", "cortex-m4f", "--name", "net", "-o", out, "--json")
    assert ran.code == 0, ran.err
    facts = ran.json
    assert facts["schema"] == "mcugen.export/1"
    assert all((out / name).is_file() for name in facts["files"])
    check(json.loads((out / "mcugen-export.json").read_text()))
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


def test_made_up_scales_are_not_shown(float_tflite: Path, cli: Cli) -> None:
    facts = cli("inspect", float_tflite, "--json").json
    assert facts["trusted"] is False
    assert facts["quantization"]["calibration"]["kind"] == "shapes"
    assert {tensor["scale"] for tensor in (*facts["inputs"], *facts["outputs"])} == {None}
    shown = cli("inspect", float_tflite).out
    assert "zero point" not in shown
    assert "with made-up scales, for its sizes" in " ".join(shown.split())


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
    assert facts["estimate"]["why"] == "traces are switched off (MCUGEN_CYCLES=no)"
    assert_documented(facts)
