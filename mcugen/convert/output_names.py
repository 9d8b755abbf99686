"""Outputs called as people know them: converters name them after themselves ("Identity_1", "PartitionedCall:1")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcugen.tflite import fields as flat
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import pack_model, printable
from mcugen.tflite.schema_types import ModelT

NamedShape = tuple[str, Sequence[int | None]]
"""An output's name and shape as its framework has them; its batch, and what is open, is None or whatever."""


def with_output_names(tflite: bytes, outputs: Sequence[NamedShape]) -> bytes:
    """The model with these names of its outputs, in their order. As it is where they are not those of its outputs."""
    model = open_model(tflite).copy()
    main = model.subgraphs[0]
    found = flat.ints(main.outputs)
    if len(found) != len(outputs) or not all(
        _same_shape(flat.shape_of(main.tensors[i]), shape) for i, (_, shape) in zip(found, outputs, strict=True)
    ):
        return tflite
    taken = {flat.name_of(tensor, i) for i, tensor in enumerate(main.tensors)}
    for position, (i, (name, _)) in enumerate(zip(found, outputs, strict=True)):
        if name and name not in taken and i not in (*flat.ints(main.inputs), *found[:position]):
            main.tensors[i].name = name
            taken.add(name)
    return pack_model(model)


def _same_shape(shape: Sequence[int], named: Sequence[int | None]) -> bool:
    if len(shape) != len(named):
        return False
    return all(wanted in (None, size) for size, wanted in zip(shape[1:], named[1:], strict=True))


def names_of_signature(model: ModelT) -> Mapping[int, str]:
    """What the file's only signature calls inputs and outputs, by tensor; empty where it has none or several."""
    signatures = list(model.signatureDefs or [])
    if len(signatures) != 1:
        return {}
    entries = [*(signatures[0].inputs or []), *(signatures[0].outputs or [])]
    return {entry.tensorIndex: printable(entry.name) for entry in entries}
