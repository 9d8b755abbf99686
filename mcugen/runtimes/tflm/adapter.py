"""Users' kernels (docs/CUSTOM_OPS.md) within TensorFlow Lite Micro: each use of an op gets its parameters, in C."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.emit import c_text
from mcugen.errors import UnsupportedOpError
from mcugen.graph.types import Graph, Op
from mcugen.ops.base import KernelCall, ParamValue, Target
from mcugen.ops.custom import find
from mcugen.resources import kernel_headers
from mcugen.runtimes.tflm.view import View

_CTYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "int32": "int32_t", "float32": "float"}


@dataclass(frozen=True, eq=False)
class Adapter:
    """A user's op with the calls of its kernel, one for each use in the model, in order."""

    kind: str
    calls: tuple[KernelCall, ...]

    @property
    def header(self) -> str:
        return f"{self.calls[0].kernel}.h"


def adapters(view: View) -> Mapping[str, Adapter]:
    """The users' ops of a model whose kernels are in use, by kind.

    Raises:
        UnsupportedOpError: the op's Python file refuses a use.
    """
    calls: dict[str, list[KernelCall]] = {}
    for graph, op in view.ops():
        own = find(op.kind)
        if own is not None:
            _check(graph, op)
            calls.setdefault(op.kind, []).extend(own.spec.lower(graph, op, Target()).calls)
    return {kind: Adapter(kind, tuple(made)) for kind, made in calls.items()}


def kernel_files(found: Mapping[str, Adapter]) -> dict[str, str]:
    """The kernels and the headers that they include, by file name."""
    own = {adapter.header: adapter.calls[0].source for adapter in found.values()}
    files: dict[str, str] = {}
    pending = list(own)
    while pending:
        header = pending.pop()
        if header not in files:
            files[header] = (
                _guarded(header, own[header]) if header in own else kernel_headers()[header].read_text("utf-8")
            )
            pending += re.findall(r'#include "(\w+\.h)"', files[header])
    return dict(sorted(files.items()))


def adapter_view(adapter: Adapter) -> dict[str, Any]:
    """What the templates show of it."""
    first = adapter.calls[0]
    return {
        "kernel": first.kernel,
        "header": adapter.header,
        "most_inputs": max(1, *(len(call.inputs) for call in adapter.calls)),
        "most_outputs": max(1, *(len(call.outputs) for call in adapter.calls)),
        "uses": [_use_view(number, call) for number, call in enumerate(adapter.calls)],
    }


def _check(graph: Graph, op: Op) -> None:
    own = find(op.kind)
    assert own is not None
    for constraint in own.spec.constraints:
        refused = constraint(graph, op)
        if refused is not None:
            raise UnsupportedOpError(refused, where=op.where, hint="Its Python file says what it takes")


def _use_view(number: int, call: KernelCall) -> dict[str, Any]:
    constants = [_constant_view(number, place, c.values) for place, c in enumerate(call.constants)]
    pointers = [f"in[{n}]" for n in range(len(call.inputs))] + [c["name"] for c in constants]
    pointers += [f"out[{n}]" for n in range(len(call.outputs))] + ["scratch"] * (call.scratch_bytes > 0)
    return {
        "inputs": len(call.inputs),
        "outputs": len(call.outputs),
        "scratch_bytes": call.scratch_bytes,
        "params": ", ".join(_param(value) for _, value in call.params),
        "constants": constants,
        "pointers": ", ".join(pointers),
    }


def _constant_view(number: int, place: int, data: NDArray[Any]) -> dict[str, str]:
    return {
        "name": f"mcg_custom_constant_{number}_{place}",
        "ctype": _CTYPES[data.dtype.name if data.dtype != np.bool_ else "uint8"],
        "text": c_text.initializer(data),
    }


def _param(value: ParamValue) -> str:
    if isinstance(value, tuple):
        return "{" + ", ".join(_param(v) for v in value) + "}"
    return c_text.float_literal(value) if isinstance(value, float) else c_text.int_literal(int(value))


def _guarded(header: str, source: str) -> str:
    """A kernel as a header that may be included twice."""
    guard = re.sub(r"\W", "_", header).upper()
    return f"#ifndef {guard}\n#define {guard}\n\n{source.rstrip()}\n\n#endif\n"
