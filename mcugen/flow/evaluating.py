"""What an evaluation is of: a pipeline file or a project made of one, on the host and on a device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcugen.boards.emulated import check_emulator
from mcugen.device.connecting import open_device
from mcugen.errors import DataError, PipelineError
from mcugen.flow.boards import named_board
from mcugen.flow.detecting import check_detects
from mcugen.flow.model import Model, load_model, source_name
from mcugen.flow.project import is_project, open_project
from mcugen.flow.prove import device_options
from mcugen.flow.ready import built
from mcugen.flow.sensors import Recordings, is_float_model
from mcugen.flow.signals import SignalVerdict, verify_signal
from mcugen.pipeline import is_pipeline_file, read_pipeline
from mcugen.pipeline.app import App
from mcugen.progress import Progress, share_of
from mcugen.verify.parted_oracle import open_oracle

_HINT = "Pass a pipeline file, or a project folder made of one (docs/SENSORS.md)"


@dataclass(frozen=True, eq=False)
class OnDevice:
    """What recordings led to on a board, compared with the reference."""

    board: str
    verdict: SignalVerdict
    warnings: tuple[str, ...]


def check_numbers(tolerance: float, limit: float | None) -> None:
    """Refuse a tolerance or a limit of false accepts per hour that cannot be.

    Raises:
        DataError: names it.
    """
    if not 0 <= tolerance <= 3600:
        raise DataError(f"is {tolerance:g} s, not between 0 and an hour", where="`tolerance`", hint="Give seconds")
    if limit is not None and not 0 <= limit < 1e9:
        raise DataError(
            f"is {limit:g}, no number of false accepts", where="`max_false_accepts_per_hour`", hint="Give 0 or more"
        )


def evaluated_model(
    target: object, board: str | None, port: str | None, emulator: str | None
) -> tuple[Model, App, bool]:
    """The model, what is around it, and whether a device is to be asked as well.

    Raises:
        PipelineError: neither a pipeline file nor a project made of one, its model is float, or it detects nothing.
        BoardError, ProjectError: the board.
    """
    if is_project(target):
        _, model, _, _ = open_project(Path(str(target)), board)
        if model.app is None:
            raise PipelineError("was made of a model alone, which detects nothing", where=str(target), hint=_HINT)
    else:
        model = _of_file(target, board, port, emulator)
    assert model.app is not None
    check_detects(model.app)
    return model, model.app, board is not None or is_project(target)


def _of_file(target: object, board: str | None, port: str | None, emulator: str | None) -> Model:
    if not is_pipeline_file(target):
        raise PipelineError("is no pipeline file", where=source_name(target), hint=_HINT)
    if board is not None:
        check_emulator(named_board(board), emulator, port)
    elif port is not None or emulator is not None:
        raise DataError("is missing, so there is no device to ask", where="`board`", hint="Name the device's board")
    path = Path(str(target))
    if is_float_model(read_pipeline(path).model):
        raise PipelineError(
            "names a float model, and what is evaluated is what a device runs",
            where=source_name(path),
            hint="Deploy it, and evaluate its project folder",
        )
    return load_model(path)


def on_device(
    target: object, board: str | None, port: str | None, emulator: str | None, recordings: Recordings, report: Progress
) -> OnDevice:
    """Push recordings through a device, and compare all that comes out with the reference.

    Raises:
        McugenError: whatever stops it before there is a verdict.
    """
    with built(target, board, progress=report) as ready, open_oracle(ready.model.opened) as oracle:
        app = ready.model.app
        assert app is not None
        report("starting the device", -1.0)
        with open_device(ready.firmware.elf, ready.board, **device_options(ready, port, emulator)) as device:
            share = share_of(report, "pushing the recordings")
            verdict = verify_signal(device, app, oracle, recordings, ready.plan.app_bytes, share)
            return OnDevice(ready.board.name, verdict, device.warnings())
