"""What a model is to every stage: a graph of ops and tensors."""

from mcugen.graph.types import DType, Graph, Op, Quantization, Tensor, Units

__all__ = ["DType", "Graph", "Op", "Quantization", "Tensor", "Units"]
