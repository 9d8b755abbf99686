"""The graph stage of the ahead-of-time runtime: `.tflite` bytes → :class:`Graph`, and passes over it."""

from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.graph.read import read_graph

__all__ = ["optimize", "read_graph"]
