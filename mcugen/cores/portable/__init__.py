"""Cores that run the portable kernels."""

from mcugen.cores.types import Core

CORES = (
    Core("cortex-m0"),
    Core("cortex-m0plus"),
    Core("rv32imc", architecture="riscv"),
    Core("xtensa-lx6", architecture="xtensa"),
    Core("xtensa-lx7", architecture="xtensa"),
)
