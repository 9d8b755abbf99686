"""What happened to a model, in sentences for somebody who sees them for the first time."""

from __future__ import annotations

from mcugen.assess import Assessment
from mcugen.flow.proof import Proof
from mcugen.text import number
from mcugen.ui.accuracy import score_text, title


def story(proof: Proof) -> str:
    """One paragraph: what the model became, what it is worth, and whether the device computes it."""
    return " ".join(filter(None, (_made(proof), _worth(proof.assessment), _ran(proof))))


def _made(proof: Proof) -> str:
    model = proof.ready.model
    built = f"built as firmware for {proof.board.name}, the {proof.board.title.split(' (')[0]}"
    if model.quantized_here and model.report is not None:
        kind = "8-bit" if model.report.activations == "int8" else "16-bit and 8-bit"
        calibration = model.report.calibration
        by = (
            f"calibrated with {number(calibration.samples)} samples of {calibration.origin}"
            if model.trusted
            else "with random data, so it is good for sizes and cost only"
        )
        return f"{model.source} was quantized to {kind} integers, {by}, {_compiled(proof)} and {built}."
    arithmetic = " in float32" if model.report is not None and not model.report.quantized else ""
    return f"{model.source} was {_compiled(proof)}{arithmetic} and {built}."


def _compiled(proof: Proof) -> str:
    return "compiled to C" if proof.ready.runtime == "aot" else "put into TensorFlow Lite Micro's interpreter"


def _worth(found: Assessment | None) -> str:
    """How right it is, before and after."""
    after = found.run("host", quantized=True) if found is not None else None
    if found is None or after is None or not found.metric:
        return ""
    value, before = after.value(found.metric), found.run("host", quantized=False)
    if value is None:
        return ""
    was = before.value(found.metric) if before is not None else None
    beside = f", {score_text(found.metric, was)} in float32" if was is not None else ""
    return (
        f"On {number(found.samples)} labelled samples its {title(found.metric)} is "
        f"{score_text(found.metric, value)}{beside}."
    )


def _ran(proof: Proof) -> str:
    verdict = proof.judged
    if verdict is None:
        return "It was not run: the board was left alone."
    place = "in the board's emulator" if proof.emulated else "on the board"
    reference = "TensorFlow Lite Micro" if verdict.oracle.startswith("tflite-micro") else verdict.oracle
    inputs = f"{number(verdict.samples)} {'input' if verdict.samples == 1 else 'inputs'}"
    if verdict.bit_exact:
        return f"It ran {place}: for {inputs} it gave, bit for bit, the results of {reference}."
    if verdict.passed:
        return f"It ran {place}: for {inputs} it gave the results of {reference}, up to rounding in float32."
    return (
        f"It ran {place}: for {number(len(verdict.mismatched))} of {inputs} its results differ from those of "
        f"{reference}. Do not use this firmware."
    )
