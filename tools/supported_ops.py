"""Writes docs/SUPPORTED_OPS.md from the operators' own constraint functions: python tools/supported_ops.py"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mcugen import ops
from mcugen.ops.base import OpSpec
from mcugen.resources import kernel_headers

TARGET = Path(__file__).resolve().parent.parent / "docs" / "SUPPORTED_OPS.md"

INTRO = """\
# Supported operators

What the ahead-of-time runtime runs, made from the code by `tools/supported_ops.py`. A model that breaks a limit below
is refused when it is read, with the layer's name and the limit; nothing is found out on the device.

Types are those of the values that an op computes with or moves. *Cores* says which cores have kernels of their own
beside the portable C: those with multiply-accumulate (MLA: Cortex-M3), with Arm's DSP extension (Cortex-M4, M7, M33),
with MVE (Helium: Cortex-M55). All of them give the same bits.

Results equal TensorFlow Lite Micro's bit for bit, those of float32 arithmetic within a tolerance
([NUMERICS.md](NUMERICS.md)), which is why some uses that it runs with undefined or misleading results are refused here.
"""

VARIANTS = ("MLA", "DSP", "MVE")

FLOAT_ONLY = (
    "CEIL",
    "COS",
    "EXP",
    "FLOOR",
    "FLOOR_DIV",
    "FLOOR_MOD",
    "L2_POOL_2D",
    "LOG",
    "NEG",
    "ROUND",
    "SIN",
    "SQRT",
    "SQUARE",
)
"""What TensorFlow Lite Micro has kernels for, but no int8 ones."""

WITHOUT_REFERENCE = ("RELU_N1_TO_1", "TILE")


def document() -> str:
    """The text of docs/SUPPORTED_OPS.md."""
    registry = ops.registry()
    lines = [INTRO, "| op | types | cores |", "|---|---|---|"]
    for kind, specs in registry.items():
        for spec in specs:
            lines.append(f"| [{kind}](#{kind.lower()}) | {', '.join(spec.types)} | {', '.join(cores(spec))} |")
    lines += ["", "## Limits", ""]
    for kind, specs in registry.items():
        lines += [f"### {kind}", ""]
        for spec in specs:
            lines += [f"As {', '.join(spec.types)}:", ""] if len(specs) > 1 else []
            lines += [*(f"- {rule}" for rule in rules(spec)), ""]
    lines += [
        "## Not here",
        "",
        f"- An int8 form of what TensorFlow Lite Micro computes in float32 only: {', '.join(FLOAT_ONLY)}.",
        f"- What it has no kernel for: {', '.join(WITHOUT_REFERENCE)} (RELU_N1_TO_1 as a fused activation works).",
        "- TensorFlow Lite Micro runs these uses, and this runtime refuses them: int64 numbers but for axes and shapes;"
        " GREATER of int16, whose scales it does not set; ABS of int16 without quantization; EMBEDDING_LOOKUP from int8"
        " to float32.",
        "- VAR_HANDLE and CALL_ONCE are no ops that run: variables become state tensors, and what CALL_ONCE assigns,"
        " which must be constant, their values at the start. Branches and loops may not use variables.",
    ]
    return "\n".join(lines) + "\n"


def rules(spec: OpSpec) -> list[str]:
    """The op's limits in the user's words, each once."""
    texts = (" ".join((constraint.__doc__ or "").split()) for constraint in spec.constraints)
    return list(dict.fromkeys(filter(None, texts)))


def cores(spec: OpSpec) -> list[str]:
    """Which kernel variants the op's lowering can choose."""
    available = {header.removesuffix(".h") for header in kernel_headers()}
    reached = available.intersection(_strings(spec.lower, set()))
    found = [v for v in VARIANTS if any(f"{kernel}_{v.lower()}" in available for kernel in reached)]
    return ["portable", *found]


def _strings(value: Any, seen: set[int]) -> Iterator[str]:
    """Every string that a function of mcugen.ops, or one that it refers to, holds."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, str):
        yield value
    elif isinstance(value, (tuple, list, set, frozenset)):
        for item in value:
            yield from _strings(item, seen)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item, seen)
    elif isinstance(value, FunctionType) and value.__module__.startswith("mcugen.ops"):
        for cell in value.__closure__ or ():
            yield from _strings(cell.cell_contents, seen)
        yield from _strings_of_code(value.__code__, value.__globals__, seen)


def _strings_of_code(code: CodeType, names: Mapping[str, Any], seen: set[int]) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _strings_of_code(constant, names, seen)
        else:
            yield from _strings(constant, seen)
    referred = [names[name] for name in code.co_names if name in names]
    modules = [m for m in referred if isinstance(m, ModuleType) and m.__name__.startswith("mcugen.ops")]
    referred += [getattr(m, name) for m in modules for name in code.co_names if hasattr(m, name)]
    for item in referred:
        yield from _strings(item, seen)


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
