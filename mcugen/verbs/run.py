"""`mcugen run`: inputs through a model on a device, outputs to a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.flow.custom_ops import takes_custom_ops
from mcugen.flow.within import takes_stream, takes_trust
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import Spelling, command_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console

    from mcugen.flow.inputs import InputSource
    from mcugen.flow.ready import Ready
    from mcugen.flow.signals import SignalRun
    from mcugen.names import Goal, InputRows, Runtime
    from mcugen.progress import Progress


@dataclass(frozen=True, eq=False, repr=False)
class RunResult(Brief):
    """What a device computed.

    Attributes:
        outputs: one array per model output, one sample per row, in the output's own dtype.
        costs: cost of every inference, in `unit` ("instructions" or "cycles").
        origin, notes: where the inputs came from, and what was done to them.
        input_warnings: what makes them or the device doubtful.
        out: the file that holds the outputs, or None.
        drawn: the picture of what was detected, or None.
        signal: of a pipeline file, what recordings led to; then samples are inferences, and costs are by recording.
    """

    ready: Ready
    outputs: tuple[NDArray[Any], ...]
    costs: tuple[int, ...]
    unit: str
    origin: str
    notes: tuple[str, ...]
    out: Path | None
    input_warnings: tuple[str, ...] = ()
    exit_code: int = 0
    signal: SignalRun | None = None
    drawn: Path | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person must know besides the outputs."""
        from mcugen.flow.proof import UNTRUSTED

        return (*self.input_warnings, *(() if self.trusted else (UNTRUSTED,)))

    @property
    def trusted(self) -> bool:
        """False if the model was quantized with random data."""
        return self.ready.model.trusted

    def dequantized(self) -> tuple[NDArray[np.float32], ...]:
        """The outputs as real values; outputs that are not quantized as they are."""
        from mcugen.numerics.affine import dequantize

        tensors = self.ready.plan.output_tensors()
        return tuple(
            dequantize(values, tensor) if tensor.quant is not None else values
            for values, tensor in zip(self.outputs, tensors, strict=True)
        )

    def to_dict(self) -> dict[str, Any]:
        graph = self.ready.plan.graph
        return {
            "schema": "mcugen.run/1",
            "mcugen": __version__,
            "model": {"name": graph.name, "sha256": graph.sha256, "source": self.ready.model.source},
            "board": self.ready.board.name,
            "runtime": self.ready.runtime,
            "trusted": self.trusted,
            "inputs": self.origin,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "samples": len(self.outputs[0]),
            "signal": self.signal.to_dict() if self.signal is not None else None,
            "outputs": [
                {
                    "name": tensor.name,
                    "shape": list(values.shape),
                    "dtype": str(values.dtype),
                    "scale": tensor.scale if tensor.quant else 0.0,
                    "zero_point": tensor.zero_point if tensor.quant else 0,
                }
                for tensor, values in zip(self.ready.plan.output_tensors(), self.outputs, strict=True)
            ],
            "out": str(self.out) if self.out else None,
            "drawn": str(self.drawn) if self.drawn else None,
            "cost": {"unit": self.unit, "invoke": list(self.costs)},
        }


