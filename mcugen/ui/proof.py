"""How `verify` and `deploy` show their result: key facts, cost per layer, and the verdict last."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from mcugen.flow.proof import Proof
from mcugen.runtimes.program import ProgramStep
from mcugen.text import bar, memory, number, per_mac, share, size
from mcugen.ui.accuracy import say_gate, say_usefulness, show_against_float, show_assessment, show_layers
from mcugen.ui.quantization import agreement_text
from mcugen.ui.terminal import columns, grid, say_note, say_verdict
from mcugen.verify.compare import ABSOLUTE, RELATIVE


def show_proof(console: Console, proof: Proof) -> None:
    flash, ram, board, plan = proof.firmware.flash, proof.firmware.ram, proof.board, proof.plan
    rows = [
        ("model", f"{plan.graph.name} · {len(plan.steps)} ops · {number(plan.macs)} MACs"),
        ("board", f"{board.name} · {board.title}"),
        ("flash", f"{size(flash.total)}, {share(flash.total, board.flash.size)} of {memory(board.flash.size)}"),
        ("", f"code {number(flash.code)} · weights {number(flash.weights)} · harness {number(flash.harness)}"),
        ("RAM", f"{size(proof.ram_total)}, {share(proof.ram_total, board.ram.size)} of {memory(board.ram.size)}"),
        ("", f"arena {number(ram.arena)} · static {number(ram.static)} · stack {number(proof.cost.stack)} used"),
        ("cost", f"{number(proof.cost.invoke)} {proof.cost.unit} per inference{_per_mac(proof)}"),
    ]
    if proof.verdict.afresh:
        rows.append(("state", proof.verdict.afresh))
    if proof.project is not None:
        rows.append(("project", proof.project))
    rows.extend(("note", note) for note in proof.notes)
    if proof.ready.model.report is not None:
        report = proof.ready.model.report
        rows.extend((f"float and {report.activations}", agreement_text(a)) for a in report.agreement)
    console.print(grid(rows))
    console.print()
    show_ops(console, proof)
    if proof.layers is not None:
        show_layers(console, proof.layers)
    if proof.assessment is not None:
        show_assessment(console, proof.assessment, proof.ready.project.manifest.labels)
    if proof.against_float is not None:
        show_against_float(console, proof.against_float)
    console.print()
    last = proof.assessment.warning if proof.assessment is not None else ""
    for warning in proof.warnings:
        if warning != last:  # it is the last word
            say_note(console, warning)
    say_verdict(console, proof.verdict.passed, verdict_text(proof))
    if proof.assessment is not None:
        say_gate(console, proof.assessment)
        say_usefulness(console, proof.assessment)


def _per_mac(proof: Proof) -> str:
    return f" ({per_mac(proof.cost.invoke, proof.plan.macs)} per MAC)" if proof.plan.macs else ""


def show_ops(console: Console, proof: Proof) -> None:
    """A line per op: where the cost goes."""
    most = max(proof.cost.per_op, default=0)
    total = sum(proof.cost.per_op)
    wide = console.width >= 100
    rows = []
    for step, cost in zip(proof.plan.steps, proof.cost.per_op, strict=True):
        facts = (step.variant, number(step.macs), number(cost), per_mac(cost, step.macs), share(cost, total))
        if wide:
            rows.append([step.op.kind, _short(step.op.name), *facts, bar(cost / most if most else 0, 16)])
        else:
            rows.append([step.op.kind, *facts])
    unit = proof.cost.unit
    if wide:
        console.print(columns(("op", "layer", "kernel", "MACs", unit, "per MAC", "", ""), rows, right=(3, 4, 5, 6)))
    else:
        console.print(columns(("op", "kernel", "MACs", unit, "per MAC", ""), rows, right=(2, 3, 4, 5)))
    say_why_not_faster(console, proof.plan.steps)


def say_why_not_faster(console: Console, steps: Sequence[ProgramStep]) -> None:
    """Which ops run with slower kernels than the core could have, and why; each reason once."""
    reasons: dict[str, list[str]] = {}
    for step in steps:
        if step.why_not_faster:
            reasons.setdefault(step.why_not_faster, []).append(f"{step.op.index} {step.op.kind}")
    for reason, ops in reasons.items():
        say_note(console, f"op {', '.join(ops)}: {reason}")


def _short(name: str, most: int = 32) -> str:
    """The end of a layer's name, which is the part that tells it from others."""
    return name if len(name) <= most else "…" + name[-(most - 1) :]


def verdict_text(proof: Proof) -> str:
    """The verdict in one line."""
    verdict = proof.verdict
    place = f"on {proof.board.name}" + (" (emulated)" if proof.emulated else "")
    equal = verdict.samples - len(verdict.mismatched)
    samples = "steps of one sequence" if verdict.sequence else "whole sequences" if verdict.afresh else "samples"
    layers = f", {number(verdict.layers_checked)} layer results too" if verdict.layers_checked else ""
    if verdict.bit_exact:
        return f"bit-exact: {equal}/{verdict.samples} {samples} equal {verdict.oracle} {place}{layers}"
    tolerance = f"within the tolerance of float32 (relative {RELATIVE:g}, absolute {ABSOLUTE:g})"
    if verdict.passed:
        return (
            f"{tolerance}: {equal}/{verdict.samples} {samples} agree with {verdict.oracle} {place}{layers}, "
            f"worst error {verdict.worst_error:.2g} of what is allowed"
        )
    kind, agree = (tolerance, "agree with") if verdict.tolerant else ("bit-exact", "equal")
    text = f"not {kind}: {equal}/{verdict.samples} {samples} {agree} {verdict.oracle} {place}"
    text += f", largest difference {verdict.max_abs_diff:g}"
    if found := verdict.first_divergent_op:
        text += (
            f'; the first op that differs is {found.index} {found.kind} "{found.name}" (sample {found.sample}, '
            f"{found.differing} of {found.elements} elements, by up to {found.max_abs_diff:g})"
        )
    return text
