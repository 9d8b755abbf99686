"""The graph stage: `.tflite` bytes → :class:`Graph`, and passes over it."""

from mcugen.graph.read import read_graph
from mcugen.graph.types import DType, Graph, Op, Quantization, Tensor

__all__ = ["DType", "Graph", "Op", "Quantization", "Tensor", "optimize", "read_graph"]


def optimize(graph: Graph) -> Graph:
    """Run every pass once, in order; see :mod:`mcugen.graph.passes`."""
    # Imported here, because passes use the ops, and the ops use this package.
    from mcugen.graph.passes import optimize as run_passes

    return run_passes(graph)
