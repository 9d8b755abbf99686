"""The graph stage: `.tflite` bytes → :class:`Graph`, and passes over it."""

from mcugen.graph.passes import optimize
from mcugen.graph.read import read_graph
from mcugen.graph.types import DType, Graph, Op, Quantization, Tensor

__all__ = ["DType", "Graph", "Op", "Quantization", "Tensor", "optimize", "read_graph"]
