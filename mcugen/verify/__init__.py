"""The verify stage: a running device against the oracle, bit for bit."""

from mcugen.verify.inputs import make_inputs
from mcugen.verify.oracle import Oracle
from mcugen.verify.verdict import Divergence, Verdict, verify_device

__all__ = ["Divergence", "Oracle", "Verdict", "make_inputs", "verify_device"]
