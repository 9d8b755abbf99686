"""The evidence pack: what it claims holds, and what does not hold is said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mcugen import api
from mcugen.errors import BoardError, ProjectError, ToolError
from mcugen.evidence import analysis, tools
from mcugen.evidence.deviations import DEVIATIONS
from mcugen.evidence.stack import INDIRECT, Function, bound, call_graph, machine_code
from tests.models import model_path, real
from tests.schemas import check

BOARD = "mps2-an386"
MODELS = ["ds_cnn", pytest.param("kws_ref_model", marks=real("kws_ref_model"))]
MODELS += [pytest.param("okay_nabu", marks=real("okay_nabu"))]


@pytest.mark.emulator
@pytest.mark.parametrize("model", MODELS)
def test_the_pack_of_a_model(model: str, tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx")
    exported = api.export(model_path(model), format="c", out=tmp_path, name="net", board=BOARD, evidence=True)
    facts = check(exported.to_dict())
    assert [claim["claim"] for claim in facts["evidence"] if not claim["holds"]] == []
    assert exported.exit_code == 0
    pack = tmp_path / "evidence"

    def read(name: str) -> object:
        return json.loads((pack / name).read_text())

    for claim in facts["evidence"]:
        assert (pack / claim["file"]).is_file()
        assert claim["claim"] in (pack / "README.md").read_text()
    verdict = check(read("net/verdict.json"))
    assert verdict["verify"]["bit_exact"]
    stack = read("net/stack.json")
    assert stack["painted"] == verdict["ram"]["stack"]
    assert stack["painted"] <= max(one["bytes"] for one in stack["bounds"].values()) <= stack["painted"] + 64
    plan = read("net/memory-plan.json")
    assert plan["arena_bytes"] == exported.arena
    assert max(block["offset"] + block["bytes"] for block in plan["blocks"]) <= exported.arena
    counted = read("net/instructions.json")
    assert len(counted["ops"]) == verdict["model"]["ops"]
    assert 0 < counted["least"] <= counted["most"]
    misra = read("misra.json")
    assert misra["undocumented"] == []
    assert sum(misra["guidelines"].values()) == len((pack / "misra.txt").read_text().splitlines())
    assert {finding["findings"] for file in ("warnings", "analysis") for finding in read(f"{file}.json")} == {0}
    for line in (pack / "SHA256SUMS").read_text().splitlines():
        digest, path = line.split("  ")
        assert hashlib.sha256((tmp_path / path).read_bytes()).hexdigest() == digest
    assert_is_a_bill((pack / "sbom.cdx.json").read_text())


def assert_is_a_bill(text: str) -> None:
    from cyclonedx.schema import OutputFormat, SchemaVersion
    from cyclonedx.validation import make_schemabased_validator

    validator = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_5)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"bomFormat"', '"format"')) is not None
    names = {component["name"] for component in json.loads(text)["components"]}
    assert {"net.c", "net.h", "kernels/mcg_common.h"} <= names


# The stack's bound.

GRAPH = r"""graph: { title: "net.c"
node: { title: "net.c:leaf" label: "leaf\nnet.c:1:2\n24 bytes (static)\n0 dynamic objects" }
node: { title: "net_invoke" label: "net_invoke\nnet.c:9:2\n8 bytes (static)\n0 dynamic objects" }
node: { title: "memcpy" label: "__builtin_memcpy\n<built-in>" shape : ellipse }
edge: { sourcename: "net_invoke" targetname: "net.c:leaf" label: "net.c:3:1" }
edge: { sourcename: "net.c:leaf" targetname: "memcpy" }
}
"""

LISTING = """
00000000 <memcpy>:
   0:\tb5f0      \tpush\t{r4, r5, r6, r7, lr}
   2:\tb082      \tsub\tsp, #8
   4:\ted2d 8b06 \tvpush\t{d8-d10}
   6:\tf000 f801 \tbl\t10 <deeper>
   a:\tbdf0      \tpop\t{r4, r5, r6, r7, pc}

