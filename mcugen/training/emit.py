"""Writes a network that is trained as C: `mcg_model_train.h` and `.c` beside the model's own files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mcugen.emit import c_text
from mcugen.emit.interface import banner
from mcugen.emit.style import FIRMWARE_NAME
from mcugen.emit.templates import render
from mcugen.resources import resource_dir
from mcugen.training.plan import TrainPlan, make_train_plan
from mcugen.training.types import Net, Node, Window

_HEADERS = {
    "dense": "mcg_train_dense.h",
    "conv_2d": "mcg_train_conv_2d.h",
    "depthwise": "mcg_train_depthwise.h",
    "average_pool": "mcg_train_average_pool.h",
    "max_pool": "mcg_train_max_pool.h",
    "add": "mcg_train_activation.h",
}
_WHAT = {"softmax": "Probabilities", "sigmoid": "Probabilities", "mse": "Outputs"}


def emit_training(net: Net, *, sha256: str, model: str, name: str = FIRMWARE_NAME, command: str = "") -> dict[str, str]:
    """The files, by path relative to the model library's folder.

    Args:
        sha256, model: of the body, for the banner and for people.
        name: prefix of the model's functions.
        command: shown in the banner.
    """
    plan = make_train_plan(net)
    settings = net.settings
    momentum = settings.momentum > 0
    adam = settings.optimizer == "adam"
    headers = {
        "mcg_train_loss.h",
        "mcg_train_adam.h" if adam else "mcg_train_sgd.h",
        *(_HEADERS[node.kind] for node in net.nodes),
    }
    if any(node.activation != "none" for node in net.nodes):
        headers.add("mcg_train_activation.h")
    view = {
        "comment_name": c_text.comment(model),
        "layers": c_text.comment(", ".join(net.names) or f"{len(net.nodes)} layers"),
        "order": c_text.comment(_order(net)),
        "parameters": net.parameters,
        "outputs": net.outputs,
        "head_bytes": net.head_bytes,
        "fingerprint": f"{net.fingerprint:08x}",
        "ram_bytes": plan.ram_bytes,
        "loss": net.loss,
        "what": _WHAT[net.loss],
        "rate": c_text.float_literal(settings.rate),
        "momentum": momentum,
        "adam": adam,
        "batch": settings.batch,
        "initial": c_text.initializer(net.initial),
        "arena": plan.arena,
        "arena_comment": "Activations that wait for the backward pass, and gradients. Addresses were fixed and checked"
        " when this file was generated.",
        "output_at": plan.values[net.output],
        "outputs_at": plan.outputs,
        "target_at": plan.gradients[net.output],
        "update_all": _update(net, 0, "gradient", "PARAMETERS"),
    }
    shown = {
        "banner": banner(sha256, command),
        "name": name,
        "NAME": name.upper(),
        "headers": sorted(headers),
        "net": view,
        "windows": [_window_view(f"window{n}", node) for n, node in enumerate(net.nodes) if node.window is not None],
        "forward": _forward(net, plan, name),
        "backward": _backward(net, plan),
    }
    return {
        f"{name}_train.h": render("training/mcg_train.h.j2", **shown),
        f"{name}_train.c": render("training/mcg_train.c.j2", **shown),
        **{f"kernels/{header}": text for header, text in _with_includes(headers).items()},
    }


def train_headers() -> Mapping[str, Path]:
    """The headers of firmware/train by their file names, in alphabetical order."""
    found = sorted((resource_dir("firmware") / "train").glob("*.h"))
    return MappingProxyType({path.name: path for path in found})


def _with_includes(headers: set[str]) -> dict[str, str]:
    known, pending, found = train_headers(), sorted(headers), dict[str, str]()
    while pending:
        header = pending.pop()
        if header not in found:
            found[header] = known[header].read_text(encoding="utf-8")
            pending += re.findall(r'#include "(\w+\.h)"', found[header])
    return dict(sorted(found.items()))


def _order(net: Net) -> str:
    return ", ".join(f"{node.kind} {list(node.shape)} + {node.biases}" for node in net.nodes if node.parameters)


def _window_view(name: str, node: Node) -> dict[str, str]:
    window: Window = node.window  # type: ignore[assignment]
    view = {field: ", ".join(map(str, getattr(window, field))) for field in vars(window)}
    return {"name": name, "comment": c_text.comment(f"{node.kind} {node.name}"), **view}


def _at(array: str, offset: int) -> str:
    return f"{array} + {offset}" if offset else array


def _forward(net: Net, plan: TrainPlan, name: str) -> list[str]:
    into = _at("arena", plan.values[0])
    if net.scale:
        scale, zero = c_text.float_literal(net.scale), net.zero_point
        difference = f"q[i] - {zero}" if zero >= 0 else f"q[i] + {-zero}"
        lines = [
            f"const int8_t *q = {name}_output0();",
            f"float *x = {into};",
            f"for (int32_t i = 0; i < {net.inputs}; i++) x[i] = {scale} * (float)({difference});",
        ]
    else:
        lines = [f"memcpy({into}, {name}_output0(), {net.inputs} * sizeof(float));"]
    for position, node in enumerate(net.nodes):
        x, y = (_at("arena", plan.values[i]) for i in (node.inputs[0], node.output))
        weights, window, size = _at("head", node.offset), f"&window{position}", net.sizes[node.output]
        if node.kind == "dense":
            lines.append(f"mcg_train_dense_forward({x}, {weights}, {y}, {node.shape[1]}, {node.shape[0]});")
        elif node.kind == "add":
            other = _at("arena", plan.values[node.inputs[1]])
            lines.append(f"mcg_train_add_forward({x}, {other}, {y}, {size});")
        elif node.parameters:
            lines.append(f"mcg_train_{node.kind}_forward({window}, {x}, {weights}, {y});")
        else:
            lines.append(f"mcg_train_{node.kind}_forward({window}, {x}, {y});")
        if node.activation != "none":
            lines.append(f"mcg_train_{node.activation}_forward({y}, {size});")
    return lines


def _backward(net: Net, plan: TrainPlan) -> list[str]:
    lines: list[str] = []
    begun = {net.output}
    for position, node in reversed(list(enumerate(net.nodes))):
        g, y = (_at("arena", offsets[node.output]) for offsets in (plan.gradients, plan.values))
        size = net.sizes[node.output]
        if node.activation != "none":
            lines.append(f"mcg_train_{node.activation}_backward({y}, {g}, {size});")
        if node.kind == "add":
            for i in (i for i in node.inputs if i):
                to = _at("arena", plan.gradients[i])
                add = f"mcg_train_add_to({to}, {g}, {size});"
                lines.append(add if i in begun else f"memcpy({to}, {g}, {size} * sizeof(float));")
                begun.add(i)
            continue
        source = node.inputs[0]
        if source:
            dx = _at("arena", plan.gradients[source])
            if source not in begun:
                lines.append(f"memset({dx}, 0, {net.sizes[source]} * sizeof(float));")
                begun.add(source)
            lines.append(_input_gradient(net, plan, position, g, dx))
        if node.parameters:
            lines += _parameter_gradient(net, plan, position, g)
    return lines


def _input_gradient(net: Net, plan: TrainPlan, position: int, g: str, dx: str) -> str:
    node, window = net.nodes[position], f"&window{position}"
    weights = _at("head", node.offset)
    if node.kind == "dense":
        return f"mcg_train_dense_input_gradient({g}, {weights}, {dx}, {node.shape[1]}, {node.shape[0]});"
    if node.kind == "average_pool":
        return f"mcg_train_average_pool_backward({window}, {g}, {dx});"
    if node.kind == "max_pool":
        x, y = (_at("arena", plan.values[i]) for i in (node.inputs[0], node.output))
        return f"mcg_train_max_pool_backward({window}, {x}, {y}, {g}, {dx});"
    return f"mcg_train_{node.kind}_input_gradient({window}, {g}, {weights}, {dx});"


def _parameter_gradient(net: Net, plan: TrainPlan, position: int, g: str) -> list[str]:
    """Its gradient, and where no batch is waited for, the update at once."""
    node, at_once = net.nodes[position], net.settings.batch == 1
    x = _at("arena", plan.values[node.inputs[0]])
    into = _at("arena", plan.parameter_gradients[position]) if at_once else _at("gradient", node.offset)
    if node.kind == "dense":
        made = f"mcg_train_dense_gradient({x}, {g}, {into}, {node.shape[1]}, {node.shape[0]});"
    else:
        made = f"mcg_train_{node.kind}_gradient(&window{position}, {x}, {g}, {into});"
    if not at_once:
        return [made]
    update = _update(net, node.offset, into, str(node.parameters))
    return [f"memset({into}, 0, {node.parameters} * sizeof(float));", made, update]


def _update(net: Net, offset: int, gradient: str, count: str) -> str:
    """The step of `count` parameters from `offset` on."""
    settings = net.settings
    head, velocity, squares = (_at(array, offset) for array in ("head", "velocity", "squares"))
    share = c_text.float_literal(float(np.float32(1) / np.float32(settings.batch)))
    if settings.optimizer == "adam":
        return f"mcg_train_adam_update(&adam, {head}, {velocity}, {squares}, {gradient}, {share}, {count});"
    if settings.momentum:
        momentum = c_text.float_literal(settings.momentum)
        return f"mcg_train_sgd_momentum({head}, {velocity}, {gradient}, learning_rate, {share}, {momentum}, {count});"
    return f"mcg_train_sgd({head}, {gradient}, learning_rate, {share}, {count});"
