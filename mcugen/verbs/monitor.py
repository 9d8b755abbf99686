"""`mcugen monitor`: devices at work, shown live and recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen.flow.custom_ops import takes_custom_ops
from mcugen.flow.within import takes_trust
from mcugen.verbs.options import page as page_options
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import as_options

if TYPE_CHECKING:
    from mcugen.boards.types import Board
    from mcugen.flow.ready import Ready
    from mcugen.flow.runtime import Choice
    from mcugen.flow.watching import Show, Watching
    from mcugen.monitor.state import State
    from mcugen.monitor.types import Message
    from mcugen.monitor.watch import Watched
    from mcugen.names import Goal, Runtime
    from mcugen.progress import Progress

LIVE_RATE = 10.0
"""Inferences per second where a person looks on and has not said otherwise."""


@takes_custom_ops
@takes_trust
def monitor(
    targets: str | Path | Sequence[object] = (),
    *,
    ports: str | Sequence[str] = (),
    board: str | None = None,
    inputs: str = "noise",
    count: int = 0,
    rate: float | None = 0.0,
    record: str | Path | None = None,
    labels: str | Sequence[str] | None = None,
    seed: int = 0,
    patience: float = 120.0,
    profile: bool = False,
    data: Any = None,
    quantize: bool = True,
    optimize: Goal | None = None,
    runtime: Runtime | None = None,
    tflm: str | None = None,
    custom_ops: Sequence[str] = (),
    trust_model: bool = False,
    show: Show | None = None,
    progress: Progress | None = None,
) -> Watching:
    """Feed devices and watch their outputs, until `count` inferences or Ctrl-C.

    Without a target, the devices at `ports` are watched, whatever they run. With targets and without ports their
    boards' emulators are started. Otherwise there is a port for every target, or one target, which all ports' devices
    run.

    Args:
        targets: project folders or models (then temporary projects are built); or one.
        ports: URLs of running devices; or one.
        board: board name; a project knows its own. Without a target it sets the baud rate.
        inputs: "noise", "sine", "chirp", a data file, or a folder of images or .npy files; of pipelines recordings.
        count: inferences per device; 0 for no end.
        rate: maximum inferences per second; 0 for no limit, None for 10 and for signals in real time.
        record: a .csv or .parquet file for every inference.
        labels: class names, see :func:`mcugen.flow.labels.read_labels`; a project knows its own.
        seed: seed of the noise.
        patience: seconds to wait for a lost device to come back.
        profile: measure the cost of every op at the start.
        data, quantize, optimize, runtime, tflm, custom_ops, trust_model: as for :func:`mcugen.api.run`.
        show: called with every message as it arrives.

    Raises:
        McugenError: a device cannot be opened or does not come back; unusable inputs or an unusable recording.
    """
    from mcugen.errors import DataError
    from mcugen.flow.labels import read_labels
    from mcugen.flow.runtime import Choice
    from mcugen.flow.watching import Watching, follow
    from mcugen.monitor.record import Recorder, check_recording
    from mcugen.monitor.sources import open_source
    from mcugen.monitor.watch import Feeding, watch
    from mcugen.progress import no_progress

    real_time, rate = rate is None, LIVE_RATE if rate is None else rate
    if count < 0 or rate < 0 or patience < 0 or seed < 0:
        raise DataError("counts, rates, times and seeds cannot be negative")
    path = Path(record) if record is not None else None
    if path is not None:
        check_recording(path)
    report, choice = progress or no_progress, Choice(runtime=runtime, goal=optimize, tflm=tflm)
    names = read_labels(labels)
    feeding = Feeding(
        lambda specs, ranges, indices: open_source(inputs, specs, ranges, indices, seed),
        count,
        1 / rate if rate else 0.0,
        patience,
        profile,
        real_time,
    )
    with contextlib.ExitStack() as stack:
        listed = [targets] if isinstance(targets, str | Path) else targets
        at = [ports] if isinstance(ports, str) else ports
        devices = _devices(stack, listed, at, board, names, data, quantize, choice, report, (inputs, seed))
        recorder = stack.enter_context(Recorder(path, len(devices))) if path is not None else None
        report("starting", -1.0)
        messages = stack.enter_context(contextlib.closing(watch(devices, feeding)))
        state, stopped = follow(messages, show, recorder)
    return Watching("monitor", state, stopped, path)


def _devices(
    stack: contextlib.ExitStack,
    targets: Sequence[object],
    ports: Sequence[str],
    board: str | None,
    labels: tuple[str, ...],
    data: Any,
    quantize: bool,
    choice: Choice,
    progress: Progress,
    played: tuple[str, int],
) -> list[Watched]:
    """The devices to watch; projects of models live as long as `stack`.

    Raises:
        McugenError: there is none, targets and ports do not pair, or a target cannot be built.

    Args:
        played: what the user named for inputs, and the seed, for those that take a signal.
    """
    from mcugen.errors import ProjectError
    from mcugen.flow.boards import named_board
    from mcugen.flow.ready import built

    if len(set(ports)) < len(ports):
        raise ProjectError("a port is listed twice", where="`ports`", hint="Use a different port for each device")
    if not targets and not ports:
        raise ProjectError(
            "there is nothing to watch",
            hint="Pass a project folder, a model and `board`, or `ports` for a device that runs",
        )
    if not targets:
        known = named_board(board) if board is not None else None
        return [_at_port(port, known, labels) for port in ports]
    if ports and len(targets) > 1 and len(targets) != len(ports):
        raise ProjectError(
            f"{len(targets)} targets do not match {len(ports)} ports",
            hint="Pass one of `ports` for every target, or one target for all ports",
        )
    ready = [
        stack.enter_context(built(target, board, data=data, quantize=quantize, choice=choice, progress=progress))
        for target in targets
    ]
    if not ports:
        return [_running(item, None, _distinct(n, ready), labels, played) for n, item in enumerate(ready)]
    paired = ready * len(ports) if len(ready) == 1 else ready
    pairs = zip(paired, ports, strict=True)
    return [_running(item, port, f"{item.board.name} at {port}", labels, played) for item, port in pairs]


def _distinct(number: int, ready: Sequence[Ready]) -> str:
    """An emulated board's name, numbered where there are several of them."""
    name = ready[number].board.name
    same = [n for n, item in enumerate(ready) if item.board.name == name]
    return f"{name} (emulator)" if len(same) == 1 else f"{name} (emulator {same.index(number) + 1})"


