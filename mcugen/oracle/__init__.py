"""References that the device is compared with, each in a process of its own."""

from mcugen.oracle.inputs import make_inputs
from mcugen.oracle.oracle import Oracle

__all__ = ["Oracle", "make_inputs"]
