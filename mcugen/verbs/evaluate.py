"""`mcugen evaluate`: long recordings through a pipeline file, its events against what is true."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.flow.within import takes_reference
from mcugen.text import Brief
from mcugen.verbs.options.derive import command_for

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.flow.detecting import Evaluation
    from mcugen.flow.evaluating import OnDevice
    from mcugen.flow.model import Model
    from mcugen.names import ReferenceName
    from mcugen.pipeline.app import App
    from mcugen.progress import Progress

_MOST_LISTED = 1000


@dataclass(frozen=True, eq=False, repr=False)
class EvaluateResult(Brief):
    """How a pipeline's events compare with the truth. `device`: what a board led to; None where none was asked."""

    model: Model
    found: Evaluation
    device: OnDevice | None = None

    @property
    def app(self) -> App:
        assert self.model.app is not None
        return self.model.app

    @property
    def differing(self) -> int:
        """Events that the host or the device had alone."""
        from mcugen.flow.detecting import differing_events

        if self.device is None:
            return 0
        return differing_events(self.found.listening.events, self.device.verdict.listed)

    @property
    def exit_code(self) -> int:
        """1 if the device did not give the host's rows, outputs and events."""
        return 1 if self.device is not None and (self.differing or not self.device.verdict.passed) else 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person must know besides the figures."""
        from mcugen.flow.proof import UNTRUSTED

        short = self.found.listening.short
        return (
            *(self.device.warnings if self.device is not None else ()),
            *(() if self.model.trusted else (UNTRUSTED,)),
            *((f"{short} recording{'s' * (short != 1)} too short for an inference",) if short else ()),
        )

    def to_dict(self) -> dict[str, Any]:
        graph, found = self.model.graph, self.found
        return {
            "schema": "mcugen.evaluate/1",
            "mcugen": __version__,
            "model": {"name": graph.name, "sha256": graph.sha256, "source": self.model.source},
            "board": self.device.board if self.device is not None else None,
            "trusted": self.model.trusted,
            "data": found.recordings.origin,
            "truth": found.truths.origin,
            "notes": list(found.notes),
            "warnings": list(self.warnings),
            "recordings": len(found.recordings.items),
            "seconds": round(found.seconds, 4),
            "inferences": found.listening.inferences,
            "tolerance": found.tolerance,
            "total": found.judgement.total.to_dict(),
            "labels": [counts.to_dict() for counts in found.judgement.labels],
            "detections": [one.to_dict() for one in found.judgement.detections[:_MOST_LISTED]],
            "missed": [truth.to_dict() for truth in found.judgement.missed[:_MOST_LISTED]],
            "thresholds": {
                "own": found.own.to_dict(),
                "tried": found.tried,
                "front": [point.to_dict() for point in found.front],
                "max_false_accepts_per_hour": found.limit,
                "chosen": found.chosen.to_dict() if found.chosen is not None else None,
            },
            "device": {**self.device.verdict.to_dict(), "load": None} if self.device is not None else None,
            "differing_events": self.differing,
        }


@takes_reference
def evaluate(
    target: object,
    *,
    data: Any,
    events: str | Path | None = None,
    board: str | None = None,
    tolerance: float = 1.0,
    max_false_accepts_per_hour: float | None = None,
    port: str | None = None,
    emulator: str | None = None,
    report: str | Path | None = None,
    reference: ReferenceName = "auto",
    progress: Progress | None = None,
) -> EvaluateResult:
    """Stream recordings through a pipeline file, and compare its events with the truth (docs/SENSORS.md).

    Args:
        target: a pipeline file whose model is quantized, or a project folder made of one.
        data: recordings, see :func:`mcugen.flow.sensors.read_recordings`.
        events: a .csv file with the line `file,start,end,label`, in seconds. Without it, recordings lie in a folder
            per class; each of a folder with a label's name is to give that label once, others nothing.
        board: also push the recordings through this board, which must give the same events. A project knows its own.
        tolerance: seconds after a truth's end in which a detection still is a hit.
        max_false_accepts_per_hour: name the threshold that misses least within this limit.
        port: URL of a running device; without it the board's emulator is started.
        emulator: the name of the one to start; None for QEMU.
        report: write the results as an HTML page, plus a .json next to it: what was detected when, over the spectrum
            and the scores of each recording (docs/REPORT.md).
        reference: what computes the model on the host: "tflite-micro", "mcugen", or "both", which must agree.

    Raises:
        McugenError: anything that stops it. Wrong events are no error but the result.
    """
    from mcugen.flow import detecting
    from mcugen.flow.evaluating import check_numbers, evaluated_model, on_device
    from mcugen.flow.sensors import read_recordings
    from mcugen.progress import no_progress
    from mcugen.report.write import check_report, write_evaluation

    tell = progress or no_progress
    page = check_report(report, inputs=(target, data, events))
    check_numbers(tolerance, max_false_accepts_per_hour)
    model, app, needs_device = evaluated_model(target, board, port, emulator)
    recordings = read_recordings(data, app.pipeline.signal)
    truths = detecting.read_truth(events, app, recordings)
    found = detecting.evaluation(
        model, app, recordings, truths, tolerance, max_false_accepts_per_hour, tell, keep_rows=page is not None
    )
    device = on_device(target, board, port, emulator, recordings, tell) if needs_device else None
    result = EvaluateResult(model, found, device)
    if page is not None:
        write_evaluation(page, result, f"mcugen evaluate {shlex.quote(model.source)}")
    return result


def _show(console: Console, result: EvaluateResult) -> None:
    from mcugen.ui.detecting import show_detections, show_device, show_thresholds

    device = result.device
    show_detections(
        console, result.model.source, device.board if device is not None else "", result.found, result.warnings
    )
    show_thresholds(console, result.found)
    if device is not None:
        show_device(console, device, result.differing)


command = command_for(
    evaluate,
    "Long recordings through a pipeline file: misses, false accepts per hour, thresholds.",
    _show,
    target=Annotated[
        str,
        typer.Argument(
            metavar="PIPELINE.toml|DIR", help="Pipeline file, or a project made of one.", show_default=False
        ),
    ],
    data=Annotated[
        str,
        typer.Option(
            "--data",
            "-d",
            metavar="RECORDINGS",
            show_default=False,
            help="Recordings: .wav, a folder of .wav files, .npy, .npz or .csv.",
        ),
    ],
    events=Annotated[
        Path | None,
        typer.Option(
            "--events",
            metavar="TRUTH.csv",
            show_default=False,
            help="What is to be detected: lines of file,start,end,label in seconds. Default: a folder per class.",
        ),
    ],
    board=Annotated[
        str | None,
        typer.Option(
            "--board",
            "-b",
            metavar="BOARD",
            show_default=False,
            help="Also push the recordings through this board, which must give the same events.",
        ),
    ],
    tolerance=Annotated[
        float,
        typer.Option("--tolerance", metavar="S", help="Seconds after the truth's end in which a detection is a hit."),
    ],
    max_false_accepts_per_hour=Annotated[
        float | None,
        typer.Option(
            "--max-false-accepts-per-hour",
            metavar="F",
            show_default=False,
            help="Name the threshold that misses least within this limit.",
        ),
    ],
)
