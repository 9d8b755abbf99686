"""How a quantization report is shown."""

from __future__ import annotations

from rich.console import Console

from mcugen.convert.choices import Choices
from mcugen.convert.types import Agreement, QuantizationReport
from mcugen.text import number, size
from mcugen.ui.search import show_search
from mcugen.ui.terminal import grid, say_note


def show_report(console: Console, report: QuantizationReport) -> None:
    """Where the model came from, the calibration, float against int8, and every warning."""
    rows: list[tuple[str, str]] = [("source", report.source_kind)]
    for role, specs in (("input", report.inputs), ("output", report.outputs)):
        for spec in specs:
            shape = ",".join(str(d) for d in spec.shape)
            quant = f", scale {spec.scale:.6g}, zero point {spec.zero_point}" if spec.scale else ""
            rows.append((role, f"{spec.name} {spec.dtype}[{shape}]{quant}"))
    calibration = report.calibration
    if calibration.kind != "none":
        of_all = f" of {number(calibration.available)}" if calibration.available > calibration.samples else ""
        rows.append(("calibration", f"{number(calibration.samples)}{of_all} samples, {calibration.origin}"))
        rows.extend(("", note) for note in calibration.notes)
    for agreement in report.agreement:
        rows.append((f"float and {report.activations}", agreement_text(agreement)))
        rows.extend(("", f"{part.output}: {agreement_text(part)}") for part in agreement.parts)
    if report.float_bytes:
        rows.append(("size", f"{size(report.float_bytes)} as float32, {size(report.int8_bytes)} quantized"))
    rows.extend(("note", note) for note in report.notes)
    failed = [attempt for attempt in report.attempts if not attempt.ok]
    rows.extend(("tried", f"{attempt.step}: {attempt.outcome}") for attempt in failed)
    if report.choices is not None and report.choices != Choices(activations=report.activations):
        rows.append(("choices", report.choices.describe()))
    console.print(grid(rows))
    if report.search is not None:
        show_search(console, report.search)
    for warning in report.warnings:
        say_note(console, warning)


def agreement_text(agreement: Agreement) -> str:
    """How well int8 follows float32 on one output, in one line."""
    parts = [f"cosine similarity {agreement.cosine_similarity:.4f}"]
    if agreement.sqnr_db is not None:
        parts.append(f"SQNR {agreement.sqnr_db:.1f} dB")
    if agreement.same_argmax is not None:
        parts.append(f"same class {100 * agreement.same_argmax:.1f} %")
    return f"{', '.join(parts)} over {number(agreement.samples)} samples"
