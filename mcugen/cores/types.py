"""What a CPU core is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mcugen.cores.architectures import ARM, Architecture


@dataclass(frozen=True)
class Feature:
    """An extension of a core's instruction set.

    Attributes:
        name: as board files name it ("dsp").
        absent: what the compiler's name of the core needs where a chip lacks it ("+nodsp").
        required: every chip with this core has it.
        needs_fpu: it comes with the floating-point unit.
    """

    name: str
    absent: str = ""
    required: bool = False
    needs_fpu: bool = False


@dataclass(frozen=True)
class KernelUse:
    """A set of kernels that a core runs: where a chip has the feature `needs`, and not the feature `unless`.

    The set is `kernels.py` in the folder of its name in `mcugen/cores/`, its headers those of firmware/kernels/<set>.
    """

    kernels: str
    needs: str = ""
    unless: str = ""


@dataclass(frozen=True)
class Core:
    """A CPU core.

    Attributes:
        name: as the compiler knows it ("cortex-m4").
        architecture: its instruction set.
        fpus: the compiler's names of the floating-point units that it can have.
        features: the extensions that it can have.
        kernels: the sets of kernels that it runs, the fastest first; the portable ones need no mention.
    """

    name: str
    architecture: Architecture = ARM
    fpus: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()
    kernels: tuple[KernelUse, ...] = ()

    def kernel_sets(self, features: Collection[str]) -> tuple[str, ...]:
        """The kernel sets that a chip with these features runs, the fastest first."""
        return tuple(
            use.kernels
            for use in self.kernels
            if (not use.needs or use.needs in features) and use.unless not in features
        )
