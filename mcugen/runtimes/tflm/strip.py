"""Takes out of a flatbuffer what a device never reads, and proves that nothing changed.

TFLM reads shapes, types, quantization, buffers, ops and their options. Names, signatures, descriptions, metadata (but
for the entries that TFLM looks for), recorded value ranges, empty buffers and unused operator codes are dead
weight in flash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcugen.errors import ModelError
from mcugen.oracle.inputs import make_inputs
from mcugen.oracle.oracle import Oracle
from mcugen.runtimes.tflm.view import View, read_view
from mcugen.tflite.fields import kind_of
from mcugen.tflite.opened import OpenedModel, open_model
from mcugen.tflite.schema import load_schema, pack_model
from mcugen.tflite.schema_types import ModelT, OperatorCodeT, TensorT, Text

_METADATA_READ = (b"OfflineMemoryAllocation", b"COMPRESSION_METADATA")
"""Metadata that TFLM looks for by name."""

PROOF_SAMPLES = 4


@dataclass(frozen=True)
class Stripped:
    """A model as it goes into the firmware. `saved` is in bytes; `proved` tells whether both forms were run."""

    opened: OpenedModel
    saved: int
    proved: bool

    @property
    def data(self) -> bytes:
        return self.opened.data


def strip_model(original: bytes | OpenedModel) -> bytes:
    """The model without what a device never reads.

    Raises:
        ModelError: the file is no model.
    """
    model = open_model(original).copy()
    model.description = None
    model.signatureDefs = None
    for subgraph in model.subgraphs:
        subgraph.name = None
        for tensor in subgraph.tensors:
            _strip_tensor(tensor)
        for op in subgraph.operators:
            op.mutatingVariableInputs = None
    model.metadata = [m for m in model.metadata or [] if _raw(m.name) in _METADATA_READ] or None
    model.metadataBuffer = None
    _drop_unused_codes(model)
    _drop_unused_buffers(model)
    return pack_model(model)


def prove_unchanged(
    original: bytes | OpenedModel, stripped: bytes | OpenedModel, *, samples: int = PROOF_SAMPLES
) -> None:
    """Run both forms in TFLM's own interpreter and compare every output byte; compare ops and their tensors.

    Raises:
        ModelError: they differ, or TFLM refuses the model.
        ToolError: the oracle is not installed.
    """
    forms = open_model(original), open_model(stripped)
    before, after = (read_view(form) for form in forms)
    if _structure(before) != _structure(after):
        raise ModelError("stripping changed the model's ops", hint="Pass `keep_names=True`, and report this as a bug")
    inputs = make_inputs(before.main, samples)
    with Oracle(forms[0].data) as one, Oracle(forms[1].data) as other:
        for sample in inputs:
            results = [[a.tobytes() for a in oracle.run(sample)] for oracle in (one, other)]
            if results[0] != results[1]:
                raise ModelError(
                    "stripping changed the model's outputs", hint="Pass `keep_names=True`, and report this as a bug"
                )


def strip_proved(original: bytes | OpenedModel, view: View) -> Stripped:
    """Strip a model and prove it; a model with custom ops of the user's own, which the host cannot run, stays as it is.

    Raises:
        ModelError, ToolError: see :func:`prove_unchanged`.
    """
    from mcugen.runtimes.tflm.resolver import registrations

    opened = open_model(original)
    if any(registration.is_users for registration in registrations(view)):
        return Stripped(opened, 0, False)
    stripped = open_model(strip_model(opened))
    prove_unchanged(opened, stripped)
    return Stripped(stripped, len(opened.data) - len(stripped.data), True)


def _strip_tensor(tensor: TensorT) -> None:
    tensor.name = None
    tensor.shapeSignature = None
    tensor.variantTensors = None
    quantization = tensor.quantization
    if quantization is None:
        return
    quantization.min = quantization.max = None
    if quantization.scale is None or len(quantization.scale) == 0:
        tensor.quantization = None


def _drop_unused_codes(model: ModelT) -> None:
    """Keep the operator codes in use, equal ones once."""
    kept: list[OperatorCodeT] = []
    place: dict[tuple[str, int], int] = {}
    for subgraph in model.subgraphs:
        for op in subgraph.operators:
            code = model.operatorCodes[op.opcodeIndex]
            key = (kind_of(model, op), code.version)
            if key not in place:
                place[key] = len(kept)
                kept.append(code)
            op.opcodeIndex = place[key]
    model.operatorCodes = kept


def _drop_unused_buffers(model: ModelT) -> None:
    """Keep the buffers that hold something, equal ones once; buffer 0 is the empty one, by convention."""
    kept = [load_schema().BufferT()]
    place: dict[bytes, int] = {}

    def moved(index: int) -> int:
        raw = model.buffers[index].data
        content = np.asarray(raw, dtype=np.uint8).tobytes() if raw is not None else b""
        if not content:
            return 0
        if content not in place:
            place[content] = len(kept)
            kept.append(model.buffers[index])
        return place[content]

    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            tensor.buffer = moved(tensor.buffer)
    for entry in model.metadata or []:
        entry.buffer = moved(entry.buffer)
    model.buffers = kept


def _structure(view: View) -> list[Any]:
    """What must be the same: ops, their tensors, types, shapes, quantization, constants."""
    return [
        (
            [(op.kind, op.inputs, op.outputs) for op in graph.ops],
            graph.inputs,
            graph.outputs,
            [
                (i, t.shape, t.dtype, t.quant, None if t.data is None else t.data.tobytes())
                for i, t in sorted(graph.tensors.items())
            ],
        )
        for graph in view.subgraphs
    ]


def _raw(text: Text) -> bytes:
    return text.encode() if isinstance(text, str) else (text or b"")
