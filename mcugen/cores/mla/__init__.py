"""Cores with multiply-accumulate instructions and no others for signals."""

from mcugen.cores.types import Core, KernelUse

CORES = (Core("cortex-m3", kernels=(KernelUse("mla"),)),)
