"""Makes a TFLM firmware's arena exact: finds on the device how small it can be, writes that back, and builds again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mcugen.builder import build_project
from mcugen.device.device import Device, ModelStartError
from mcugen.device.protocol import ARENA_TOO_SMALL
from mcugen.errors import DoesNotFitError
from mcugen.flow.runtime import library_files
from mcugen.formats.emit import emit_project
from mcugen.runtimes.tflm.arena import bisect, round_up
from mcugen.runtimes.tflm.program import TflmProgram

if TYPE_CHECKING:
    from mcugen.flow.ready import Ready

OpenDevice = Callable[["Ready"], Device]


def settle_arena(ready: Ready, open_device: OpenDevice, tflm: str | None) -> Ready:
    """The same firmware with the smallest arena with which it starts.

    Args:
        open_device: starts a firmware on its device.
        tflm: where TensorFlow Lite Micro is, to build again.

    A project that somebody changed by hand stays as it is. So does an arena that was found before.

    Raises:
        DoesNotFitError: not even all of the board's RAM is enough.
        DeviceError: the device failed.
    """
    program = ready.plan
    if not isinstance(program, TflmProgram) or program.arena_exact or program.plain or ready.changed:
        return ready
    while True:
        try:
            with open_device(ready) as device:
                smallest = find_arena(device, program.arena_bytes)
            return _with_arena(ready, program.with_arena(smallest), tflm)
        except ModelStartError as error:
            if error.code != ARENA_TOO_SMALL or program.arena_given:
                raise
            # The host's bound is one, unless a TFLM comes that asks for more than those that it was made for.
            program = replace(program, arena_bytes=_larger(program, ready))
            ready = _with_arena(ready, program, tflm)


def settle_flashed(ready: Ready, device: Device, kept: bool, tflm: str | None) -> list[str]:
    """Find the smallest arena of a firmware that somebody flashed, for the next time that it is.

    Args:
        device: runs the firmware of `ready`.
        kept: the project stays: the arena is written into it, and it is built again.

    Returns:
        What the user must know, if there is anything.

    Raises:
        DeviceError: the device failed.
    """
    program = ready.plan
    if not isinstance(program, TflmProgram) or program.arena_exact or program.plain or ready.changed:
        return []
    smallest = find_arena(device, program.arena_bytes)
    found = f"an arena of {smallest:,} bytes suffices on this device, the firmware has {program.arena_bytes:,}"
    if not kept:
        return [f"{found}: pass `arena={smallest}`"]
    _with_arena(ready, program.with_arena(smallest), tflm)
    return [f"{found}: the project was built again with that, flash it to save the memory"]


def find_arena(device: Device, arena_bytes: int) -> int:
    """Bytes of the smallest arena in which the device's model starts.

    Args:
        arena_bytes: the arena that the firmware has.

    Raises:
        DeviceError: the device failed.
    """
    started = device.start_model()
    smallest = bisect(lambda size: device.start_model(size).result == 0, started.arena_used, arena_bytes)
    device.forget()
    return smallest


def _larger(program: TflmProgram, ready: Ready) -> int:
    board = ready.board
    most = board.ram.size - board.stack_bytes - program.static_bytes
    larger = round_up(program.arena_bytes * 5 // 4 + 1024)
    if larger > most:
        raise DoesNotFitError(
            f"an arena of {program.arena_bytes:,} bytes is too small, and the board has no RAM for a larger one",
            where=f"board {board.name}",
            hint="Choose a board with more RAM, or a smaller model",
        )
    return larger


def _with_arena(ready: Ready, program: TflmProgram, tflm: str | None) -> Ready:
    """Write the project with another arena size, and build it. Everything else in it stays."""
    folder, manifest = ready.project.folder, ready.project.manifest
    extra = {path: (folder / path).read_bytes() for path in manifest.files if path.startswith("model/")}
    project = emit_project(
        program,
        ready.board,
        folder,
        model_files=library_files(program, manifest.labels, manifest.command),
        extra_files=extra,
        command=manifest.command,
        labels=manifest.labels,
    )
    return replace(ready, plan=program, project=project, firmware=build_project(folder, tflm=tflm))