@takes_custom_ops
@takes_trust
@takes_stream
def run(
    target: object,
    *,
    inputs: InputSource,
    board: str | None = None,
    out: str | Path | None = None,
    dequantize: bool = False,
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
    rows: InputRows | None = None,
    custom_ops: Sequence[str] = (),
    trust_model: bool = False,
    custom_objects: str | Path | None = None,
    input_shape: str | Sequence[str] | None = None,
    signature: str | None = None,
    stream: bool = False,
    pushed: str | Path | None = None,
    draw: str | Path | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Run inputs through a model on a device.

    With the TFLM runtime the arena has the size stored in the project, or computed for the model. `verify` and `deploy`
    search for a smaller one; `run` only needs the outputs, so it builds once.

    Args:
        target: a project folder, or a model (then a temporary project is built).
        inputs: see :func:`mcugen.flow.inputs.read_inputs`.
        board: board name; a project knows its own.
        out: `.npy` file for the outputs, one sample per row; `.npz` for several outputs (arr_0, arr_1, …).
        dequantize: write real values (float32) instead of the output's own.
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
        custom_ops: kernels for custom ops, as NAME=path/kernel.c, see docs/CUSTOM_OPS.md.
        stream: samples are steps of one stream, over which the model keeps its state, even if each looks like a whole
            sequence; see docs/ACCURACY.md.
        pushed: the `.tflite` that :func:`push` sent to the device at `port`, and that it runs now.
        trust_model: load a Keras file or SavedModel whose content is refused, see docs/SECURITY.md.
        custom_objects: a Python file with the classes that a Keras file names, run in the confined process.
        input_shape: "NAME=1,96,96,3", or several such: shapes of inputs whose dimensions the model leaves open.
        signature: which of a file's signatures is meant; of a frozen graph its inputs and outputs, "a,b->c".
        draw: `.png` file for the first images with what was detected in them, see docs/DETECTION.md.

    Raises:
        McugenError: anything that stops it.
    """
    import numpy as np

    from mcugen.boards.emulated import check_emulator
    from mcugen.convert.early import check_early
    from mcugen.device.connecting import open_device
    from mcugen.errors import DataError
    from mcugen.flow.boards import named_board
    from mcugen.flow.inputs import one_path, read_inputs
    from mcugen.flow.memories import read_reserved
    from mcugen.flow.prove import device_options
    from mcugen.flow.pushed import with_pushed
    from mcugen.flow.ready import built
    from mcugen.flow.runtime import Choice
    from mcugen.flow.sensors import read_recordings
    from mcugen.flow.signals import run_signal
    from mcugen.outputs import check_output, write_file
    from mcugen.progress import no_progress, part_of, share_of
    from mcugen.report.detections import check_drawable, drawn

    report = progress or no_progress
    path = Path(out) if out is not None else None
    if path is not None:
        check_output(path, inputs=[item for item in (target, inputs, data) if isinstance(item, str | Path)])
        if path.suffix not in (".npy", ".npz"):
            raise DataError("outputs are written as .npy or .npz", where=str(path), hint="Name it so")
    picture = Path(draw) if draw is not None else None
    if picture is not None:
        check_output(picture, inputs=[item for item in (target, inputs, data) if isinstance(item, str | Path)])
        if picture.suffix != ".png":
            raise DataError("pictures are written as .png", where=str(picture), hint="Name it so")
    check_early(target, one_path(inputs), "evaluation")
    choice = Choice(
        runtime=runtime, goal=optimize, rows=rows, max_ram=max_ram, tflm=tflm, reserve=read_reserved(reserve)
    )
    if board is not None:
        check_emulator(named_board(board), emulator, port)
    with built(target, board, data=data, quantize=quantize, choice=choice, progress=report) as ready:
        ready = with_pushed(ready, pushed, port, tflm)
        app = ready.model.app
        if picture is not None:
            check_drawable(ready)
        given = read_inputs(inputs, ready.plan.graph, ready.model.scaling) if app is None else None
        recordings = read_recordings(inputs, app.pipeline.signal) if app is not None else None
        tensors = ready.plan.output_tensors()
        if path is not None and path.suffix == ".npy" and len(tensors) > 1:
            raise DataError(
                f"the model has {len(tensors)} outputs, a .npy file holds one", where=str(path), hint="Name it .npz"
            )
        report("starting the device", -1.0)
        samples, costs, signal = [], [], None
        with open_device(ready.firmware.elf, ready.board, **device_options(ready, port, emulator, paced)) as device:
            share = share_of(report, "running")
            if app is not None and recordings is not None:
                signal = run_signal(device, app, recordings, share)
            count = len(given.samples) if given is not None else 0
            for number, sample in enumerate(given.samples if given is not None else ()):
                if ready.plan.graph.sequences:
                    device.forget()
                results, cost = device.run(sample, on_progress=part_of(share, number, count))
                samples.append(results)
                costs.append(cost)
            unit, found = device.cost_unit, device.warnings()
        if signal is not None and recordings is not None:
            outputs = tuple(np.stack([_row(one) for one in output]) for output in signal.outputs)
            facts = (outputs, signal.costs, unit, recordings.origin, recordings.notes)
            result = RunResult(ready, *facts, path, found, signal=signal)
        else:
            assert given is not None
            outputs = tuple(np.stack([_row(results[n]) for results in samples]) for n in range(len(tensors)))
            found = (*given.warnings, *found)
            result = RunResult(ready, outputs, tuple(costs), unit, given.origin, given.notes, path, found)
    if path is not None:
        _write(path, result, dequantize)
    if picture is not None and given is not None:
        write_file(picture, drawn(ready, given.samples, result.outputs))
        result = replace(result, drawn=picture)
    return result


def _row(values: NDArray[Any]) -> NDArray[Any]:
    """One sample of a batch-1 output without its batch."""
    return values[0] if values.ndim > 1 and values.shape[0] == 1 else values


def _write(path: Path, result: RunResult, dequantize: bool) -> None:
    import numpy as np

    from mcugen.outputs import write_file

    arrays = result.dequantized() if dequantize else result.outputs
    buffer = io.BytesIO()
    if path.suffix == ".npy":
        np.save(buffer, arrays[0])
    else:
        np.savez(buffer, *arrays)
    write_file(path, buffer.getvalue())


def _render(console: Console, result: RunResult) -> None:
    from mcugen.text import number
    from mcugen.ui.signals import signal_run_rows
    from mcugen.ui.terminal import grid, say_note, say_verdict

    costs = result.costs
    unit = "recording" if result.signal is not None else "sample"
    spread = number(costs[0]) if min(costs) == max(costs) else f"{number(min(costs))} to {number(max(costs))}"
    rows = [
        ("model", f"{result.ready.plan.graph.name} on {result.ready.board.name}"),
        ("inputs", f"{number(len(costs))} {unit}{'s' * (len(costs) != 1)} from {result.origin}"),
        *(("note", note) for note in result.notes),
        ("cost", f"{spread} {result.unit} per {'recording' if result.signal is not None else 'inference'}"),
        *signal_run_rows(result.signal),
    ]
    console.print(grid(rows))
    for warning in result.warnings:
        say_note(console, warning)
    shapes = ", ".join(f"{values.dtype}{list(values.shape)}" for values in result.outputs)
    if result.drawn is not None:
        console.print(grid([("picture", str(result.drawn))]))
    say_verdict(console, True, f"wrote {result.out}: {shapes}")


command = command_for(
    run,
    "Run inputs through a model on a device; outputs go to a file.",
    _render,
    inputs=Annotated[
        str,
        typer.Option(
            "--inputs",
            "-i",
            metavar="X.npy",
            show_default=False,
            help="Inputs (.npy, .npz, .csv, a folder of images or .wav files), one sample per row: int8 values are "
            "used as they are, floats are quantized.",
        ),
    ],
    out=Spelling(
        Annotated[Path, typer.Option("--out", "-o", metavar="Y.npy", help="Output file.", show_default=False)],
        required=True,
    ),
    board=options.OptionalBoard,
    draw=Annotated[
        Path | None,
        typer.Option(
            "--draw",
            metavar="OUT.png",
            show_default=False,
            help="Paint what was detected on the first 16 images (docs/DETECTION.md).",
        ),
    ],
    dequantize=Annotated[bool, typer.Option("--dequantize", help="Write dequantized values (float32).")],
)
