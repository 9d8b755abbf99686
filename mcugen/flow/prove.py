"""Runs a firmware on its device, and compares it with the oracle."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from mcugen.boards.emulated import named_emulator
from mcugen.cost.limit import limited
from mcugen.device.connecting import open_device
from mcugen.device.device import Device
from mcugen.emulators import DEFAULT
from mcugen.errors import DataError, TrainingError
from mcugen.flow.estimating import Place, estimate_run
from mcugen.flow.inputs import Inputs, InputSource, read_inputs
from mcugen.flow.learning import read_lessons, verify_training
from mcugen.flow.proof import Proof, measure
from mcugen.flow.ready import Ready
from mcugen.flow.sensors import Recordings, made_up, read_recordings
from mcugen.flow.settle import settle_arena, settle_flashed
from mcugen.flow.signals import samples_of, verify_signal
from mcugen.oracle import make_inputs
from mcugen.oracle.changes import FOLLOWED, Change, changes_of, reference_date
from mcugen.oracle.oracle import Reference
from mcugen.pipeline.app import App
from mcugen.progress import no_progress, share_of
from mcugen.runtimes.tflm.library import UNKNOWN, named_checkout
from mcugen.runtimes.tflm.program import TflmProgram
from mcugen.verify import Verdict, verify_device
from mcugen.verify.parted_oracle import open_oracle

if TYPE_CHECKING:
    from mcugen.progress import Progress


def prove(
    ready: Ready,
    verb: Literal["verify", "deploy"],
    *,
    inputs: InputSource | None,
    samples: int,
    seed: int,
    layers: bool,
    port: str | None,
    emulator: str | None = None,
    paced: bool = False,
    progress: Progress | None,
    project: str | None = None,
    kept: bool = True,
    tflm: str | None = None,
    flash: Callable[[Ready], Device] | None = None,
    first: Inputs | None = None,
    max_ms: float | None = None,
    train: int = 0,
    lessons: Any = None,
) -> Proof:
    """Measure sizes and cost on the device, and judge its results.

    Args:
        kept: the project stays, so that results can be written into it.
        flash: puts a firmware on a board and connects to it; it may be called twice. Without it the device behind
            `port` runs the firmware already, or the emulator is started.
        emulator: which one; None for QEMU.
        paced: inferences go op by op, see :class:`mcugen.device.Device`.
        first: samples to run before those of `inputs`: what their outputs are is of interest.
        max_ms: the longest that an inference may take.
        train: steps of training to make.
        lessons: samples with labels for them; None for random ones.

    Raises:
        McugenError: whatever stops it before there is a verdict.
    """
    report = progress or no_progress
    app, head = ready.model.app, ready.model.head
    if train and head is None:
        raise TrainingError(
            "no layer of this firmware learns", where="`train`", hint='Generate it with `trainable="dense_1"`, or "all"'
        )
    recordings = choose_recordings(app, inputs, samples, seed) if app is not None else None
    # The oracle first: a model that it refuses needs no device.
    with open_oracle(ready.model.opened) as oracle:
        taught = None
        if train and head is not None:
            taught = read_lessons(ready.model.opened, ready.plan.graph, head.net, lessons, train, seed)
        given = _given(ready, recordings, oracle, inputs, samples, seed)
        start = flash or (lambda r: open_device(r.firmware.elf, r.board, **device_options(r, port, emulator, paced)))
        where: Place = "hardware" if port is not None or flash is not None else "qemu"
        if where == "qemu" and named_emulator(emulator).name != DEFAULT:
            where = "elsewhere"
        runs_already = port is not None and flash is None
        if not runs_already:
            report("finding the smallest arena", -1.0)
            ready = settle_arena(ready, start, tflm)
        report("starting the device", -1.0)
        with start(ready) as device, ThreadPoolExecutor(1) as beside:
            cost = measure(device, given.samples[0], share_of(report, "measuring"))
            # The trace is taken in an emulator of its own, while the device is verified.
            context = contextvars.copy_context()
            estimating = beside.submit(context.run, estimate_run, ready, cost, given.samples[0], where, tflm)
            verdict = verify_device(
                device,
                ready.plan,
                oracle,
                [*(first.samples if first is not None else ()), *given.samples],
                layers=layers,
                progress=share_of(report, "verifying"),
            )
            signal = None
            if app is not None and recordings is not None:
                signal = verify_signal(
                    device, app, oracle, recordings, ready.plan.app_bytes, share_of(report, "pushing the signal")
                )
            learned = None
            if head is not None and taught is not None:
                learned = verify_training(device, head, oracle, taught, train, share_of(report, "training"))
            found = [*given.warnings, *device.warnings()]
            if runs_already:  # a firmware that is built anew has to be flashed first
                report("finding the smallest arena", -1.0)
                found += settle_flashed(ready, device, kept, tflm)
            report("counting cycles", -1.0)
            estimated = estimating.result()
    followed, follows = _followed(ready, tflm) if verdict.first_divergent_op is not None else (None, "")
    return Proof(
        verb,
        ready,
        cost,
        verdict,
        given.origin if first is None else f"{len(first.samples)} samples of {first.origin}; {given.origin}",
        given.notes,
        project,
        emulated=port is None and flash is None,
        input_warnings=tuple(found),
        estimated=estimated,
        limit=limited(max_ms, estimated),
        changes=_changes(verdict, ready, followed),
        follows=follows,
        signal=signal,
        training=learned,
    )


def _followed(ready: Ready, tflm: str | None) -> tuple[date | None, str]:
    """The date of the TFLM whose results the firmware is to give, and how a sentence names that."""
    if not isinstance(ready.plan, TflmProgram):
        return FOLLOWED, f"the ahead-of-time runtime, which follows TensorFlow Lite Micro of {FOLLOWED}"
    found = named_checkout(tflm) if ready.plan.tflm.variant is not None else UNKNOWN
    return found.date, f"this TensorFlow Lite Micro, {found}"


def _changes(verdict: Verdict, ready: Ready, followed: date | None) -> tuple[Change, ...]:
    """What the reference computes otherwise in the first op that differs."""
    found = verdict.first_divergent_op
    if found is None:
        return ()
    uses = [(ready.plan.graph, ready.plan.steps[found.op].op)]
    return tuple(changes_of(uses, followed, reference_date()))


def choose_recordings(app: App, inputs: InputSource | None, samples: int, seed: int) -> Recordings:
    """The user's recordings, or a seeded signal for so many inferences.

    Raises:
        DataError: unusable recordings, or a number of samples or a seed that cannot be.
    """
    if inputs is not None:
        return read_recordings(inputs, app.pipeline.signal)
    _check_random(samples, seed)
    return made_up(app, samples, seed)


def _given(
    ready: Ready,
    recordings: Recordings | None,
    oracle: Reference,
    inputs: InputSource | None,
    samples: int,
    seed: int,
) -> Inputs:
    """What the model alone is verified with: of a signal, the first inputs that it leads to."""
    if recordings is None or ready.model.app is None:
        return choose_inputs(ready, inputs, samples, seed)
    found = samples_of(ready.model.app, recordings, oracle, max(1, samples))
    return Inputs(found, f"the first of {recordings.origin}", recordings.notes)


def choose_inputs(ready: Ready, inputs: InputSource | None, samples: int, seed: int) -> Inputs:
    """The user's inputs, or seeded random ones.

    Raises:
        DataError: unusable inputs, or a number of samples or a seed that cannot be.
    """
    if inputs is not None:
        return read_inputs(inputs, ready.plan.graph, ready.model.scaling)
    _check_random(samples, seed)
    return Inputs(make_inputs(ready.plan.graph, samples, seed), f"random, seed {seed}")


def _check_random(samples: int, seed: int) -> None:
    if samples < 1 or seed < 0:
        wrong = "at least one sample is needed" if samples < 1 else "the seed must not be negative"
        raise DataError(wrong, hint=f"{samples} samples and seed {seed} were given")


def device_options(ready: Ready, port: str | None, emulator: str | None = None, paced: bool = False) -> dict[str, Any]:
    """How to open the device, and what it must answer to be the right one. If not `paced`, the device decides."""
    return {"port": port, "emulator": emulator, "model_sha256": ready.plan.graph.sha256, "paced": paced or None}
