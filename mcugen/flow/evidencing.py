"""The evidence pack of an export: facts about its C, from tools and from the emulated board."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcugen import __version__
from mcugen.boards.types import Board
from mcugen.cores.architectures import ARM
from mcugen.device.connecting import open_device
from mcugen.errors import BoardError
from mcugen.evidence.analysis import Finding, Misra, analyzers_say, compilers_say, misra_says
from mcugen.evidence.documents import hash_list, memory_plan, sbom
from mcugen.evidence.stack import Bound, stack_bound
from mcugen.evidence.tools import require, version_of
from mcugen.flow.model import Model
from mcugen.flow.prove import prove
from mcugen.flow.ready import built_temporarily
from mcugen.formats.types import Subject
from mcugen.formats.views import library_flags
from mcugen.oracle import make_inputs
from mcugen.oracle.oracle import oracle_name
from mcugen.outputs import temporary_folder
from mcugen.progress import Progress
from mcugen.project.bsp import compile_flags
from mcugen.runtimes.aot.plan import Plan

FOLDER = "evidence"
_SAMPLES = 16
_COUNTED = 6
"""Inputs whose instructions are counted, the extremes among them."""


@dataclass(frozen=True)
class Check:
    """One claim, whether the facts support it, and the file that holds them."""

    claim: str
    holds: bool
    found: str
    file: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """The files of a pack, by path, and what they say."""

    files: Mapping[str, bytes]
    checks: Sequence[Check]

    @property
    def holds(self) -> bool:
        return all(check.holds for check in self.checks)


def check_board(board: Board | None) -> Board:
    """A board on which all facts can be found.

    Raises:
        BoardError: no board, or one that no emulator of ours counts instructions on, or not of Arm's.
    """
    if board is None or board.emulator is None or board.architecture is not ARM:
        raise BoardError(
            "evidence is measured on an emulated Arm board",
            where="`evidence=True`",
            hint='Pass the one with your core: `board="mps2-an386"` has a Cortex-M4F; `api.boards()` lists them',
        )
    return board


def make_evidence(models: Sequence[Model], plans: Sequence[Plan], subject: Subject, progress: Progress) -> Evidence:
    """All facts about an export.

    Raises:
        BoardError: see `check_board`.
        ToolError: a tool is missing: compiler, emulator or cppcheck.
        McugenError: whatever stops the proof.
    """
    board = check_board(subject.board)
    code = {path: text.encode() if isinstance(text, str) else text for path, text in subject.model_files.items()}
    files: dict[str, Any] = {}
    checks: list[Check] = []
    cross = [require(board.architecture.compiler, board.architecture.compiler_apt), *board.cpu_flags()]
    with temporary_folder() as folder:
        for path, content in code.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        for model, part, plan in zip(models, subject.parts, plans, strict=True):
            progress(f"evidence: {part.name} on {board.name}", -1.0)
            _about_model(model, plan, part.name, board, folder, cross[0], files, checks)
        progress("evidence: compilers and analyzers", -1.0)
        sources = sorted(path for path in code if path.endswith(".c"))
        headers = [f"{part.name}.h" for part in subject.parts]
        _about_code(compilers_say(folder, sources, headers, cross), analyzers_say(folder, sources), files, checks)
        progress("evidence: MISRA C:2012", -1.0)
        _about_misra(misra_says(folder, sources), files, checks)
    tools = {Path(cross[0]).name: version_of(cross[0]), "oracle": oracle_name(), "mcugen": __version__}
    tools |= {name: version_of(name) for name in ("qemu-system-arm", "cppcheck", "gcc")}
    files["tools.json"] = dict(sorted(tools.items()))
    files["sbom.cdx.json"] = sbom(subject.name, "1.0.0", code, plans, tools)
    files["SHA256SUMS"] = hash_list(code)
    files["README.md"] = _summary(subject, board, checks)
    encoded = {
        f"{FOLDER}/{path}": (
            content if isinstance(content, str) else json.dumps(content, indent=1, sort_keys=True) + "\n"
        ).encode()
        for path, content in files.items()
    }
    return Evidence(encoded, checks)


def _about_model(
    model: Model,
    plan: Plan,
    name: str,
    board: Board,
    folder: Path,
    compiler: str,
    files: dict[str, Any],
    checks: list[Check],
) -> None:
    """Verdict, memory plan, stack and instructions of one model."""
    files[f"{name}/memory-plan.json"] = memory_plan(plan)
    checks.append(
        Check(
            f"{name}: a second program finds the memory plan right",
            True,
            f"{plan.arena_bytes} bytes, {len(plan.buffers)} blocks",
            f"{name}/memory-plan.json",
        )
    )
    with built_temporarily(model, plan, board, None, lambda *_: None) as ready:
        proof = prove(
            ready,
            "verify",
            inputs=None,
            samples=_SAMPLES,
            seed=0,
            layers=True,
            port=None,
            progress=None,
            kept=False,
        )
        facts = proof.to_dict()
        files[f"{name}/verdict.json"] = facts
        files[f"{name}/inputs.json"] = {"made_by": "mcugen.oracle.make_inputs", "seed": 0, "samples": _SAMPLES}
        checks.append(
            Check(
                f"{name}: every output and every layer equals the reference, bit for bit",
                proof.verdict.bit_exact,
                f"{_SAMPLES} samples on {board.name}",
                f"{name}/verdict.json",
            )
        )
        flags = [*compile_flags(board), "-std=c99", "-Os", *library_flags(plan)]
        bounds = stack_bound(compiler, flags, folder / f"{name}.c", ready.firmware.elf, name)
        painted = proof.cost.stack
        _about_stack(name, bounds, painted, files, checks)
        files[f"{name}/instructions.json"] = counted = _instructions(ready.firmware.elf, board, plan)
        varying = [op["name"] or op["kind"] for op in counted["ops"] if op["least"] != op["most"]]
        checks.append(
            Check(
                f"{name}: instructions per inference are counted",
                True,
                f"{counted['least']} to {counted['most']} over {_COUNTED} inputs; "
                + (f"they depend on data in {len(varying)} ops" if varying else "no op's number depends on its data"),
                f"{name}/instructions.json",
            )
        )


def _about_stack(
    name: str, bounds: Mapping[str, Bound], painted: int, files: dict[str, Any], checks: list[Check]
) -> None:
    files[f"{name}/stack.json"] = {
        "bounds": {what: bound.to_dict() for what, bound in bounds.items()},
        "painted": painted,
        "painted_is": "what init and inference used on the emulated board, below the harness's call",
    }
    problems = [problem for bound in bounds.values() for problem in bound.problems]
    checks.append(
        Check(
            f"{name}: no recursion, no call through a pointer, no stack that depends on data",
            not problems,
            "; ".join(problems) or "none in the call graphs of invoke and init",
            f"{name}/stack.json",
        )
    )
    most = max((bound.bytes or 0 for bound in bounds.values()), default=0)
    checks.append(
        Check(
            f"{name}: the stack's bound is not below what was measured",
            not problems and most >= painted,
            f"bound {most} bytes, measured {painted}",
            f"{name}/stack.json",
        )
    )


def _instructions(elf: Path, board: Board, plan: Plan) -> dict[str, Any]:
    """What every op costs over inputs of all kinds, from a fresh start each."""
    runs: list[list[int]] = []
    with open_device(elf, board, model_sha256=plan.graph.sha256) as device:
        for sample in make_inputs(plan.graph, _COUNTED, 1):
            device.forget()
            runs.append(device.profile(sample))
    totals = [sum(run) for run in runs]
    return {
        "inputs": _COUNTED,
        "seed": 1,
        "least": min(totals),
        "most": max(totals),
        "note": "measured, not proved: other inputs of an op whose number varies may lie outside these limits",
        "ops": [
            {"op": n, "kind": step.op.kind, "name": step.op.name, "least": min(found), "most": max(found)}
            for n, (step, found) in enumerate(zip(plan.steps, zip(*runs, strict=True), strict=True))
        ],
    }


def _about_code(
    compilers: Sequence[Finding], analyzers: Sequence[Finding], files: dict[str, Any], checks: list[Check]
) -> None:
    for findings, file, claim in (
        (compilers, "warnings", "no compiler warns"),
        (analyzers, "analysis", "no static analyzer finds a fault"),
    ):
        files[f"{file}.json"] = [finding.to_dict() for finding in findings]
        files[f"{file}.txt"] = "".join(
            f"$ {finding.command}\n{finding.said or '(nothing)'}\n\n" for finding in findings
        )
        total = sum(finding.count for finding in findings)
        tools = ", ".join(finding.tool for finding in findings)
        checks.append(Check(claim, total == 0, f"{total} findings of {tools}", f"{file}.txt"))


def _about_misra(misra: Misra, files: dict[str, Any], checks: list[Check]) -> None:
    files["misra.json"] = misra.to_dict()
    files["misra.txt"] = "".join(f"{line}\n" for line in misra.lines)
    files["misra-deviations.md"] = misra.document()
    found = f"{sum(count for _, count in misra.counts)} findings of {len(misra.counts)} guidelines"
    if misra.undocumented:
        found += f"; not documented: {', '.join(misra.undocumented)}"
    checks.append(
        Check("every deviation from MISRA C:2012 is documented", not misra.undocumented, found, "misra-deviations.md")
    )


def _summary(subject: Subject, board: Board, checks: Sequence[Check]) -> str:
    lines = [
        f"# Evidence for {subject.name}",
        "",
        f"Made by mcugen {__version__} with `{subject.command}`, on {board.name} in an emulator. What each file proves "
        "and what it does not is in mcugen's documentation, EVIDENCE.md.",
        "",
        "| claim | holds | found | file |",
        "|---|---|---|---|",
        *(f"| {c.claim} | {'yes' if c.holds else '**no**'} | {c.found} | `{c.file}` |" for c in checks),
        "",
        "`SHA256SUMS` lists the C files that all of this is about, `tools.json` the tools, `sbom.cdx.json` is the "
        "software bill of materials (CycloneDX 1.5).",
        "",
    ]
    return "\n".join(lines)
