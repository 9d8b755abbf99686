"""`mcugen deploy`: from a model to a verdict, in one command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcugen.flow.custom_ops import takes_custom_ops
from mcugen.flow.defaults import EVAL_SAMPLES, SAMPLES_ON_DEVICE, TRIALS, Tuning, record_beside
from mcugen.flow.within import takes_reference, takes_scaler, takes_stream, takes_trust
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import command_for

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.assess import Metric
    from mcugen.flash import Choose
    from mcugen.flow.inputs import InputSource
    from mcugen.flow.proof import Proof
    from mcugen.names import Activations, Goal, InputRows, ReferenceName, Runtime, TaskName
    from mcugen.progress import Progress


@takes_custom_ops
@takes_trust
@takes_scaler
@takes_stream
@takes_reference
def deploy(
    model: object,
    *,
    board: str,
    linker_script: str | Path | None = None,
    data: Any = None,
    scaler: Any = None,
    quantize: bool = True,
    activations: Activations = "int8",
    split_outputs: bool = False,
    auto: bool = False,
    max_flash: int | None = None,
    max_ram: int | None = None,
    reserve: str | Sequence[str] | None = None,
    max_instructions: int | None = None,
    trials: int = TRIALS,
    search_seed: int = 0,
    out: str | Path | None = None,
    labels: str | Sequence[str] | None = None,
    optimize: Goal | None = None,
    runtime: Runtime | None = None,
    tflm: str | None = None,
    keep_names: bool = False,
    model_slot: int = 0,
    arena: int = 0,
    tflm_build: str = "",
    plain: bool = False,
    inputs: InputSource | None = None,
    samples: int = 16,
    seed: int = 0,
    layers: bool = False,
    eval_data: Any = None,
    eval_samples: int = EVAL_SAMPLES,
    samples_on_device: int = SAMPLES_ON_DEVICE,
    metric: str | Metric | Callable[[Any, Any], float] | None = None,
    task: TaskName | None = None,
    max_drop: float | None = None,
    max_ms: float | None = None,
    compare_float: bool = False,
    report: str | Path | None = None,
    force: bool = False,
    port: str | None = None,
    emulator: str | None = None,
    probe: str | None = None,
    tool: str | None = None,
    flash: bool = True,
    choose: Choose | None = None,
    rows: InputRows | None = None,
    custom_ops: Sequence[str] = (),
    trust_model: bool = False,
    custom_objects: str | Path | None = None,
    input_shape: str | Sequence[str] | None = None,
    signature: str | None = None,
    stream: bool = False,
    reference: ReferenceName = "auto",
    trainable: str | Sequence[str] | None = None,
    training: str | Mapping[str, Any] | None = None,
    train: int = 0,
    progress: Progress | None = None,
) -> Proof:
    """Quantize a model, generate its project, build it, start it on the board, and verify it bit for bit.

    The board is flashed unless its emulator is used (boards that have one, without `port`, `probe` and `tool`), the
    port is a URL ("socket://…": the firmware already runs there), or mcugen cannot flash it. Missing tools, probes and
    ports are reported before the work; with `max_ms`, whether the model is too slow for the board comes first.

    Args:
        model: a model file, a SavedModel folder, or a Keras object.
        board: board name, or path of a board's .toml file.
        linker_script: the chip's linker script, for the generic boards.
        data: calibration data for a float model, see :func:`mcugen.convert.convert`.
        scaler: what the model's training data went through, so that data and device keep the features' own units: a
            .npz or .json file, a mapping, or a scikit-learn scaler; see :func:`mcugen.convert.scaler.read_scaler`.
        quantize: False runs a float model in float32.
        activations: "int8" or "int16", see :func:`mcugen.convert.convert`.
        split_outputs: parts of an output that differ much in size become outputs of their own (docs/QUANTIZATION.md).
        reserve: "sram=32K", or several such: bytes, by name or kind of a memory, that the firmware leaves to you.
        max_ram: RAM limit of the firmware in bytes, for which it is made as fast as may be; with `auto` a limit of the
            search. Default: the board's RAM.
        auto, max_flash, max_instructions, trials, search_seed: see :func:`mcugen.verbs.quantize.quantize`.
        out: folder of the project. Default: MODEL-BOARD in the current folder.
        labels: class names in the model's order, for the firmware, for labels that are text, and for the results: a
            text file with one per line, a list with commas, or a sequence. Default: those of class folders and labels.
        optimize: "balanced" (the default), "speed", "size" of the code, or "ram".
        rows: "whole" (the default), or "pushed": the caller brings the input row by row (docs/MEMORY.md).
        runtime: "aot" (the default) or "tflm".
        tflm: path or name of TensorFlow Lite Micro, see :mod:`mcugen.runtimes.tflm.library`. Default: MCUGEN_TFLM_DIR.
        keep_names, model_slot, arena: see :class:`mcugen.runtimes.tflm.program.TflmOptions`.
        tflm_build: the build of a checkout: "release", "release_with_logs", "default" or "debug". Default: the first of
            these that is there.
        plain: of the TFLM runtime, resolver, array, arena and interpreter alone, without guards.
        inputs, samples, seed, layers: see :func:`mcugen.verbs.verify.verify`; `layers` also compares
            every layer of the float and the quantized model.
        eval_data, eval_samples, metric, task, max_drop: see :func:`mcugen.verbs.quantize.quantize`.
        max_ms: see :func:`mcugen.verbs.verify.verify`.
        samples_on_device: how many of the evaluation samples also run on the device.
        compare_float: also build and run the float32 model on the same emulated board.
        report: write the results as an HTML page, plus a .json next to it (docs/REPORT.md).
        emulator: the name of the one to start, see :func:`mcugen.emulators.emulators`; None for QEMU. Others may
            add scripts of their own to the project.
        port, probe, tool, choose: see :func:`mcugen.verbs.flash.flash`.
        flash: False leaves a board without emulator alone: the project is written and built, nothing runs, and the
            result has neither `cost` nor `verdict`.
        force: replace a generated project even if its files were edited.
        custom_ops: kernels for custom ops, as NAME=path/kernel.c, see docs/CUSTOM_OPS.md.
        stream: samples are steps of one stream, over which the model keeps its state, even if each looks like a whole
            sequence; see docs/ACCURACY.md.
        reference: what results are compared with: "tflite-micro", "mcugen" for its own reference in numpy, or "both",
            which must agree. "auto" is TFLM's interpreter where it is installed, or what MCUGEN_REFERENCE says
            (docs/NUMERICS.md).
        trainable: layers at the model's end that learn on the device in float32, by name; "all" for the whole model
            (docs/TRAINING.md). What comes before them is quantized.
        training: how they learn, as "rate=0.01,momentum=0.9,batch=1,classes=12,loss=softmax,optimizer=sgd".
        train: make so many training steps on the device with labelled samples of `data`, each compared with the
            reference: loss and all parameters bit for bit.
        trust_model: load a Keras file or SavedModel whose content is refused, see docs/SECURITY.md.
        custom_objects: a Python file with the classes that a Keras file names, run in the confined process.
        input_shape: "NAME=1,96,96,3", or several such: shapes of inputs whose dimensions the model leaves open.
        signature: which of a file's signatures is meant; of a frozen graph its inputs and outputs, "a,b->c".

    Raises:
        McugenError: anything that stops it. A difference is not an error but a negative verdict.
    """
    from mcugen.oracle.copies import start_early

    start_early()  # its imports and ours take about equally long

    from mcugen.boards.emulated import check_emulator, named_emulator
    from mcugen.boards.linker_script import with_linker_script
    from mcugen.builder import build_project
    from mcugen.builder.in_use import using
    from mcugen.convert.early import check_early
    from mcugen.cost.estimate import time_is_known
    from mcugen.cost.limit import check_limit, limited
    from mcugen.device.device import Device, ModelStartError
    from mcugen.errors import McugenError, ProjectError
    from mcugen.flash import asking_once
    from mcugen.flow.against_float import check_comparable, compare_with_float
    from mcugen.flow.boards import named_board
    from mcugen.flow.estimating import estimate_planned
    from mcugen.flow.first_layers import evaluation_behind
    from mcugen.flow.flashing import flash_and_connect
    from mcugen.flow.inputs import one_path, read_inputs
    from mcugen.flow.judging import (
        Wishes,
        check_wishes,
        for_device,
        judge_on_host,
        judged_proof,
        read_once,
        with_problem,
    )
    from mcugen.flow.labels import read_labels
    from mcugen.flow.memories import read_reserved
    from mcugen.flow.model import front_ends_for, load_model, plan_model
    from mcugen.flow.project import command_line, default_folder, folder_for, write_project
    from mcugen.flow.proof import Proof
    from mcugen.flow.prove import prove
    from mcugen.flow.ready import Ready
    from mcugen.flow.runtime import Choice
    from mcugen.flow.sensors import check_pipeline_wishes, signal_source
    from mcugen.flow.tools import check_build, out_of_reach, still_built
    from mcugen.flow.training import check_wanted, wanted_training
    from mcugen.flow.tuning import check_tuning, tune_model
    from mcugen.progress import no_progress
    from mcugen.report.write import check_report, write_report

    tell = progress or no_progress
    choice = Choice(
        runtime=runtime,
        goal=optimize,
        rows=rows,
        max_ram=None if auto else max_ram,
        tflm=tflm,
        keep_names=keep_names,
        slot_bytes=model_slot,
        arena_bytes=arena,
        tflm_build=tflm_build,
        plain=plain,
        reserve=read_reserved(reserve),
    )
    chosen, names = with_linker_script(named_board(board), linker_script), read_labels(labels)
    check_emulator(chosen, emulator, port or probe or tool)
    named = port is not None or probe is not None or tool is not None
    on_hardware = emulator is None and (chosen.emulator is None or named)
    check_pipeline_wishes(
        model, auto=auto, compare_float=compare_float, eval_data=eval_data, metric=metric or task, max_drop=max_drop
    )
    wanted_layers = wanted_training(trainable, training, train)
    check_wanted(
        wanted_layers,
        auto=auto,
        compare_float=compare_float,
        eval_data=eval_data,
        metric=metric or task,
        max_drop=max_drop,
        split_outputs=split_outputs,
        activations=activations != "int8",
        scaler=scaler,
    )
    data = read_once(data)
    wishes = Wishes(
        eval_data=read_once(eval_data),
        eval_samples=eval_samples,
        metric=metric,
        task=task,
        max_drop=max_drop,
        layers=layers or report is not None,
        samples_on_device=samples_on_device,
        names=names,
    )
    check_wishes(data, wishes)
    check_early(model, wishes.eval_data, "evaluation", names)
    check_early(model, one_path(inputs), "evaluation")
    choose = asking_once(choose)
    flashes = check_build(chosen, flash=flash, port=port, probe=probe, tool=tool, emulator=emulator)
    missing = out_of_reach(chosen, port=port, probe=probe, tool=tool, choose=choose) if flashes else None
    if missing is not None and (max_ms is None or not time_is_known(chosen)):
        raise missing  # else a model that is too slow for the board is told first
    to_run = flash or not on_hardware
    runs = to_run and missing is None
    check_limit(max_ms, chosen, measures=on_hardware and runs)
    if report is not None and not to_run:
        raise ProjectError("a report is about a firmware that ran", where="`report`", hint="Omit it, or `flash=False`")
    page = check_report(report, inputs=(model, linker_script, data, inputs, eval_data))
    wanted = Tuning(
        auto=auto,
        max_flash=max_flash,
        max_ram=max_ram if auto else None,
        max_instructions=max_instructions,
        trials=trials,
        seed=search_seed,
    )
    check_tuning(wanted, quantize=quantize, activations=activations, split_outputs=split_outputs, board=chosen)
    front_ends = front_ends_for(rows=choice.rows, runtime=runtime, compare_float=compare_float)
    if auto:
        loaded = tune_model(
            model,
            data,
            wishes,
            wanted,
            board=chosen,
            choice=choice,
            front_ends=front_ends,
            progress=tell,
            record=lambda name: record_beside(out if out is not None else folder_for(name, chosen)),
        )
    else:
        loaded = load_model(
            model,
            data,
            tell,
            choice.runtime,
            quantize=quantize,
            activations=activations,
            split_outputs=split_outputs,
            names=names,
            wanted=wanted_layers,
            front_ends=front_ends,
        )
    wishes = replace(wishes, eval_data=evaluation_behind(loaded.first, wishes.eval_data, tuple(names)))
    if compare_float:
        check_comparable(loaded, chosen, counted=not on_hardware and named_emulator(emulator).counts_instructions)
    plan = plan_model(loaded, chosen, choice)
    if loaded.app is not None:
        inputs, data = signal_source(loaded.app, inputs, data if loaded.first is None else loaded.signal), loaded.rows
    elif inputs is not None:
        read_inputs(inputs, plan.graph, loaded.scaling)  # refuses before the slow steps what it would refuse after them
    judged = judge_on_host(loaded, None if loaded.head is not None else data, wishes, tell)
    loaded = with_problem(loaded, judged)
    folder = Path(out) if out is not None else default_folder(loaded, chosen)
    with using(folder, writing=True):
        tell("generating", -1.0)
        command = command_line("deploy", loaded, plan, chosen)
        project = write_project(
            loaded,
            plan,
            chosen,
            folder,
            command=command,
            labels=names or read_labels(judged.names or None),
            emulator=emulator,
            force=force,
        )
        tell("building", -1.0)
        ready = Ready(loaded, chosen, plan, project, build_project(folder, tflm=tflm))
        if not runs:
            found = estimate_planned(loaded, [(chosen, plan)], tflm, tell)[0]
            nothing_ran = Proof("deploy", ready, None, None, "", project=str(folder), emulated=False)
            proof = judged_proof(replace(nothing_ran, estimated=found, limit=limited(max_ms, found)), judged, None)
            if missing is not None and proof.exit_code == 0:
                raise still_built(missing, folder, port)
            return proof

        def flash_it(ready: Ready) -> Device:
            try:
                return flash_and_connect(ready, port=port, probe=probe, tool=tool, choose=choose, progress=tell)[0]
            except ModelStartError:
                raise  # an arena that was found too small is tried again
            except McugenError as error:
                raise still_built(error, folder, port) from error

        on_device = for_device(judged, plan, loaded.opened, samples_on_device)
        proof = prove(
            ready,
            "deploy",
            inputs=inputs,
            samples=samples,
            seed=seed,
            layers=layers,
            port=port,
            emulator=emulator,
            progress=tell,
            project=str(folder),
            tflm=tflm,
            flash=flash_it if flashes else None,
            first=on_device.inputs if on_device is not None else None,
            max_ms=max_ms,
            train=train,
            lessons=data,
        )
    proof = judged_proof(proof, judged, on_device)
    if compare_float:
        proof = replace(proof, against_float=compare_with_float(proof, judged, on_device, choice, tell))
    if page is not None:
        write_report(page, proof, command, data)
    return proof


def _show(console: Console, proof: Proof, verbose: bool) -> None:
    from mcugen.ui.proof import show_proof

    show_proof(console, proof, verbose)


command = command_for(
    deploy,
    "From a model to a verdict: quantize, generate, build, flash or emulate the board, verify.",
    _show,
    details=True,
    port=options.DeployPort,
)
