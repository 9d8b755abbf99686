"""The verify stage: a running device against the oracle, bit for bit."""

from mcugen.verify.verdict import Divergence, Verdict, verify_device

__all__ = ["Divergence", "Verdict", "verify_device"]