00000010 <deeper>:
  10:\te92d 4ff0 \tstmdb\tsp!, {r4, r5, r6, r7, r8, r9, sl, fp, lr}
  14:\tf84d bd04 \tstr.w\tfp, [sp, #-4]!
  18:\te7fe      \tb.n\t18 <deeper+0x8>
"""


def test_bytes_of_machine_code() -> None:
    found = machine_code(LISTING)
    assert (found["memcpy"].own, found["memcpy"].calls) == (20 + 8 + 24, {"deeper"})
    assert (found["deeper"].own, found["deeper"].calls) == (36 + 4, set())


def test_the_deepest_chain_goes_into_libraries() -> None:
    found = bound(call_graph(GRAPH), "net_invoke", machine_code(LISTING))
    assert found.bytes == 8 + 24 + 52 + 40
    assert [name for name, _ in found.chain] == ["net_invoke", "leaf", "memcpy", "deeper"]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("functions", "problem"),
    [
        ({"f": Function(8, calls={"g"}), "g": Function(8, calls={"f"})}, "f is recursive"),
        ({"f": Function(8, calls={INDIRECT})}, "f calls through a pointer"),
        ({"f": Function(8, calls={"elsewhere"})}, "the stack of elsewhere is not known"),
        ({"f": Function(8, bounded=False)}, "the stack of f depends on data"),
    ],
)
def test_there_is_no_bound(functions: Mapping[str, Function], problem: str) -> None:
    found = bound(functions, "f", {})
    assert found.bytes is None
    assert found.problems == (problem,)


# What does not hold is said.


def test_a_deviation_without_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.c").write_text("int f(int x);\nint f(int x) {\n  if (x) {\n    return 1;\n  }\n  return 2;\n}\n")
    found = analysis.misra_says(tmp_path, ["a.c"])
    rules = [rule for rule, _ in found.counts]
    assert {"15.5", "14.4"} <= set(rules)
    assert found.undocumented == ()
    monkeypatch.setattr(analysis, "DEVIATIONS", {rule: DEVIATIONS[rule] for rule in rules if rule != "15.5"})
    found = analysis.misra_says(tmp_path, ["a.c"])
    assert found.undocumented == ("15.5",)
    assert "| 15.5 | 1 |  | **not documented** |" in found.document()


def test_warnings_and_faults_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text(
        "#include <stdlib.h>\nint f(long x);\nint f(long x) {\n  int *p = malloc(4);\n  *p = x;\n  return *p;\n}\n"
    )
    (tmp_path / "a.h").write_text("int old();\nchar *cast(const char *x);\n")
    cross = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"]
    by_tool = {finding.tool: finding for finding in analysis.compilers_say(tmp_path, ["a.c"], ["a.h"], cross)}
    assert by_tool["warnings-host-gcc"].count == 1
    assert "-Wconversion" in by_tool["warnings-host-gcc"].said
    assert by_tool["warnings-target-g++-headers"].count == 0
    (gcc, *_) = analysis.analyzers_say(tmp_path, ["a.c"])
    assert gcc.count >= 1
    assert "dereference of possibly-NULL" in gcc.said
    assert not list(tmp_path.glob("*.o"))


def test_a_missing_tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tools.shutil, "which", lambda name: None)
    with pytest.raises(ToolError, match="cppcheck was not found") as caught:
        analysis.misra_says(tmp_path, [])
    assert "apt-get install cppcheck" in caught.value.hint


def test_what_evidence_cannot_be_about(tmp_path: Path) -> None:
    model, out = model_path("ds_cnn"), tmp_path / "out"
    with pytest.raises(BoardError, match="emulated Arm board"):
        api.export(model, format="c", out=out, core="cortex-m4f", evidence=True)
    with pytest.raises(BoardError, match="emulated Arm board"):
        api.export(model, format="c", out=out, board="qemu-virt-rv32", evidence=True)
    with pytest.raises(ProjectError, match="arenas of their own"):
        api.export(model, format="c", out=out, board=BOARD, context=True, evidence=True)
    assert not out.exists()
