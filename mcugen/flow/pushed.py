"""A project's firmware with the model that was sent to it in place of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mcugen.errors import ModelError, ProjectError
from mcugen.flow.model import Model, naming, source_name
from mcugen.flow.ready import Ready
from mcugen.flow.runtime import read_opened
from mcugen.graph.types import Graph
from mcugen.runtimes.tflm.program import TflmOptions, TflmProgram, make_program
from mcugen.tflite.opened import open_model


def with_pushed(ready: Ready, model: str | Path | None, port: str | None, tflm: str | None) -> Ready:
    """What a device runs to which `mcugen push` sent a model; `ready` itself without one.

    Args:
        model: the `.tflite` that was sent.

    Raises:
        ProjectError: nothing is connected, or the firmware takes no models.
        ModelError: not a model that this firmware takes.
    """
    if model is None:
        return ready
    program = ready.plan
    if port is None:
        raise ProjectError("`pushed` names what a connected device runs", hint="Pass its `port`")
    if not isinstance(program, TflmProgram) or program.slot_bytes == 0:
        raise ProjectError(
            "the firmware's model cannot be replaced, so none was sent to it",
            where="`pushed`",
            hint='Generate it with `runtime="tflm"` and `model_slot=BYTES`',
        )
    loaded = _read(Path(model))
    options = TflmOptions(tflm, program.names_kept, program.slot_bytes, program.arena_bytes, True)
    sent = make_program(loaded.opened, loaded.graph.name, ready.board, options, library=program.library)
    check_interface(loaded.graph, program.input_tensors(), program.output_tensors(), ready.project.folder.name)
    return replace(ready, model=loaded, plan=sent)


def _read(path: Path) -> Model:
    """A `.tflite` as it is, whatever its types are.

    Raises:
        ModelError: it cannot be read, or is no model.
    """
    try:
        opened = open_model(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}", where=str(path)) from error
    with naming(path):
        return Model(opened, read_opened(opened, path.stem, "tflm", trusted=True), source_name(path), True, None)


def check_interface(graph: Graph, inputs: Any, outputs: Any, where: str) -> None:
    """Refuse a model whose inputs or outputs are not those of a firmware; the device would do so as well.

    Args:
        inputs, outputs: of the firmware: whatever has `dtype` and `shape`.

    Raises:
        ModelError: names the first that differs.
    """
    for role, ids, tensors in (("input", graph.inputs, inputs), ("output", graph.outputs, outputs)):
        have = [(t.dtype, t.shape) for t in (graph.tensor(i) for i in ids)]
        want = [(info.dtype, info.shape) for info in tensors]
        if have != want:
            shown = " and ".join(f"{dtype.value}{list(shape)}" for dtype, shape in have)
            other = " and ".join(f"{dtype.value}{list(shape)}" for dtype, shape in want)
            raise ModelError(
                f"the model's {role} is {shown}, the firmware's {other}",
                where=where,
                hint="Only a model with the same inputs and outputs can take its place; generate a firmware for it",
            )
