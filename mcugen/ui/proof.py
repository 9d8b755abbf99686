"""How `verify` and `deploy` show their result: key facts, cost per layer, and the verdict last."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from mcugen.cost.estimate import OpCost
from mcugen.flow.memories import memory_facts
from mcugen.flow.proof import Cost, Proof
from mcugen.graph.repeats import in_rounds
from mcugen.runtimes.program import Program, ProgramStep
from mcugen.text import bar, enumerated, memory, number, per_mac, plain, share, size, tail
from mcugen.ui.accuracy import say_gate, say_usefulness, show_against_float, show_assessment, show_layers
from mcugen.ui.cost import time_rows
from mcugen.ui.memories import show_memories
from mcugen.ui.quantization import agreement_text
from mcugen.ui.signals import signal_rows, signal_text
from mcugen.ui.story import story
from mcugen.ui.terminal import columns, grid, say_note, say_verdict
from mcugen.ui.training import training_rows, training_text
from mcugen.verify.compare import ABSOLUTE, RELATIVE

WIDE = 100
"""Columns from which a table of layers has all that is known."""


def show_proof(console: Console, proof: Proof, verbose: bool = False) -> None:
    """What happened in a paragraph, the key facts, and the verdict last; with `verbose` every layer and more.

    Args:
        verbose: also where each byte and instruction goes, how close float and quantized outputs are, and the
            confusion matrix.
    """
    console.print(Text(plain(story(proof))))
    console.print()
    rows = [
        *_size_rows(proof, verbose),
        *_cost_rows(proof),
        *time_rows(proof.estimated),
        *signal_rows(proof),
        *training_rows(proof),
        *_rows_of_the_run(proof),
    ]
    rows.extend(_agreement_rows(proof) if verbose else ())
    console.print(grid(rows))
    if verbose and proof.measured is not None:
        console.print()
        show_ops(console, proof.plan, proof.measured, proof.estimated.per_op if proof.estimated else ())
    if verbose and (facts := memory_facts(proof.plan, dict(proof.firmware.memories))) is not None:
        console.print()
        show_memories(console, facts)
    if proof.layers is not None:
        show_layers(console, proof.layers)
    if proof.assessment is not None:
        show_assessment(console, proof.assessment, proof.ready.project.manifest.labels, verbose)
    if proof.against_float is not None:
        show_against_float(console, proof.against_float)
    console.print()
    if proof.measured is not None:
        say_slow_ops(console, proof.plan.steps, proof.measured)
    last = proof.assessment.warning if proof.assessment is not None else ""
    for warning in proof.warnings:
        if warning != last:  # it is the last word
            say_note(console, warning)
    if not verbose:
        console.print(grid([("more", _more(proof))]))
    if proof.signal is not None:
        say_verdict(console, proof.signal.passed, signal_text(proof))
    if proof.training is not None:
        say_verdict(console, proof.training.passed, training_text(proof))
    if proof.changes:
        say_note(console, verdict_text(proof))
    else:
        say_verdict(console, proof.judged is None or proof.judged.passed, verdict_text(proof))
    if proof.limit is not None:
        say_verdict(console, proof.limit.passed, f"{proof.limit.text} (--max-ms)")
    if proof.assessment is not None:
        say_gate(console, proof.assessment)
        say_usefulness(console, proof.assessment)


def _size_rows(proof: Proof, verbose: bool) -> list[tuple[str, str]]:
    flash, ram, board = proof.firmware.flash, proof.firmware.ram, proof.board
    rows = [("flash", f"{size(flash.total)}, {share(flash.total, board.flash_bytes)} of {memory(board.flash_bytes)}")]
    if verbose:
        parts = {"code": flash.code, "weights": flash.weights, "harness": flash.harness}
        rows.append(("", " · ".join(f"{name} {number(count)} B" for name, count in parts.items())))
    rows.append(("RAM", f"{size(ram.total)}, {share(ram.total, board.ram_bytes)} of {memory(board.ram_bytes)}"))
    if verbose:
        used = f", {number(proof.measured.stack)} B of it used" if proof.measured is not None else ""
        parts = {"arena": ram.arena, "static": ram.static, "stack": ram.stack}
        rows.append(("", " · ".join(f"{name} {number(count)} B" for name, count in parts.items()) + used))
    return rows


def _cost_rows(proof: Proof) -> list[tuple[str, str]]:
    if proof.measured is None:
        return []
    cost, macs = proof.measured, proof.plan.macs
    each = f", {per_mac(cost.invoke, macs)} per multiply-accumulate" if macs else ""
    return [("cost", f"{number(cost.invoke)} {cost.unit} per inference{each}")]


def _rows_of_the_run(proof: Proof) -> list[tuple[str, str]]:
    rows = []
    if proof.judged is not None and proof.judged.afresh:
        rows.append(("state", proof.judged.afresh))
    if proof.project is not None:
        rows.append(("project", proof.project))
    rows.extend(("note", note) for note in proof.notes)
    if (following := _next(proof)) is not None:
        rows.append(("next", following))
    return rows


def _next(proof: Proof) -> str | None:
    """The command that comes next for a project that stays; none that would need what is not there."""
    if proof.project is None or proof.exit_code != 0:
        return None
    folder = shlex.quote(proof.project)
    if proof.judged is None:
        if proof.board.flashing.tools:
            return f"mcugen flash {folder}, with the board connected"
        file = f"{folder}/.pio/build/{proof.board.name}/firmware.bin"
        return f"write {file} with your own tool, then mcugen verify {folder} --port PORT"
    emulated = proof.emulated and proof.board.emulator is not None
    given = "X.wav" if proof.ready.model.app is not None and proof.ready.model.app.is_audio else "X.npy"
    return f"mcugen run {folder} --inputs {given} -o Y.npy" if emulated else None


def _more(proof: Proof) -> str:
    page = "; --report FILE.html: all on one page" if proof.judged is not None else ""
    return f"--verbose: every layer and byte{page}"


def _agreement_rows(proof: Proof) -> list[tuple[str, str]]:
    report = proof.ready.model.report
    rows = []
    for each in report.agreement if report else ():
        assert report is not None
        rows.append((f"float and {report.activations}", agreement_text(each)))
        rows += [("", f"{part.output}: {agreement_text(part)}") for part in each.parts]
    return rows


def show_ops(console: Console, program: Program, cost: Cost, estimates: Sequence[OpCost] = ()) -> None:
    """A line per op: where the cost goes, in cycles where they are known. Names are shortened from the left.

    An op that an unrolled layer has in every round is one line.
    """
    rounds = in_rounds(program.graph, [step.op for step in program.steps])

    def of_rounds(values: Sequence[int]) -> list[int]:
        return [sum(values[n] for n in numbers) for numbers in rounds]

    estimated = [round(each.cycles.nominal) for each in estimates] if cost.unit != "cycles" else []
    cycles = of_rounds(estimated) if estimated else []
    counted, macs = of_rounds(cost.per_op), of_rounds([step.macs for step in program.steps])
    spent = cycles or counted
    most, total = max(spent, default=0), sum(spent)
    wide = console.width >= WIDE
    rows = []
    for position, (numbers, own) in enumerate(zip(rounds, counted, strict=True)):
        step, times = program.steps[numbers[0]], f" × {len(numbers)}" if len(numbers) > 1 else ""
        name = (
            tail(step.op.name, ((20 if cycles else 32) if wide else max(12, console.width - 60)) - len(times)) + times
        )
        costs = [number(own), *([number(cycles[position])] if cycles else [])]
        part = share(spent[position], total)
        if wide:
            facts = (step.variant, number(macs[position]), *costs, per_mac(spent[position], macs[position]), part)
            rows.append([name, step.op.kind, *facts, bar(spent[position] / most if most else 0, 16)])
        else:
            rows.append([name, step.op.kind, step.variant, costs[-1], part])
    units = [cost.unit, *(["cycles"] if cycles else [])]
    if wide:
        headings = ("layer", "op", "kernel", "MACs", *units, "per MAC", "", "")
        console.print(columns(headings, rows, right=tuple(range(3, 6 + len(units)))))
    else:
        console.print(columns(("layer", "op", "kernel", units[-1], ""), rows, right=(3, 4), whole=(1, 2)))


WORTH_SAYING = 0.02
"""Share of the cost from which a slower kernel is worth a word."""


def say_slow_ops(console: Console, steps: Sequence[ProgramStep], cost: Cost) -> None:
    """Which layers cost something and run with slower kernels than the core could have, and why; each reason once."""
    total = sum(cost.per_op)
    found: dict[str, list[str]] = {}
    spent: dict[str, int] = {}
    portable: dict[str, bool] = {}
    for step, own in zip(steps, cost.per_op, strict=True):
        if step.why_not_faster:
            portable[step.why_not_faster] = step.variant == "portable"
            found.setdefault(step.why_not_faster, []).append(_called(step))
            spent[step.why_not_faster] = spent.get(step.why_not_faster, 0) + own
    for reason, layers in found.items():
        if spent[reason] > WORTH_SAYING * total:
            of_all = f"{share(spent[reason], total)} of the {cost.unit}"
            said = f"{enumerated(layers)} take{'s' * (len(layers) == 1)} {of_all}"
            kernel = "the portable kernel" if portable[reason] else "a kernel that could be faster"
            say_note(console, f"{said}, with {kernel}: {reason}")


def _called(step: ProgramStep) -> str:
    return f'layer "{tail(step.op.name, 32)}" ({step.op.kind})'


def say_why_not_faster(console: Console, steps: Sequence[ProgramStep]) -> None:
    """The same where costs are not known: of layers that compute something."""
    reasons: dict[str, list[str]] = {}
    for step in steps:
        if step.why_not_faster and step.macs:
            reasons.setdefault(step.why_not_faster, []).append(_called(step))
    for reason, layers in reasons.items():
        say_note(console, f"{enumerated(layers)}: no faster kernel: {reason}")


def _undecided(proof: Proof) -> str:
    """That a difference is a known one between two dates of TFLM, and how to get a verdict."""
    found = proof.verdict.first_divergent_op
    where = f'; op {found.index} {found.kind} "{found.name}" shows it' if found is not None else ""
    return (
        f"not decided: the reference ({proof.verdict.oracle}) is of another date than {proof.follows}, and these ops "
        f"differ between them: {', '.join(map(str, proof.changes))}{where}. For a verdict, install a tflite-micro of "
        "the same date"
    )


def verdict_text(proof: Proof) -> str:
    """The verdict in one line."""
    if proof.judged is None:
        return f"written and built in {proof.project}"
    verdict = proof.judged
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
    if proof.changes:
        return _undecided(proof)
    kind, agree = (tolerance, "agree with") if verdict.tolerant else ("bit-exact", "equal")
    text = f"not {kind}: {equal}/{verdict.samples} {samples} {agree} {verdict.oracle} {place}"
    text += f", largest difference {verdict.max_abs_diff:g}"
    if found := verdict.first_divergent_op:
        text += (
            f'; the first op that differs is {found.index} {found.kind} "{found.name}" (sample {found.sample}, '
            f"{found.differing} of {found.elements} elements, by up to {found.max_abs_diff:g})"
        )
    return text
