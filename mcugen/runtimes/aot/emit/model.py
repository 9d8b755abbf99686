"""Emits the model library: `mcg_model.h`, `mcg_model.c` and the kernel headers it uses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen import __version__
from mcugen.emit import c_text
from mcugen.emit.interface import _CTYPES, banner, detections_view, io_view
from mcugen.emit.style import Style
from mcugen.emit.templates import render
from mcugen.graph.types import Tensor
from mcugen.ops.base import KernelCall, ParamValue
from mcugen.ops.common import describe
from mcugen.resources import kernel_headers
from mcugen.runtimes.aot.emit.chains import Address, find_chains, join_rounds, order
from mcugen.runtimes.aot.emit.control import control_lines
from mcugen.runtimes.aot.emit.memories import Marks, mark_of, marks_of, memories_view
from mcugen.runtimes.aot.emit.rows import order_view, output_ring, row_expression, rows_view, stripes_view
from mcugen.runtimes.aot.emit.sharing import Place, SharedFunction, shared_functions
from mcugen.runtimes.aot.plan.types import SHARED_FROM, Plan, Step

_FIRMWARE = Style()

CONSTANT_PREFIX = "mcg_const_"
"""Every array of weights in the emitted C has a name that starts so; the size report tells them by it."""


def runtime_version() -> int:
    """The kernels' version, as `mcg_common.h` states it."""
    text = kernel_headers()["mcg_common.h"].read_text()
    found = re.search(r"#define MCG_RUNTIME_VERSION (\d+)", text)
    if found is None:
        raise AssertionError("mcg_common.h does not define MCG_RUNTIME_VERSION")
    return int(found.group(1))


def emit_model(
    plan: Plan, *, labels: Sequence[str] = (), command: str = "", style: Style = _FIRMWARE
) -> dict[str, str]:
    """The files of the model library, by path relative to its folder.

    Args:
        plan: a verified plan.
        labels: class names, emitted as `mcg_model_labels`.
        command: shown in the banner.
        style: how the library is called, and where its arena is.

    Raises:
        ModelError: an input or output of a type that the interface cannot carry.
    """
    view = _model_view(plan, labels, style)
    values = {"banner": banner(plan.graph.sha256, command), "model": view, **style.view()}
    files = {
        f"{style.name}.h": render("aot/mcg_model.h.j2", **values),
        f"{style.name}.c": render("aot/mcg_model.c.j2", **values),
    }
    own = {f"{call.kernel}.h": call.source for step in plan.steps for call in step.all_calls() if call.source}
    return {**files, **{f"kernels/{header}": text for header, text in _with_includes(view["headers"], own).items()}}


def _with_includes(headers: Sequence[str], own: Mapping[str, str]) -> dict[str, str]:
    """The headers and those that they include, in alphabetical order; `own` are the user's, by name."""
    found: dict[str, str] = {}
    pending = list(headers)
    while pending:
        header = pending.pop()
        if header in found:
            continue
        text = _guarded(header, own[header]) if header in own else kernel_headers()[header].read_text()
        found[header] = text
        pending += re.findall(r'#include "(\w+\.h)"', text)
    return dict(sorted(found.items()))


def _guarded(header: str, source: str) -> str:
    """A user's kernel as a header that may be included twice."""
    guard = re.sub(r"\W", "_", header).upper()
    end = "" if source.endswith("\n") else "\n"
    return f"#ifndef {guard}\n#define {guard}\n\n{source}{end}\n#endif\n"


