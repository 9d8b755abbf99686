"""From a project's folder to an ELF file and its sizes."""

from mcugen.build.builder import build_project
from mcugen.build.fit import Fit, check_fit, fit_report
from mcugen.build.types import Firmware, FlashUse, RamUse, Symbol

__all__ = ["Firmware", "Fit", "FlashUse", "RamUse", "Symbol", "build_project", "check_fit", "fit_report"]
