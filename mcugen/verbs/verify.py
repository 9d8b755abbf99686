"""`mcugen verify`: a device's results against the oracle, bit for bit."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcugen.flow.custom_ops import takes_custom_ops
from mcugen.flow.within import takes_reference, takes_stream, takes_trust
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import command_for

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.flow.inputs import InputSource
    from mcugen.flow.proof import Proof
    from mcugen.names import Goal, InputRows, ReferenceName, Runtime
    from mcugen.progress import Progress


@takes_custom_ops
@takes_trust
@takes_stream
@takes_reference
def verify(
    target: object,
    *,
    board: str | None = None,
    inputs: InputSource | None = None,
    samples: int = 16,
    seed: int = 0,
    layers: bool = False,
    data: Any = None,
    quantize: bool = True,
    optimize: Goal | None = None,
    max_ram: int | None = None,
    reserve: str | Sequence[str] | None = None,
    runtime: Runtime | None = None,
    tflm: str | None = None,
    port: str | None = None,
    emulator: str | None = None,
    paced: bool = False,
    max_ms: float | None = None,
    report: str | Path | None = None,
    rows: InputRows | None = None,
    custom_ops: Sequence[str] = (),
    trust_model: bool = False,
    custom_objects: str | Path | None = None,
    input_shape: str | Sequence[str] | None = None,
    signature: str | None = None,
    stream: bool = False,
    reference: ReferenceName = "auto",
    pushed: str | Path | None = None,
    train: int = 0,
    progress: Progress | None = None,
) -> Proof:
    """Run a model on a device and compare every output with the oracle's: byte for byte, except float32 arithmetic.

    Args:
        target: a project folder, or a model (then a temporary project is built).
        board: board name; a project knows its own.
        inputs: what to run, see :func:`mcugen.flow.inputs.read_inputs`; without it `samples` seeded random inputs
            over the whole range of the input type, the extremes among them.
        layers: also compare the result of every op.
        data: calibration data, if `target` is a float model.
        quantize: False runs a float `target` in float32.
        optimize: "balanced" (the default), "speed", "size" of the code, or "ram"; a project knows its own.
        rows: "whole" (the default), or "pushed": the input is brought row by row (docs/MEMORY.md); a project knows.
        reserve: "sram=32K", or several such: bytes, by name or kind of a memory, that the firmware leaves to you.
        max_ram: RAM limit of the firmware in bytes, for which it is made as fast as may be. Default: the board's RAM.
        runtime: "aot" (the default) or "tflm"; a project knows its own.
        tflm: path or name of TensorFlow Lite Micro, see :mod:`mcugen.runtimes.tflm.library`. Default: MCUGEN_TFLM_DIR.
        port: URL of a running device; without it the board's emulator is started.
        emulator: the name of the one to start, see :func:`mcugen.emulators.emulators`; None for QEMU.
            Others count in ticks.
        paced: inferences go op by op, for slow boards, see :class:`mcugen.device.Device`.
        max_ms: the longest that an inference may take, in milliseconds; more is a negative verdict. The time is
            measured on a board, and else told by a model (docs/TIMING.md).
        report: write the results as an HTML page, plus a .json next to it (docs/REPORT.md).
        custom_ops: kernels for custom ops, as NAME=path/kernel.c, see docs/CUSTOM_OPS.md.
        stream: samples are steps of one stream, over which the model keeps its state, even if each looks like a whole
            sequence; see docs/ACCURACY.md.
        reference: what results are compared with: "tflite-micro", "mcugen" for its own reference in numpy, or "both",
            which must agree. "auto" is TFLM's interpreter where it is installed, or what MCUGEN_REFERENCE says
            (docs/NUMERICS.md).
        pushed: the `.tflite` that :func:`push` sent to the device at `port`, and that it runs now.
        train: make so many training steps on the device, each compared with the reference: loss and all parameters
            bit for bit. Their samples are those of `data`, with labels, or random ones.
        trust_model: load a Keras file or SavedModel whose content is refused, see docs/SECURITY.md.
        custom_objects: a Python file with the classes that a Keras file names, run in the confined process.
        input_shape: "NAME=1,96,96,3", or several such: shapes of inputs whose dimensions the model leaves open.
        signature: which of a file's signatures is meant; of a frozen graph its inputs and outputs, "a,b->c".

    Raises:
        McugenError: anything that stops it. A difference is not an error but a negative verdict.
    """
    from mcugen.boards.emulated import check_emulator
    from mcugen.convert.early import check_early
    from mcugen.cost.limit import check_limit
    from mcugen.flow.boards import named_board
    from mcugen.flow.inputs import one_path
    from mcugen.flow.memories import read_reserved
    from mcugen.flow.project import command_line, is_project
    from mcugen.flow.prove import prove
    from mcugen.flow.pushed import with_pushed
    from mcugen.flow.ready import built
    from mcugen.flow.runtime import Choice
    from mcugen.report.write import check_report, write_report

    choice = Choice(
        runtime=runtime, goal=optimize, rows=rows, max_ram=max_ram, tflm=tflm, reserve=read_reserved(reserve)
    )
    lessons = data if train else None
    data = None if train and is_project(target) else data
    page = check_report(report, inputs=(target, data, inputs))
    if board is not None:
        check_emulator(named_board(board), emulator, port)
        check_limit(max_ms, named_board(board), measures=port is not None)
    check_early(target, one_path(inputs), "evaluation")
    with built(target, board, data=data, quantize=quantize, choice=choice, progress=progress) as ready:
        check_limit(max_ms, ready.board, measures=port is not None)
        ready = with_pushed(ready, pushed, port, tflm)
        proof = prove(
            ready,
            "verify",
            inputs=inputs,
            samples=samples,
            seed=seed,
            layers=layers,
            port=port,
            emulator=emulator,
            paced=paced,
            progress=progress,
            kept=is_project(target),
            tflm=tflm,
            max_ms=max_ms,
            train=train,
            lessons=lessons,
        )
        if page is not None:
            whole = f"mcugen verify {shlex.quote(ready.model.source)}"
            command = whole if is_project(target) else command_line("verify", ready.model, ready.plan, ready.board)
            write_report(page, proof, command, data)
    return proof


def _show(console: Console, proof: Proof, verbose: bool) -> None:
    from mcugen.ui.proof import show_proof

    show_proof(console, proof, verbose)


command = command_for(
    verify,
    "Run a model on a device and compare it with the oracle, bit for bit.",
    _show,
    details=True,
    board=options.OptionalBoard,
)