def _model_view(plan: Plan, labels: Sequence[str], style: Style) -> dict[str, Any]:
    """What the templates show of a plan."""
    dims: list[int] = []
    graph = plan.graph
    inputs = [io_view(n, t, dims) for n, t in enumerate(plan.input_tensors())]
    outputs = [io_view(n, t, dims) for n, t in enumerate(plan.output_tensors())]
    calls = [call for step in plan.steps for call in step.all_calls()]
    kernels = {call.kernel for call in calls}
    if all(call.source for call in calls):
        kernels.add("mcg_common")  # which the others include
    chains = [] if plan.pipelines else find_chains(plan)
    shared = shared_functions(plan, chains)
    shared_by = {place: function for function in shared for place in function.places}
    functions: list[dict[str, Any]] = []
    known: Known = {}
    marks = marks_of(plan)
    scopes = [_Scope(str(n), 0, n, style, marks, step.stripes is not None) for n, step in enumerate(plan.steps)]
    steps = [
        _step_view(plan, step, scope, shared_by, functions, known)
        for step, scope in zip(plan.steps, scopes, strict=True)
    ]
    join_rounds(functions, steps, chains)
    return {
        "comment_name": c_text.comment(graph.name),
        "string_name": c_text.string(graph.name),
        "generator": c_text.string(f"mcugen {__version__}"),
        "sha256_bytes": [str(b) for b in bytes.fromhex(graph.sha256)],
        "runtime_version": runtime_version(),
        "headers": sorted(f"{kernel}.h" for kernel in kernels),
        "arena_bytes": plan.arena_bytes,
        **memories_view(plan),
        "overlaid": _has_overlays(plan),
        "macs": plan.macs,
        "op_count": len(plan.steps),
        "shared": [_shared_view(plan, function) for function in shared],
        "params": _join_params(functions),
        "functions": functions,
        "steps": steps,
        "order": order_view(plan) if plan.pipelines else order(steps, chains),
        "rows": rows_view(plan) if plan.pipelines else None,
        "sequences": graph.sequences,
        "states": [_state_view(number, plan, tensor) for number, tensor in enumerate(graph.states)],
        "dims": dims or [0],
        "inputs": inputs,
        "outputs": outputs,
        "input_addresses": [f"{plan.addresses[i]}u" for i in graph.inputs],
        "output_addresses": [f"{plan.addresses[i]}u" for i in graph.outputs],
        "front": plan.front,
        "labels": [c_text.string(label) for label in labels],
        "detections": detections_view(graph),
    }


def _has_overlays(plan: Plan) -> bool:
    """Whether an output lies over an input that is still read while it is written."""
    return any(_has_overlays(nested) for step in plan.steps for nested in step.plans) or any(
        a.last == b.first and a.offset < b.offset + b.size and b.offset < a.offset + a.size
        for a in plan.buffers
        for b in plan.buffers
        if a is not b
    )


def _shared_view(plan: Plan, function: SharedFunction) -> dict[str, Any]:
    """A function that several calls share: the kernel's call with what they have in common filled in."""
    step, position = function.places[0]
    call = plan.steps[step].calls[position]
    arguments = [(f"const {_ctype(plan, i)} *", f"input{n}") for n, i in enumerate(call.inputs)]
    arguments += [(f"const {_CTYPES[c.values.dtype]} *", c.role) for c in call.constants]
    arguments += [(f"{_ctype(plan, i)} *", f"output{n}") for n, i in enumerate(call.outputs)]
    if call.scratch_bytes:
        arguments.append(("void *", "scratch"))
    declared = [f"{kind}{name}" for kind, name in arguments]
    if function.varying:
        declared.insert(0, f"const {function.name}_values *v")
    return {
        "name": function.name,
        "kernel": function.kernel,
        "ops": ", ".join(str(number) for number in dict.fromkeys(number for number, _ in function.places)),
        "fields": [_field(name, value) for name, value in call.params if name in function.varying],
        "params": [
            (name, _param(function.common[name]) if name in function.common else _varying(name, value))
            for name, value in call.params
        ],
        "declared": declared,
        "arguments": ["&p", *(name for _, name in arguments)],
    }


def _ctype(plan: Plan, tensor: int) -> str:
    return _CTYPES[plan.graph.tensor(tensor).dtype.numpy]


def _field(name: str, value: ParamValue) -> str:
    """Declaration of a parameter in a struct."""
    items = value if isinstance(value, tuple) else (value,)
    ctype = "float" if isinstance(items[0], float) else "int32_t"
    return f"{ctype} {name}[{len(items)}]" if isinstance(value, tuple) else f"{ctype} {name}"


def _varying(name: str, value: ParamValue) -> str:
    """A parameter as a shared function reads it from its caller's values."""
    if isinstance(value, tuple):
        return "{" + ", ".join(f"v->{name}[{n}]" for n in range(len(value))) + "}"
    return f"v->{name}"


@dataclass(frozen=True)
class _Scope:
    """Where a step stands: its name in C, where its plan's addresses count from, its number in that plan."""

    label: str
    base: int
    number: int
    style: Style
    marks: Marks
    striped: bool = False


Known = dict[tuple[str, int, str], str]
"""Arrays that were emitted already, by type, length and content: their names."""


