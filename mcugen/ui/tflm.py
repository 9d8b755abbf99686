"""What a person wants to know about a firmware with TensorFlow Lite Micro."""

from __future__ import annotations

from mcugen.graph.types import DType
from mcugen.runtimes.program import Program
from mcugen.runtimes.tflm.program import TflmProgram
from mcugen.text import number, plain


def tflm_rows(plan: Program) -> list[tuple[str, str]]:
    """What was left out, what is registered, what to build first; nothing about the other runtime."""
    if not isinstance(plan, TflmProgram):
        return []
    rows = []
    if plan.flatbuffer.saved:
        rows.append(("left out", f"{number(plan.flatbuffer.saved)} B of names and metadata, outputs proved unchanged"))
    for title, wanted in (("registered", None), ("for int8 only", DType.INT8), ("for int16 only", DType.INT16)):
        names = [
            plain(r.custom_name or r.kind)
            for r in plan.registrations
            if (r.only.dtype if r.only is not None else None) is wanted
        ]
        if names:
            rows.append((title, f"{len(names)}: {', '.join(names)}"))
    if plan.tflm.variant is not None and plan.tflm.root is None:
        rows.append(("first", f"build TensorFlow Lite Micro: {plan.tflm.variant.how_to_build()}"))
    return rows
