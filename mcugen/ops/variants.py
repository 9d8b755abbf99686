"""Chooses the fastest variant of a kernel that a core runs.

A variant is made from the portable call, which has the op's geometry in its parameters: another kernel, and where
that needs it other constants and scratch. A *kernel set* holds the variants for one kind of core; it is `KERNELS` in
`mcugen/cores/<set>/kernels.py`, found by the name that a core uses.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mcugen.ops.base import KernelCall, Target
from mcugen.ops.memory import UNLIMITED
from mcugen.ops.planes import InPlace


@dataclass(frozen=True)
class Site:
    """Where a call runs, as far as variants ask.

    Attributes:
        budget: bytes of scratch that the op should keep to.
        in_place: whether the output may take the input's place, which nobody else reads then.
        depth_multiplier: of a depthwise convolution, channels of the output for each of the input.
    """

    budget: int = UNLIMITED
    in_place: InPlace = "never"
    depth_multiplier: int = 1


ANYWHERE = Site()

Variant = Callable[[KernelCall, Site], KernelCall | str]
"""The portable call → the same work by another kernel, or why that cannot be, in one clause."""


def anywhere(make: Callable[[KernelCall], KernelCall | str]) -> Variant:
    """A variant that asks for nothing but the portable call."""
    return lambda portable, _site: make(portable)


@dataclass(frozen=True)
class KernelSet:
    """Kernels made for one kind of core.

    Attributes:
        name: of its folders in `mcugen/cores/` and firmware/kernels, and of its calls' `variant`.
        variants: by the portable kernel that each replaces.
        complete: a kernel without a variant is slower for it; where False, it has nothing to gain from one.
        outruns: portable kernels for special cases that are slower than this set's variant of the general kernel.
    """

    name: str
    variants: Mapping[str, Variant]
    complete: bool = True
    outruns: tuple[str, ...] = ()


@functools.cache
def kernel_set(name: str) -> KernelSet:
    """The kernel set of that name."""
    found: KernelSet = importlib.import_module(f"mcugen.cores.{name}.kernels").KERNELS
    return found


def fastest(target: Target, portable: KernelCall, site: Site = ANYWHERE) -> KernelCall:
    """The variant of the first of the core's kernel sets that has one; else the portable call.

    `why_not_faster` of the result says why each faster one could not be.
    """
    reasons: list[str] = []
    for name in target.kernels:
        chosen = kernel_set(name)
        variant = chosen.variants.get(portable.kernel)
        if variant is None:
            if chosen.complete:
                reasons.append(f"no {name.upper()} variant")
            continue
        call = variant(portable, site)
        if isinstance(call, KernelCall):
            return replace(call, why_not_faster="; ".join(reasons))
        reasons.append(f"no {name.upper()} variant: {call}")
    return replace(portable, why_not_faster="; ".join(reasons))


def is_outrun(target: Target, kernel: str) -> bool:
    """Whether the core computes this special case faster by its variant of the general kernel."""
    return any(kernel in kernel_set(name).outruns for name in target.kernels)


def rank(target: Target, call: KernelCall) -> int:
    """Position of the call's variant among what the core runs, the fastest first; the portable kernels come last."""
    return target.kernels.index(call.variant) if call.variant in target.kernels else len(target.kernels)