def _step_view(
    plan: Plan,
    step: Step,
    scope: _Scope,
    shared: Mapping[Place, SharedFunction],
    functions: list[dict[str, Any]],
    known: Known,
) -> dict[str, Any]:
    """What the templates show of a step; appended to `functions`, after those that it calls.

    `known` holds what those before it brought along, which is emitted once.
    """
    graph, op = plan.graph, step.op
    output = graph.output_of(op)
    facts = [_tensor_fact("in ", plan, graph.tensor(i), scope.base) for i in op.inputs if i >= 0]
    facts += [_tensor_fact("out", plan, graph.tensor(i), scope.base) for i in op.outputs]
    facts.append(f"{step.macs} MACs, kernel {step.kernels or 'none'} ({step.variant or 'portable'})")
    constants: list[dict[str, Any]] = []
    calls = [
        _call_view(plan, scope, n, call, constants, shared.get((scope.number, n)), known)
        for n, call in enumerate(step.calls)
    ]
    view = {
        "number": scope.label,
        "kind": c_text.comment(op.kind),
        "name": c_text.comment(op.name),
        "facts": facts,
        "constants": constants,
        "rounds": 0,
        "tables": [],
        "calls": calls,
        "stripes": stripes_view(step, calls) if step.stripes else None,
        "control": _control(plan, step, scope, constants, functions, known) if step.plans else [],
        "output_address": plan.addresses[output.id] + scope.base,
        "output_bytes": output.nbytes,
        "ring": output_ring(plan, scope.number) if scope.striped else None,
    }
    functions.append(view)
    return view


def _control(
    plan: Plan,
    step: Step,
    scope: _Scope,
    constants: list[dict[str, Any]],
    functions: list[dict[str, Any]],
    known: Known,
) -> list[str]:
    """The body of an IF or WHILE; the functions of the graphs that it runs are appended to `functions`."""
    inner_base = scope.base + plan.scratch.get(scope.number, 0)
    called = []
    for part, nested in enumerate(step.plans):
        views = [
            _step_view(
                nested,
                inner,
                _Scope(f"{scope.label}_{part}_{number}", inner_base, number, scope.style, scope.marks),
                {},
                functions,
                known,
            )
            for number, inner in enumerate(nested.steps)
        ]
        argument = scope.style.view()["style"]["op_argument"]
        called.append([f"mcg_op_{view['number']}({argument})" for view in views])

    def add_constant(owner: Plan, tensor: int) -> str:
        data = owner.graph.tensor(tensor).data
        assert data is not None
        role, note = f"value{len(constants)}", describe(owner.graph.tensor(tensor))
        values = np.ascontiguousarray(data)
        return _add_constant(constants, scope.label, role, values, note, known, mark_of(scope.marks, values))

    return control_lines(plan, step, scope.base, inner_base, called, add_constant)


def _state_view(number: int, plan: Plan, tensor: Tensor) -> dict[str, Any]:
    """What the templates show of a state: filled with one byte, or copied from an array."""
    assert tensor.initial is not None
    raw = np.frombuffer(tensor.initial.tobytes(), np.uint8)
    fill = len(set(raw.tolist())) < 2
    constants: list[dict[str, Any]] = []
    if not fill:
        _add_constant(constants, "state", str(number), np.ascontiguousarray(tensor.initial), describe(tensor), {})
    return {
        "address": plan.addresses[tensor.id],
        "bytes": tensor.nbytes,
        "fill": int(raw[0]) if fill and len(raw) else 0,
        "constants": constants,
        "name": c_text.comment(tensor.name),
    }


def _tensor_fact(role: str, plan: Plan, tensor: Tensor, base: int) -> str:
    place = "constant" if tensor.is_const else f"arena + {plan.addresses[tensor.id] + base}"
    if tensor.is_state:
        place = f"state, {place}"
    quant = ""
    if tensor.quant is not None and not tensor.quant.per_channel:
        quant = f", scale {tensor.scale:.6g}, zero point {tensor.zero_point}"
    elif tensor.quant is not None:
        quant = ", one scale per channel"
    return f'{role} {describe(tensor)} "{c_text.comment(tensor.name)}", {place}{quant}'


