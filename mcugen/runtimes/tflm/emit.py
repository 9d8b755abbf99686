"""Emits the model library of the TFLM runtime: the flatbuffer, the op resolver, and the calls of the interpreter."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mcugen import __version__
from mcugen.emit import c_text
from mcugen.emit.interface import banner, detections_view, io_view
from mcugen.emit.style import Style
from mcugen.emit.templates import render
from mcugen.resources import resource_dir
from mcugen.runtimes.tflm.adapter import Adapter, adapter_view, kernel_files
from mcugen.runtimes.tflm.program import PLAIN_FILE, TflmProgram
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
    firmware = resource_dir("firmware") / "tflm"
    files = {
        "mcg_model.h": render("tflm/mcg_model.h.j2", **dynamic),
        "mcg_model_data.cc": render("tflm/mcg_model_data.cc.j2", **values),
    }
    if program.plain:
        files["mcg_model.cc"] = render("tflm/mcg_plain.cc.j2", **values)
        files["mcg_interpreter.h"] = render("tflm/mcg_interpreter.h.j2", **values)
        files[PLAIN_FILE] = render(f"tflm/{PLAIN_FILE}.j2", **values)
    else:
        files["mcg_model.cc"] = render("tflm/mcg_model.cc.j2", **values)
        files["mcg_guard.h"] = (firmware / "mcg_guard.h").read_text(encoding="utf-8")
    if view["custom_ops"]:
        for name in ("mcg_custom_ops.h", "mcg_custom_ops.cc"):
            files[name] = render(f"tflm/{name}.j2", **values)
        for number, op in enumerate(view["custom_ops"]):
            if op["adapter"]:
                template = "tflm/mcg_custom_kernel.c.j2"
                files[f"mcg_custom_kernel_{number}.c"] = render(template, **values, op=op, number=number)
        files |= {f"kernels/{name}": text for name, text in kernel_files(program.adapters).items()}
    if program.slot_bytes:
        files["mcg_sha256.h"] = (firmware / "mcg_sha256.h").read_text(encoding="utf-8")
    if program.store is not None:
        flash = resource_dir("firmware") / "flash"
        files["mcg_flash.h"] = (flash / "mcg_flash.h").read_text(encoding="utf-8")
        files["mcg_flash.c"] = (flash / f"mcg_flash_{program.store.driver}.c").read_text(encoding="utf-8")
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
        "detections": detections_view(graph),
        "flatbuffer_bytes": len(flatbuffer.data),
        "flatbuffer_sha256": hashlib.sha256(flatbuffer.data).hexdigest(),
        "flatbuffer_text": c_text.initializer(np.frombuffer(flatbuffer.data, np.uint8)),
        "saved": flatbuffer.saved,
        "slot_bytes": program.slot_bytes,
        "store": program.store,
        "resources": program.view.resources,
        "kernel_headers": sorted({r.only.header for r in program.registrations if r.only}),
        "registrations": [_registration_view(r, users) for r in program.registrations],
        "has_customs": any(r.custom_name for r in program.registrations),
        "custom_ops": [_custom_view(number, r, program.adapters.get(r.kind)) for number, r in enumerate(users)],
        "adapters": bool(program.adapters),
        "stubs": any(r.kind not in program.adapters for r in users),
    }


def _custom_view(number: int, registration: Registration, adapter: Adapter | None) -> dict[str, Any]:
    return {
        "number": number,
        "comment": c_text.comment(registration.custom_name),
        "string": c_text.string(registration.custom_name),
        "adapter": adapter_view(adapter) if adapter is not None else None,
    }


def _registration_view(registration: Registration, users: Sequence[Registration]) -> dict[str, Any]:
    name = registration.custom_name
    call = f"{registration.method}()"
    only = registration.only
    if registration.is_users:
        call = f"AddCustom({c_text.string(name)}, mcg_custom_op_{users.index(registration)}())"
    elif only is not None:
        call = f"{registration.method}(tflite::Register_{registration.kind}{only.suffix}())"
    return {
        "kind": registration.kind,
        "call": call,
        "general_call": f"{registration.method}()",
        "guarded": only is not None and only.needs_ndebug,
        "builtin": f"tflite::BuiltinOperator_{'CUSTOM' if name else registration.kind}",
        "custom": c_text.string(name) if name else "nullptr",
        "typed_mask": sum(1 << position for position in only.inputs) if only else 0,
        "int8_mask": 1 << only.weights if only and only.weights >= 0 else 0,
        "type": f"tflite::TensorType_{only.dtype.name}" if only else "",
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
