"""The choice among a kernel's variants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcugen.ops import variants
from mcugen.ops.base import KernelCall, Target
from mcugen.ops.variants import KernelSet, Variant, fastest

PORTABLE = KernelCall("kernel", (), (0,), (1,))
M3, M4 = Target("cortex-m3", ("mla",)), Target("cortex-m4", ("dsp",))
M55 = Target("cortex-m55", ("mve", "dsp"))


def exists(name: str) -> Variant:
    return lambda portable, _site: replace(portable, kernel=f"kernel_{name}", variant=name)


def cannot(why: str) -> Variant:
    return lambda _portable, _site: why


@pytest.mark.parametrize(
    ("target", "dsp", "mve", "variant", "reason"),
    [
        (M3, exists("dsp"), exists("mve"), "portable", ""),
        (M4, exists("dsp"), exists("mve"), "dsp", ""),
        (M55, exists("dsp"), exists("mve"), "mve", ""),
        (M4, None, exists("mve"), "portable", "no DSP variant"),
        (M4, cannot("it is odd"), None, "portable", "no DSP variant: it is odd"),
        (M55, exists("dsp"), None, "dsp", "no MVE variant"),
        (M55, exists("dsp"), cannot("it is odd"), "dsp", "no MVE variant: it is odd"),
        (M55, cannot("so"), cannot("it is odd"), "portable", "no MVE variant: it is odd; no DSP variant: so"),
    ],
)
def test_choice(
    target: Target,
    dsp: Variant | None,
    mve: Variant | None,
    variant: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sets = {
        "mve": KernelSet("mve", {"kernel": mve} if mve else {}),
        "dsp": KernelSet("dsp", {"kernel": dsp} if dsp else {}),
        "mla": KernelSet("mla", {}, complete=False),
    }
    monkeypatch.setattr(variants, "kernel_set", sets.__getitem__)
    call = fastest(target, PORTABLE)
    assert (call.variant, call.why_not_faster) == (variant, reason)
