"""Cores that run the portable kernels."""

from mcugen.cores.architectures import RISCV, XTENSA
from mcugen.cores.types import Core

CORES = (
    Core("cortex-m0"),
    Core("cortex-m0plus"),
    Core("rv32imc", architecture=RISCV),
    Core("xtensa-lx6", architecture=XTENSA),
    Core("xtensa-lx7", architecture=XTENSA),
)
