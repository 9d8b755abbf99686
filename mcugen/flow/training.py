"""Models whose last layers learn on the device: cut in two, planned together, kept in a project."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mcugen.convert import Converted, convert
from mcugen.errors import ProjectError, TrainingError
from mcugen.graph import DType, Graph
from mcugen.progress import Progress
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import Plan
from mcugen.runtimes.program import Program
from mcugen.tflite.opened import OpenedModel, open_model
from mcugen.training.plan import make_train_plan
from mcugen.training.read import read_net
from mcugen.training.split import ALL, Parts, split
from mcugen.training.types import Net, Settings, read_settings

HEAD_FILE = "model/head.tflite"
TRAINING_FILE = "model/training.json"
_SCHEMA = "mcugen.training/1"
_MOST_BYTES = 1 << 16


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is to learn: `trainable` names layers, see :func:`mcugen.training.split.split`."""

    trainable: str | Sequence[str]
    settings: Settings


@dataclass(frozen=True, eq=False)
class Head:
    """The layers that learn, as a float32 `.tflite` and as the network that is trained."""

    model: OpenedModel
    net: Net


def wanted_training(
    trainable: str | Sequence[str] | None, training: str | Mapping[str, Any] | None, train: int
) -> Wanted | None:
    """What the user wants to be trained; None for nothing.

    Raises:
        TrainingError: settings or steps without layers, or settings that cannot be.
    """
    if train < 0:
        raise TrainingError(f"{train} is not a number of steps", where="`train`", hint="Pass 1 or more")
    if trainable is None:
        for name, value in (("training", training), ("train", train)):
            if value:
                raise TrainingError(
                    "no layer is trained", where=f"`{name}`", hint='Name layers, `trainable="dense_1"`, or "all"'
                )
        return None
    return Wanted(trainable, read_settings(training))


def check_wanted(wanted: Wanted | None, **wishes: object) -> None:
    """Refuse what is about the model as a whole, where its last layers are cut off.

    Raises:
        TrainingError: names the first of them.
    """
    for name, value in wishes.items():
        if wanted is not None and value not in (None, False, 0):
            raise TrainingError(
                "is about a model as a whole, and the layers that are trained are not part of what is quantized",
                where=f"`{name}`",
                hint="Omit it, or `trainable`",
            )


def cut_and_convert(
    source: object, data: Any, wanted: Wanted, progress: Progress | None, *, quantize: bool
) -> tuple[Converted, Parts]:
    """The body as the device runs it, int8 unless it is to stay float32 or there is none, and both parts.

    Raises:
        TrainingError, ModelError, DataError, ConversionError: see the stages.
    """
    if not quantize and wanted.trainable != ALL:
        raise TrainingError(
            "a float32 body differs from the reference in its last bits, and so would all that is learned from it",
            where="`quantize=False`",
            hint='Omit it, or train the whole model: `trainable="all"`',
        )
    floats = convert(source, None, quantize=False, progress=progress)
    parts = split(floats.model, wanted.trainable)
    whole = wanted.trainable == ALL
    body = convert(parts.body.data, None if whole or not quantize else data, quantize=quantize and not whole)
    report = replace(
        body.report,
        source_kind=floats.report.source_kind,
        attempts=floats.report.attempts,
        notes=tuple(dict.fromkeys((*floats.report.notes, *body.report.notes))),
        warnings=tuple(dict.fromkeys((*floats.report.warnings, *body.report.warnings))),
    )
    return replace(body, name=floats.name, report=report), parts


def make_head(parts: Parts, body: Graph, settings: Settings) -> Head:
    """The network that takes what the body gives.

    Raises:
        TrainingError: it cannot be trained.
    """
    return _head(parts.head, body, settings, parts.names)


def _head(model: OpenedModel, body: Graph, settings: Settings, names: tuple[str, ...]) -> Head:
    output = body.tensor(body.outputs[0])
    scale, zero = 0.0, 0
    if output.dtype is DType.INT8:
        scale, zero = output.scale, output.zero_point
    elif output.dtype is not DType.FLOAT32:
        raise TrainingError(
            f"the body gives {output.dtype.value}, and what is trained takes int8 or float32",
            where="`trainable`",
            hint="Omit `activations`",
        )
    net = read_net(read_graph(model, body.name), settings, scale=scale, zero_point=zero, names=names)
    if net.inputs != output.elements:
        raise TrainingError(
            f"the trained layers take {net.inputs} values, and the body gives {output.elements}",
            where="`trainable`",
            hint="Generate the project again",
        )
    return Head(model, net)


def with_head(program: Program, head: Head | None) -> Program:
    """The program, with the RAM and flash of learning.

    Raises:
        TrainingError: it runs in another way than learning needs.
    """
    if head is None:
        return program
    if not isinstance(program, Plan):
        raise TrainingError(
            "learning runs compiled ahead of time only", where="`trainable`", hint='Omit `runtime="tflm"`'
        )
    if program.rows == "pushed":
        raise TrainingError(
            "learning takes the model's input as a whole", where="`trainable`", hint='Omit `rows="pushed"`'
        )
    return replace(program, train_bytes=make_train_plan(head.net).ram_bytes, head_bytes=head.net.head_bytes)


def head_files(head: Head | None) -> dict[str, str | bytes]:
    """What a project keeps of the layers that learn."""
    if head is None:
        return {}
    facts = {"schema": _SCHEMA, "layers": list(head.net.names), **head.net.settings.to_dict()}
    return {HEAD_FILE: head.model.data, TRAINING_FILE: json.dumps(facts, indent=1, sort_keys=True) + "\n"}


def open_head(folder: Path, body: Graph) -> Head:
    """The layers that learn of a project.

    Raises:
        ProjectError, ModelError, TrainingError: its files cannot be read, or do not go together.
    """
    path = folder / TRAINING_FILE
    again = "Generate the project again"
    try:
        facts = json.loads(path.read_bytes()[: _MOST_BYTES + 1])
        model = open_model((folder / HEAD_FILE).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ProjectError("cannot be read", where=str(path), hint=again) from error
    if not isinstance(facts, dict) or facts.pop("schema", None) != _SCHEMA:
        raise ProjectError(f"is not of the schema {_SCHEMA}", where=str(path), hint=again)
    layers = facts.pop("layers", None)
    if not isinstance(layers, list) or any(not isinstance(name, str) for name in layers):
        raise ProjectError("does not name the layers that learn", where=str(path), hint=again)
    return _head(model, body, read_settings(facts), tuple(layers))
