"""The float32 form of a model on the board that its quantized form was just proved on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcugen.assess import BeforeAfter, OnBoard
from mcugen.assess.evaluate import arithmetic_of
from mcugen.assess.task import make_run
from mcugen.boards.types import Board
from mcugen.builder import fit_report
from mcugen.errors import BoardError, ConversionError, DoesNotFitError, UnsupportedOpError
from mcugen.flow.judging import Judged, for_device
from mcugen.flow.model import Model, load_model, plan_model
from mcugen.flow.prove import prove
from mcugen.flow.ready import built_temporarily
from mcugen.flow.runtime import Choice

if TYPE_CHECKING:
    from mcugen.flow.judging import OnDevice
    from mcugen.flow.proof import Proof
    from mcugen.progress import Progress


def check_comparable(model: Model, board: Board, *, counted: bool) -> None:
    """Refuse a comparison that cannot be made, before anything slow.

    Raises:
        ConversionError: there is no float form, or no other.
        BoardError: instructions are not counted, since the board is real, or the emulator does not tell.
    """
    if model.float_data is None or model.float_data == model.data:
        raise ConversionError(
            "there is nothing to compare: the model "
            + ("was already quantized" if model.float_data is None else "stays float32"),
            where="`compare_float`",
            hint="Pass the float model with `data`",
        )
    if not counted:
        raise BoardError(
            "float32 and the quantized model are compared on the board's emulator",
            where="`compare_float`",
            hint="Omit `port`, `probe` and `tool`, or choose a board that QEMU models",
        )


def compare_with_float(
    proof: Proof, judged: Judged, ran: OnDevice | None, choice: Choice, progress: Progress
) -> BeforeAfter:
    """Build the float32 form for the same board, and run it in the emulator.

    Args:
        proof: of the quantized form.
        ran: the samples that the quantized form ran for its score; the float form runs the same.

    Raises:
        McugenError: whatever stops it; that the float form does not fit or run there is part of the answer.
    """
    metric = proof.assessment.metric if proof.assessment is not None and ran is not None else ""
    before = _float_form(proof, judged, ran, choice, progress)
    run = proof.assessment.run("device", quantized=True) if proof.assessment is not None else None
    after = _figures(proof, arithmetic_of(proof.ready.model.opened), run.value(metric) if run is not None else None)
    samples = len(ran.numbers) if ran is not None else 0
    return BeforeAfter(proof.board.name, proof.cost.unit, metric, samples, before, after)


def _float_form(proof: Proof, judged: Judged, ran: OnDevice | None, choice: Choice, progress: Progress) -> OnBoard:
    given = proof.ready.model
    assert given.floats is not None
    model = load_model(given.floats, quantize=False, runtime=choice.runtime)
    try:
        plan = plan_model(model, proof.board, choice)
        fit = fit_report(plan, proof.board)
    except (DoesNotFitError, UnsupportedOpError) as error:
        return OnBoard("float32", str(error))
    try:
        with built_temporarily(model, plan, proof.board, choice.tflm, progress) as ready:
            first = for_device(judged, plan, model.opened, len(ran.numbers)) if ran is not None else None
            floats = prove(
                ready,
                "deploy",
                inputs=None,
                samples=1,
                seed=0,
                layers=False,
                port=None,
                progress=progress,
                kept=False,
                tflm=choice.tflm,
                first=first.inputs if first is not None else None,
            )
    except DoesNotFitError as error:
        return OnBoard("float32", error.what, model_flash=fit.weights + fit.code, arena=fit.arena)
    if not floats.verdict.passed:
        return OnBoard(
            "float32",
            "its results differ from the oracle's: `api.deploy(MODEL, board=BOARD, quantize=False)` says where",
        )
    score = None
    if judged.runs is not None and first is not None:
        outputs = zip(*floats.verdict.outputs[: len(first.numbers)], strict=True)
        task, columns = judged.runs.task, tuple(np.stack(column) for column in outputs)
        score = make_run(task, columns, "float32", "device", samples=first.numbers).value(task.metric)
    return _figures(floats, "float32", score)


def _figures(proof: Proof, arithmetic: str, score: float | None) -> OnBoard:
    flash = proof.firmware.flash
    return OnBoard(
        arithmetic=arithmetic,
        flash=flash.total,
        model_flash=flash.code + flash.weights,
        ram=proof.firmware.ram.total,
        arena=proof.firmware.ram.arena,
        cost=proof.cost.invoke,
        score=score,
    )
