"""What `quantize` and `deploy` share to search for the best quantization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcugen.assess import load_evaluation
from mcugen.boards.types import Board
from mcugen.convert import open_float
from mcugen.convert.early import check_early
from mcugen.device.connecting import open_device
from mcugen.errors import BoardError, ConversionError, DataError
from mcugen.flow.defaults import Tuning
from mcugen.flow.first_layers import behind_front_end, evaluation_behind
from mcugen.flow.judging import Wishes
from mcugen.flow.model import Model, naming, plan_model, source_name, with_front_end
from mcugen.flow.proof import measure as measure_cost
from mcugen.flow.prove import device_options
from mcugen.flow.ready import Ready, built_temporarily
from mcugen.flow.runtime import Choice, read_opened
from mcugen.flow.settle import settle_arena
from mcugen.names import Activations, FrontEnds
from mcugen.oracle import make_inputs
from mcugen.outputs import temporary_folder
from mcugen.progress import no_progress, share_of
from mcugen.runtimes.aot.plan import make_plan
from mcugen.tflite.opened import OpenedModel
from mcugen.tune import Cost, Judge, search
from mcugen.tune.cost import budget_of, cost_of

if TYPE_CHECKING:
    from mcugen.device.device import Device
    from mcugen.progress import Progress


def check_tuning(
    tuning: Tuning,
    *,
    quantize: bool = True,
    activations: Activations = "int8",
    split_outputs: bool = False,
    board: Board | None = None,
) -> None:
    """Refuse what `auto` cannot do, and its options without it.

    Raises:
        ConversionError, DataError, BoardError.
    """
    limits = {
        "max_flash": tuning.max_flash,
        "max_ram": tuning.max_ram,
        "max_instructions": tuning.max_instructions,
    }
    if not tuning.auto:
        for name, limit in limits.items():
            if limit is not None:
                hint = f"Add `auto=True`, or omit `{name}`"
                raise DataError("has an effect with `auto=True` only", where=f"`{name}`", hint=hint)
        return
    if split_outputs:
        raise DataError("the search tries `split_outputs` by itself", hint="Omit it, or `auto=True`")
    if not quantize or activations != "int8":
        other = "`quantize=False`" if not quantize else "`activations`"
        raise ConversionError(f"`auto=True` chooses {other} itself", hint=f"Omit {other}, or `auto=True`")
    if tuning.trials < 1 or tuning.seed < 0:
        wrong = f"{tuning.trials} trials" if tuning.trials < 1 else f"the seed {tuning.seed}"
        raise DataError(f"a search is not possible with {wrong}", hint="Use at least one trial and a seed of 0 or more")
    if tuning.max_instructions is not None and (board is None or board.emulator is None):
        raise BoardError(
            "instructions are counted on a board's emulator",
            where="`max_instructions`",
            hint="Pass `board` with a board that has one; `api.boards()` says which",
        )


def tune_model(
    source: object,
    data: Any,
    wishes: Wishes,
    tuning: Tuning,
    *,
    board: Board | None,
    choice: Choice,
    front_ends: FrontEnds,
    record: Callable[[str], Path | None],
    progress: Progress | None,
) -> Model:
    """Quantize a model in the best way that is found. Its report tells the search.

    Args:
        wishes: the metric and what may be lost of it; evaluation data, where `data` has no labels.
        board: whose limits hold; None for those of `tuning` alone.
        front_ends: whether a Keras model's first layers become one.
        record: where trials are remembered, by the model's name.

    Raises:
        DataError, ModelError, ConversionError, ToolError: as :func:`mcugen.convert.convert`.
        DoesNotFitError: no way to quantize the model keeps to the limits.
    """
    report = progress or no_progress
    check_early(source, data, names=wishes.names)
    with naming(source), temporary_folder() as folder:
        behind = behind_front_end(source, folder, data, front_ends, choice.runtime, wishes.names)
        floats = open_float(behind.source, behind.data, progress, names=wishes.names)

        def read(made: OpenedModel) -> Model:
            graph = read_opened(made, floats.name, choice.runtime or "aot", trusted=floats.everything.trusted)
            return with_front_end(Model(made, graph, source_name(source), trusted=True, report=None), behind)

        def estimate(made: OpenedModel) -> Cost:
            model = read(made)
            return cost_of(make_plan(model.graph) if board is None else plan_model(model, board, choice), board)

        def measure(made: OpenedModel) -> int:
            assert board is not None
            return _instructions(read(made), board, choice, report)

        given = floats.everything
        if given.targets is None and wishes.eval_data is not None:
            evaluated = evaluation_behind(behind.first, wishes.eval_data, wishes.names)
            given = load_evaluation(floats.model, evaluated, scaling=floats.scaling, names=wishes.names).samples
        judge = Judge(
            floats.model,
            given,
            kind=wishes.task,
            metric=wishes.metric,
            progress=share_of(progress, "evaluating float32"),
        )
        found = search(
            floats,
            judge,
            estimate,
            budget=budget_of(board, tuning.max_flash, tuning.max_ram, tuning.max_instructions),
            measure=measure,
            seed=tuning.seed,
            trials=tuning.trials,
            max_drop=wishes.max_drop,
            per_tensor_dense=choice.is_tflm,
            state=record(floats.name),
            setting=repr(choice),
            progress=progress,
        )
        made = floats.quantized(found.best.choices, progress)
    told = replace(made.report, search=found.to_dict())
    graph = read_opened(made.model, floats.name, choice.runtime or "aot", trusted=told.trusted)
    scaling = made.scaling
    model = Model(made.model, graph, source_name(source), told.trusted, told, made.float_model, scaling)
    return with_front_end(model, behind)


def _instructions(model: Model, board: Board, choice: Choice, progress: Progress) -> int:
    """Build a model, and count the instructions of an inference in the board's emulator."""

    def start(ready: Ready) -> Device:
        return open_device(ready.firmware.elf, ready.board, **device_options(ready, None))

    with built_temporarily(model, plan_model(model, board, choice), board, choice.tflm, progress) as built:
        ready = settle_arena(built, start, choice.tflm)
        progress("counting instructions", -1.0)
        with start(ready) as device:
            return measure_cost(device, make_inputs(ready.plan.graph, 1)[0]).invoke
