"""From a project's folder to an ELF file and its sizes."""

from mcugen.builder.builder import build_project
from mcugen.builder.fit import Fit, check_fit, fit_report
from mcugen.builder.types import Firmware, FlashUse, RamUse, Symbol

__all__ = ["Firmware", "Fit", "FlashUse", "RamUse", "Symbol", "build_project", "check_fit", "fit_report"]
