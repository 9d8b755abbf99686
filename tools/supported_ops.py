"""Writes docs/SUPPORTED_OPS.md: python tools/supported_ops.py

The limits come from the operators' own constraint functions, the cores from planning every case of the conformance
suite for every kind of core.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mcugen import ops
from mcugen.ops.base import OpSpec, rule_of

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.conformance.variants import planned  # noqa: E402 (the repository is no package on the path)

TARGET = ROOT / "docs" / "SUPPORTED_OPS.md"

INTRO = """\
# Supported operators

What the ahead-of-time runtime runs, generated from the code by `make docs`. A model that breaks a limit below
is refused when it is read, with the layer's name and the limit, never only on the device.

Types are those of the values that an op computes with or moves. *Kernels* says which variants were chosen when the
uses of the conformance suite were planned for every kind of core: portable C, multiply-accumulate (MLA: Cortex-M3),
Arm's DSP extension (Cortex-M4, M7, M33), MVE (Helium: Cortex-M55). A core without a variant of its own runs the
portable kernel, and so do shapes that a variant does not take: `mcugen inspect MODEL --board BOARD` says which and why.
All variants give the same bits.

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
    lines = [INTRO, "| op | types | kernels |", "|---|---|---|"]
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
        f"- An int8 form of what TensorFlow Lite Micro computes in float32 only: {', '.join(FLOAT_ONLY)}."
        " Where a float model is quantized, functions of one number stay in float32 between DEQUANTIZE and QUANTIZE;"
        " NEG and SQUARE become MUL.",
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
    return list(dict.fromkeys(filter(None, map(rule_of, spec.constraints))))


def cores(spec: OpSpec) -> list[str]:
    """Which variants of kernels the op's uses in the conformance suite are planned with, over all kinds of cores."""
    seen = {each.variant for each in planned() if each.spec is spec}
    return ["portable", *(variant for variant in VARIANTS if variant.lower() in seen)]


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
