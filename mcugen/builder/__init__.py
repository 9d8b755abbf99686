"""From a project's folder to an ELF file and its sizes."""

from mcugen.builder.builder import build_project, require_build_tools
from mcugen.builder.fit import Fit, check_fit, fit_report
from mcugen.builder.types import Firmware, FlashUse, RamUse, Symbol

__all__ = [
    "Firmware",
    "Fit",
    "FlashUse",
    "RamUse",
    "Symbol",
    "build_project",
    "check_fit",
    "fit_report",
    "require_build_tools",
]