def _at_port(port: str, board: Board | None, labels: tuple[str, ...]) -> Watched:
    from mcugen.device.connecting import connect
    from mcugen.monitor.watch import Watched

    return Watched(port, lambda: connect(port, board=board), labels=labels)


def _running(ready: Ready, port: str | None, name: str, labels: tuple[str, ...], played: tuple[str, int]) -> Watched:
    from mcugen.device.connecting import open_device
    from mcugen.flow.estimating import nominal_pace
    from mcugen.flow.playing import signal_feed
    from mcugen.flow.project import QUANTIZATION_FILE
    from mcugen.flow.prove import device_options
    from mcugen.monitor.known import know
    from mcugen.monitor.watch import Watched

    project, power = ready.project, ready.board.power
    known = know(ready.plan, project.manifest.labels, project.folder / QUANTIZATION_FILE, trusted=ready.model.trusted)
    known = replace(
        known,
        ms_per_unit=nominal_pace(ready) if port is None else 0.0,
        milliwatts=power.active_mw[1] if power is not None else 0.0,
    )
    app = ready.model.app
    if app is not None and app.decision is not None and app.decision.top and not known.labels:
        one = len(app.decision.labels) == 1
        known = replace(known, labels=("other", *app.decision.labels) if one else app.decision.labels)
    return Watched(
        name,
        lambda: open_device(ready.firmware.elf, ready.board, **device_options(ready, port)),
        known,
        labels,
        signal_feed(app, *played) if app is not None else None,
    )


def command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DIR|MODEL",
            show_default=False,
            help="Projects generated by mcugen, or models. Omit them to watch whatever runs at the ports.",
        ),
    ] = None,
    port: Annotated[
        list[str] | None,
        typer.Option(
            "--port",
            metavar="URL",
            show_default=False,
            help="Use a running device instead of the emulator: /dev/ttyACM0, socket://host:port, … Repeatable.",
        ),
    ] = None,
    board: options.OptionalBoard = None,
    inputs: Annotated[
        str,
        typer.Option(
            "--inputs",
            "-i",
            metavar="X",
            help="noise, sine, chirp, a .npy, .npz or .csv file, or a folder of images or .npy files; recordings.",
        ),
    ] = "noise",
    count: Annotated[
        int,
        typer.Option(
            "--count",
            "-n",
            metavar="N",
            min=0,
            show_default=False,
            help="Stop after N inferences per device. Default: run until Ctrl-C.",
        ),
    ] = 0,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="PER_SECOND",
            min=0,
            show_default=False,
            help="Maximum inferences per second; 0 for no limit. Default: 10 in a live view, pipelines in real time.",
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="FILE",
            show_default=False,
            help="Record every inference to a .csv or .parquet file for mcugen replay.",
        ),
    ] = None,
    labels: options.Labels = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the noise.")] = 0,
    patience: Annotated[
        float,
        typer.Option("--patience", metavar="SECONDS", min=0, help="Seconds to wait for a lost device to come back."),
    ] = 120.0,
    data: options.Data = None,
    no_quantize: options.NoQuantize = False,
    optimize: options.Optimize = None,
    runtime: options.RuntimeName = None,
    tflm: options.Tflm = None,
    custom_op: options.CustomOps = None,
    trust_model: options.TrustModel = False,
    lines: options.Lines = False,
    web: page_options.Page = False,
    listen: page_options.Listen = None,
    token: page_options.Token = None,
    json: options.Json = False,
) -> int:
    """Feed running devices and watch their outputs live."""
    from mcugen.ui.terminal import Terminal
    from mcugen.ui.watching import render, shown

    terminal = Terminal(json, as_options)
    page = page_options.wanted_page(web, listen, token)
    live = page is not None or (terminal.out.is_terminal and not json and not lines)
    with contextlib.ExitStack() as waiting, shown(terminal, "Ctrl-C ends", lines=lines, web=page) as show:
        progress = waiting.enter_context(terminal.progress())

        def show_alone(message: Message | None, state: State) -> None:
            if state.devices:
                waiting.close()  # the progress bar would be in the way
                show(message, state)

        result = monitor(
            targets or (),
            ports=port or (),
            board=board,
            inputs=inputs,
            count=count,
            rate=rate if rate is not None or live else 0.0,
            record=record,
            labels=labels,
            seed=seed,
            patience=patience,
            profile=page is not None,
            data=data,
            quantize=not no_quantize,
            optimize=optimize,
            runtime=runtime,
            tflm=tflm,
            custom_ops=custom_op or (),
            trust_model=trust_model,
            show=show_alone,
            progress=progress,
        )
    return terminal.show(result, lambda console: render(console, result))