def _add_constant(
    constants: list[dict[str, Any]],
    label: str,
    role: str,
    values: NDArray[Any],
    note: str,
    known: Known,
    mark: str = "",
) -> str:
    """Append an array to those of a step, unless an equal one is `known`; its name in C. `mark` says where it lies."""
    ctype, length = _CTYPES[values.dtype], max(values.size, 1)
    text = c_text.initializer(values) if values.size else "    0"
    name = f"{CONSTANT_PREFIX}{label}_{role}"
    if values.nbytes >= SHARED_FROM:
        equal = known.setdefault((ctype, length, text), name)
        if equal != name:
            return equal
    constants.append(
        {"name": name, "ctype": ctype, "length": length, "text": text, "note": c_text.comment(note), "mark": mark}
    )
    return name


def _call_view(
    plan: Plan,
    scope: _Scope,
    call_number: int,
    call: KernelCall,
    constants: list[dict[str, Any]],
    shared: SharedFunction | None,
    known: Known,
) -> dict[str, Any]:
    suffix = f"_{call_number}" if call_number else ""
    params = [(name, value) for name, value in call.params if shared is None or name in shared.varying]
    arguments: list[object] = []

    def add_constant(role: str, values: NDArray[Any], note: str) -> str:
        label = f"{scope.label}{suffix}"
        return _add_constant(constants, label, role, values, note, known, mark_of(scope.marks, values))

    for position, i in enumerate(call.inputs):
        tensor = plan.graph.tensor(i)
        offset = call.input_offset if position == 0 else 0
        if tensor.data is not None:
            name = add_constant(f"input{position}", np.ascontiguousarray(tensor.data), describe(tensor))
            arguments.append(f"{name} + {offset // tensor.dtype.itemsize}" if offset else name)
        else:
            pointer = f"const {_CTYPES[tensor.dtype.numpy]} *"
            arguments.append(_address(plan, scope, pointer, i, offset, made=False))
    for constant in call.constants:
        arguments.append(add_constant(constant.role, constant.values, constant.note))
    for position, i in enumerate(call.outputs):
        tensor = plan.graph.tensor(i)
        offset = call.output_offset if position == 0 else 0
        pointer = f"{_CTYPES[tensor.dtype.numpy]} *"
        arguments.append(_address(plan, scope, pointer, i, offset, made=True))
    if call.scratch_bytes:
        arguments.append(Address("", plan.scratch[scope.number] + scope.base))
    return {
        "function": shared.name if shared else call.kernel,
        "params_type": f"{shared.name}_values" if shared else f"{call.kernel}_params",
        "params": [(name, _param(value)) for name, value in params],
        "params_name": f"p{call_number}",
        "params_ops": "",
        "arguments": arguments,
    }


def _address(plan: Plan, scope: _Scope, pointer: str, tensor: int, offset: int, *, made: bool) -> Address | str:
    """Where a tensor begins, or the rows that a stripe makes or takes."""
    if not scope.striped:
        return Address(pointer, plan.addresses[tensor] + scope.base + offset)
    row = row_expression(plan, scope.number, tensor, made=made)
    elements = offset // plan.graph.tensor(tensor).dtype.itemsize
    return f"({pointer}){row} + {elements}" if offset else f"({pointer}){row}"


def _join_params(steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give calls with equal parameters one struct, and every call its pointer; the structs that are for several."""
    by_run = [view["call"] for step in steps if (view := step["stripes"]) and view.get("values")]
    for call in by_run:
        call["arguments"].insert(0, "&p[run]")
    alike = [step["number"] for step in steps if step["stripes"] and step["stripes"].get("values")]
    calls = [
        (step["number"], call)
        for step in steps
        for call in step["calls"]
        if call["params"] and step["number"] not in alike
    ]
    equal: dict[object, list[tuple[int, dict[str, Any]]]] = {}
    for number, call in calls:
        equal.setdefault((call["params_type"], tuple(call["params"])), []).append((number, call))
    joined: list[dict[str, Any]] = []
    for users in equal.values():
        numbers = list(dict.fromkeys(number for number, _ in users))
        if len(numbers) > 1:
            for _, call in users:
                call["params_name"] = f"mcg_params_{len(joined)}"
                call["params_ops"] = ", ".join(str(number) for number in numbers)
            joined.append(users[0][1])
    for _, call in calls:
        call["arguments"].insert(0, f"&{call['params_name']}")
    return joined


def _param(value: ParamValue) -> str:
    if isinstance(value, tuple):
        return "{" + ", ".join(_param(v) for v in value) + "}"
    if isinstance(value, float):
        return c_text.float_literal(value)
    return c_text.int_literal(int(value))
