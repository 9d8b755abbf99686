"""The graph stage of the ahead-of-time runtime: `.tflite` bytes → :class:`Graph`; its passes are in `passes`."""

from mcugen.runtimes.aot.graph.read import read_graph

__all__ = ["read_graph"]
