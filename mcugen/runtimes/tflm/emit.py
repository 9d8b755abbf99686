"""Emits the model library of the TFLM runtime: the flatbuffer, the op resolver, and the calls of the interpreter."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mcugen import __version__
from mcugen.emit import c_text
from mcugen.emit.interface import banner, io_view
from mcugen.emit.style import Style
from mcugen.emit.templates import render
from mcugen.resources import resource_dir
from mcugen.runtimes.tflm.program import TflmProgram
from mcugen.runtimes.tflm.resolver import Registration


def emit_tflm(program: TflmProgram, *, labels: Sequence[str] = (), command: str = "") -> dict[str, str]:
    """The files of the model library, by path relative to its folder.

    Args:
        labels: class names, emitted as `mcg_model_labels`.
        command: shown in the banner.

    Raises:
        ModelError: an input or output of a type that the interface cannot carry.
    """
    view = _model_view(program, labels)
    values = {"banner": banner(program.graph.sha256, command), "model": view, **Style().view()}
    dynamic = {**values, "model": {**view, **_run_time_quantization(view)}} if program.slot_bytes else values
    files = {
        "mcg_model.h": render("tflm/mcg_model.h.j2", **dynamic),
        "mcg_model.cc": render("tflm/mcg_model.cc.j2", **values),
        "mcg_model_data.cc": render("tflm/mcg_model_data.cc.j2", **values),
    }
    if view["custom_ops"]:
        for name in ("mcg_custom_ops.h", "mcg_custom_ops.cc"):
            files[name] = render(f"tflm/{name}.j2", **values)
    firmware = resource_dir("firmware") / "tflm"
    if program.slot_bytes:
        files["mcg_sha256.h"] = (firmware / "mcg_sha256.h").read_text(encoding="utf-8")
    if program.store is not None:
        files["mcg_flash.h"] = (firmware / "mcg_flash.h").read_text(encoding="utf-8")
        files["mcg_flash.c"] = (firmware / "flash" / f"mcg_flash_{program.store.driver}.c").read_text(encoding="utf-8")
    return files


def _model_view(program: TflmProgram, labels: Sequence[str]) -> dict[str, Any]:
    """What the templates show of a program."""
    graph, flatbuffer = program.graph, program.flatbuffer
    dims: list[int] = []
    inputs = [io_view(n, t, dims) for n, t in enumerate(program.input_tensors())]
    outputs = [io_view(n, t, dims) for n, t in enumerate(program.output_tensors())]
    users = [registration for registration in program.registrations if registration.is_users]
    return {
        "comment_name": c_text.comment(graph.name),
        "string_name": c_text.string(graph.name),
        "generator": c_text.string(f"mcugen {__version__}"),
        "sha256_bytes": [str(b) for b in bytes.fromhex(graph.sha256)],
        "arena_bytes": program.arena_bytes,
        "sequences": program.graph.sequences,
        "macs": program.macs,
        "op_count": len(program.steps),
        "dims": dims or [0],
        "inputs": inputs,
        "outputs": outputs,
        "labels": [c_text.string(label) for label in labels],
        "flatbuffer_bytes": len(flatbuffer.data),
        "flatbuffer_sha256": hashlib.sha256(flatbuffer.data).hexdigest(),
        "flatbuffer_text": c_text.initializer(np.frombuffer(flatbuffer.data, np.uint8)),
        "saved": flatbuffer.saved,
        "slot_bytes": program.slot_bytes,
        "store": program.store,
        "resources": program.view.resources,
        "kernel_headers": sorted({r.int8.header for r in program.registrations if r.int8}),
        "registrations": [_registration_view(r, users) for r in program.registrations],
        "has_customs": any(r.custom_name for r in program.registrations),
        "custom_ops": [{"comment": c_text.comment(r.custom_name)} for r in users],
    }


def _registration_view(registration: Registration, users: Sequence[Registration]) -> dict[str, Any]:
    name = registration.custom_name
    call = f"{registration.method}()"
    int8 = registration.int8
    if registration.is_users:
        call = f"AddCustom({c_text.string(name)}, mcg_custom_op_{users.index(registration)}())"
    elif int8 is not None:
        call = f"{registration.method}(tflite::Register_{registration.kind}_INT8())"
    return {
        "kind": registration.kind,
        "call": call,
        "general_call": f"{registration.method}()",
        "guarded": int8 is not None and int8.needs_ndebug,
        "builtin": f"tflite::BuiltinOperator_{'CUSTOM' if name else registration.kind}",
        "custom": c_text.string(name) if name else "nullptr",
        "int8_mask": sum(1 << position for position in int8.int8_inputs) if int8 else 0,
    }


def _run_time_quantization(view: dict[str, Any]) -> dict[str, Any]:
    """Of a model that can be replaced, scales and zero points are only known at run time."""

    def asked(role: str) -> list[dict[str, Any]]:
        where = f"mcg_model_get_info()->{role}"
        return [
            {**t, "scale": f"{where}[{n}].scale", "zero_point": f"{where}[{n}].zero_point"}
            for n, t in enumerate(view[role])
        ]

    return {"inputs": asked("inputs"), "outputs": asked("outputs")}
