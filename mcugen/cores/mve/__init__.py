"""Cores with the M-profile vector extension (Helium)."""

from mcugen.cores.types import Core, Feature, KernelUse

CORES = (
    Core(
        "cortex-m55",
        fpus=("auto",),
        features=(Feature("dsp", required=True), Feature("mve", absent="+nomve", needs_fpu=True)),
        kernels=(KernelUse("mve", needs="mve"), KernelUse("dsp", needs="dsp")),
    ),
)
