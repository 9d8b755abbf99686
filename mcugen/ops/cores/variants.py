"""Chooses the fastest variant of a kernel that a core can run.

A variant is made from the portable call, which has the op's geometry in its parameters: another kernel, and where
that needs it other constants and scratch. The modules beside this one hold the variants of all ops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mcugen.ops.base import KernelCall, Target

Variant = Callable[[KernelCall], KernelCall | str]
"""The portable call → the same work by another kernel, or why that cannot be, in one clause."""


def choose(
    target: Target,
    portable: KernelCall,
    *,
    dsp: Variant | None = None,
    mve: Variant | None = None,
    mla: Variant | None = None,
) -> KernelCall:
    """The first of the MVE, DSP, MLA and portable variants that exists and that the core runs.

    `why_not_faster` of the result says why each faster one could not be. Kernels without products have no MLA variant,
    and nothing to gain from one.
    """
    reasons: list[str] = []
    choices = (
        ("MVE", target.mve, mve),
        ("DSP", target.dsp, dsp),
        ("MLA", target.mla and not target.dsp and mla is not None, mla),
    )
    for name, runs, variant in choices:
        if not runs:
            continue
        made = variant(portable) if variant else ""
        if isinstance(made, KernelCall):
            return replace(made, why_not_faster="; ".join(reasons))
        reasons.append(f"no {name} variant: {made}" if made else f"no {name} variant")
    return replace(portable, why_not_faster="; ".join(reasons))
