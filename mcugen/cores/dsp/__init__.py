"""Cores with DSP instructions: two products per instruction."""

from mcugen.cores.types import Core, Feature, KernelUse

CORES = (
    Core(
        "cortex-m4",
        fpus=("fpv4-sp-d16",),
        features=(Feature("dsp", required=True),),
        kernels=(KernelUse("dsp", needs="dsp"),),
    ),
    Core(
        "cortex-m7",
        fpus=("fpv5-sp-d16", "fpv5-d16"),
        features=(Feature("dsp", required=True),),
        kernels=(KernelUse("dsp", needs="dsp"),),
    ),
    Core(
        "cortex-m33",
        fpus=("fpv5-sp-d16",),
        features=(Feature("dsp", absent="+nodsp"),),
        kernels=(KernelUse("dsp", needs="dsp"), KernelUse("mla", unless="dsp")),
    ),
)
