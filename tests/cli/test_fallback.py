"""Ops that do not run: what would work, in refusals and in `inspect --fallback`."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mcugen import cli as command_line
from mcugen import ops
from mcugen.flow.survey import survey
from mcugen.ops import advice as fallback
from mcugen.ops import builtin
from mcugen.tflite.int8_rules import RULES
from tests.cli.conftest import BOARD, Cli, int8_model
from tests.cli.test_json import assert_documented
from tests.conftest import ROOT
from tests.convert.float_models import FloatModel, S
from tests.kernels.single_op import Node, TensorSpec, build_graph


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An int8 model with an op that only TFLM has, and a use that breaks a rule."""
    x, a, b, y = (TensorSpec((1, 4), scale=0.1, name=name) for name in ("x", "a", "b", "layer/y"))
    nodes = [
        Node("RELU6", None, [x], [a]),
        Node("CUSTOM:SignalDelay", None, [a], [b]),
        Node("LOGISTIC", None, [b], [y]),
    ]
    path = tmp_path_factory.mktemp("fallback") / "mixed.tflite"
    path.write_bytes(build_graph(nodes, [y]))
    return path


def test_every_problem_is_listed_with_its_ways(cli: Cli, mixed: Path) -> None:
    ran = cli("inspect", mixed, "--fallback", "--json")
    facts = ran.json
    assert ran.code == 1
    assert_documented(facts)
    assert (facts["schema"], facts["model"]["ops"]) == ("mcugen.fallback/1", 3)
    delay, logistic = facts["missing"]
    assert delay["kind"] == "CUSTOM:SignalDelay"
    assert delay["problem"] == "it is a custom operator"
    assert [way["name"] for way in delay["ways"]] == ["tflm", "custom op", "rewrite"]
    assert (logistic["kind"], logistic["name"]) == ("LOGISTIC", "layer/y")
    assert "scale" in logistic["problem"]
    assert logistic["rule"]


def test_for_people(cli: Cli, mixed: Path) -> None:
    ran = cli("inspect", mixed, "--fallback")
    assert ran.code == 1
    for text in ('op 1 CUSTOM:SignalDelay "b"', "--runtime tflm", "2 of 3 ops", 'op 2 LOGISTIC "layer/y"'):
        assert text in ran.out


def test_a_model_without_problems(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "good.tflite"
    path.write_bytes(int8_model())
    ran = cli("inspect", path, "--fallback")
    assert (ran.code, "run" in ran.out) == (0, True)


def test_refusals_say_the_same_and_name_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    known = {kind: specs for kind, specs in ops.registry().items() if kind != "LOGISTIC"}
    monkeypatch.setattr(ops, "registry", lambda: known)
    path = tmp_path / "mine.tflite"
    path.write_bytes(int8_model())
    assert command_line.run(["generate", str(path), "--board", BOARD, "-o", str(tmp_path / "out")]) == 2
    said = capfd.readouterr().err
    for text in ("mine.tflite", "LOGISTIC", "--runtime tflm", "inspect MODEL --fallback"):
        assert text in said
    assert not (tmp_path / "out").exists()


def test_float_ops(tmp_path: Path) -> None:
    """In float32 the op may run; in int8 there may be other words for it."""
    model = FloatModel()
    x = model.input((1, 4))
    axis = model.constant(1, np.int32)
    summed = model.op(
        "CUMSUM", [model.op("NEG", [x], (1, 4)), axis], (1, 4), name="block/sum", options=S.CumsumOptionsT()
    )
    y = model.op("RELU", [summed], (1, 4))
    _, count, (missing,) = survey(model.build(y))
    assert (count, missing.kind, missing.name) == (3, "CUMSUM", "block/sum")
    assert {"float32", "rewrite"} == {way.name for way in missing.ways}
    assert survey(model.build(y), quantize=False)[2] == ()


@pytest.mark.parametrize(("custom", "way"), [("Mine", "custom op"), ("FlexErf", "rewrite")])
def test_custom_and_flex_ops(custom: str, way: str) -> None:
    x, y = TensorSpec((1, 4), scale=0.1), TensorSpec((1, 4), scale=0.1)
    _, _, (missing,) = survey(build_graph([Node(f"CUSTOM:{custom}", None, [x], [y])], [y]))
    assert missing.where == f'op 0 CUSTOM:{custom} "t1"'
    assert way in {w.name for w in missing.ways}
    assert ('`custom_ops=["Mine=' in missing.ways[0].how) == (custom == "Mine")


def test_advice_names_a_page_of_ops_and_none_that_can_be_quantized() -> None:
    page = re.search(r"docs/\S+\.md", fallback.rewrite_with())
    assert page is not None
    text = (ROOT / page[0]).read_text(encoding="utf-8")
    assert all(f"[{kind}](#{kind.lower()})" in text for kind in set(RULES) & set(builtin()))
    # What is said to be written otherwise has no way of its own.
    assert not set(fallback.REWRITES) & set(RULES)


def test_the_data_of_a_damaged_file_is_not_needed(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "half.tflite"
    path.write_bytes(int8_model()[: len(int8_model()) // 2])
    ran = cli("inspect", path, "--fallback")
    assert (ran.code, ran.out) == (2, "")
    assert "half.tflite: the model file is truncated or corrupted" in ran.err
    assert "half.tflite: the model file is truncated" in cli("verify", path, "--board", BOARD).err
