"""What needs PyTorch: from an exported program to a float32 `.tflite`, with litert-torch. Runs in the worker."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from mcugen.convert.reference import Slot, drawn_inputs, write_reference
from mcugen.errors import ConversionError
from mcugen.guard.torch_archive import check_archive

_HINT = "Export it for inference, with a fixed input shape: torch.export.export(model.eval(), (x,))"
# Where these operators of ATen say that they run as in training.
_TRAINING_ARGUMENT = {"aten::dropout": 2, "aten::batch_norm": 5, "aten::alpha_dropout": 2, "aten::feature_dropout": 2}


def convert_program(path: Path, folder: Path) -> dict[str, Any]:
    """Convert a `.pt2` file: `float.tflite` in `folder`, and in `reference.npz` what PyTorch computes.

    Returns:
        `inputs` and `outputs`: pairs of a tensor's name in the `.tflite` and its name in PyTorch, in PyTorch's order.

    Raises:
        ModelError: the file would run code, or is damaged.
        ConversionError: exported for training, or with a shape that is not fixed.
        Exception: whatever PyTorch and litert-torch raise.
    """
    check_archive(path)
    import litert_torch
    import torch

    # The loader resorts to pickles that may run code.
    load = torch.load
    torch.load = lambda *args, **options: load(*args, **{**options, "weights_only": True})
    program = torch.export.load(io.BytesIO(path.read_bytes()))
    _refuse_training(program)
    slots = _inputs(program)
    module = _flat(program)
    samples = drawn_inputs(slots)
    with torch.no_grad():
        example = tuple(torch.from_numpy(a[0]) for a in samples)
        litert_torch.convert(module, example).export(str(folder / "float.tflite"))
        results = [module(*(torch.from_numpy(a[n]) for a in samples)) for n in range(len(samples[0]))]
    write_reference(folder, samples, [np.stack([np.asarray(t) for t in one]) for one in zip(*results, strict=True)])
    return {
        "inputs": [(f"serving_default_args_{n}", slot.name) for n, slot in enumerate(slots)],
        "outputs": [
            (f"serving_default_output_{n}_output", str(name))
            for n, name in enumerate(program.graph_signature.user_outputs)
        ],
    }


def _refuse_training(program: Any) -> None:
    for node in program.graph.nodes:
        schema = getattr(node.target, "_schema", None)
        position = _TRAINING_ARGUMENT.get(schema.name) if schema is not None else None
        if position is not None and len(node.args) > position and node.args[position] is True:
            raise ConversionError("the program was exported as it is trained", where=f'"{node.name}"', hint=_HINT)


def _inputs(program: Any) -> list[Slot]:
    """The program's inputs, an open batch set to 1."""
    named = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
    slots = []
    for name in program.graph_signature.user_inputs:
        value = named.get(name)
        where = f'input "{name}"'
        if value is None or not hasattr(value, "shape"):
            raise ConversionError("is no tensor", where=where, hint=_HINT)
        shape = [d if isinstance(d, int) else None for d in value.shape]
        if None in shape[1:]:
            raise ConversionError(
                f"has the shape {shape}: only the batch (the first dimension) may be left open", where=where, hint=_HINT
            )
        fixed = tuple(1 if d is None else d for d in shape)
        slots.append(Slot(name, fixed, str(value.dtype).removeprefix("torch.")))
    return slots


def _flat(program: Any) -> Any:
    """The program as a module with a plain list of inputs and outputs, whatever structures it takes."""
    import torch
    from torch.utils import _pytree

    class Flat(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.program = program.module()

        def forward(self, *values: Any) -> tuple[Any, ...]:
            args, options = _pytree.tree_unflatten(values, program.call_spec.in_spec)
            return tuple(_pytree.tree_leaves(self.program(*args, **options)))

    return Flat()
