"""ONNX graphs, written node by node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

IMAGE, SEQUENCE, VECTOR = (1, 4, 8, 8), (12, 1, 4), (1, 16)


class Graph:
    """An ONNX graph in the making. Tensors are called by their names."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.nodes, self.constants, self.rng = shape, [], [], np.random.default_rng(0)  # type: ignore[var-annotated]

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weights(self, *shape: int) -> str:
        return self.constant(self.rng.normal(0, 0.5, shape))

    def node(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        from onnx import helper

        names = [f"t{len(self.nodes)}_{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[-1]

    def dense(self, x: str, features: int, width: int = 3) -> str:
        return self.node("Gemm", x, self.weights(width, features), self.weights(width), transB=1)


def _on_image(features: int, kind: str, **attributes: Any) -> tuple[tuple[int, ...], Callable[[Graph], list[str]]]:
    def build(g: Graph) -> list[str]:
        x = g.node("Conv", "x", g.weights(8, 4, 3, 3), g.weights(8), kernel_shape=[3, 3])
        return [g.dense(g.node("Flatten", g.node(kind, x, **attributes)), features)]

    return IMAGE, build


def _on_vector(kind: str, **attributes: Any) -> tuple[tuple[int, ...], Callable[[Graph], list[str]]]:
    return VECTOR, lambda g: [g.dense(g.node(kind, g.dense("x", 16, 8), **attributes), 8)]


def _recurrent(kind: str, gates: int) -> tuple[tuple[int, ...], Callable[[Graph], list[str]]]:
    def build(g: Graph) -> list[str]:
        inputs = ("x", g.weights(1, gates * 6, 4), g.weights(1, gates * 6, 6), g.weights(1, 2 * gates * 6))
        last = g.node(kind, *inputs, outputs=2, hidden_size=6)
        return [g.dense(g.node("Squeeze", last, g.constant([0], np.int64)), 6)]

    return SEQUENCE, build


def _two_outputs(g: Graph) -> list[str]:
    x = g.node("Relu", g.node("Conv", "x", g.weights(8, 4, 3, 3), kernel_shape=[3, 3]))
    pooled = g.node("Flatten", g.node("GlobalAveragePool", x))
    return [g.dense(pooled, 8, 4), g.node("Softmax", g.dense(pooled, 8, 5), axis=1)]


def _attention(g: Graph) -> list[str]:
    q, k, v = (g.node("MatMul", "x", g.weights(4, 6)) for _ in range(3))
    scores = g.node("Softmax", g.node("MatMul", q, g.node("Transpose", k, perm=[0, 2, 1])), axis=-1)
    mean = g.node("ReduceMean", g.node("MatMul", scores, v), axes=[1], keepdims=0)
    return [g.dense(mean, 6)]


def _resize(mode: str) -> Callable[[Graph], list[str]]:
    def build(g: Graph) -> list[str]:
        x = g.node("Conv", "x", g.weights(8, 4, 3, 3), kernel_shape=[3, 3])
        empty = g.constant([], np.float32)
        wide = g.node(
            "Resize", x, empty, g.constant([1, 1, 2, 2]), mode=mode, coordinate_transformation_mode="half_pixel"
        )
        return [g.dense(g.node("Flatten", wide), 1152)]

    return build


CASES: dict[str, tuple[tuple[int, ...], Callable[[Graph], list[str]]]] = {
    "Conv, two outputs": (IMAGE, _two_outputs),
    "MaxPool": _on_image(72, "MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    "GlobalAveragePool": _on_image(8, "GlobalAveragePool"),
    "ReduceMax": _on_image(8, "ReduceMax", axes=[2, 3], keepdims=0),
    "HardSigmoid": _on_vector("HardSigmoid"),
    "LeakyRelu": _on_vector("LeakyRelu"),
    "Elu": _on_vector("Elu"),
    "Tanh": _on_vector("Tanh"),
    "LSTM": _recurrent("LSTM", 4),
    "GRU": _recurrent("GRU", 3),
    "Attention by MatMul": ((1, 6, 4), _attention),
    "Resize, nearest": (IMAGE, _resize("nearest")),
    "Resize, linear": (IMAGE, _resize("linear")),
}


def write(name: str, folder: Path) -> Path:
    """The case as an `.onnx` file, its weights seeded."""
    import onnx
    from onnx import TensorProto, helper

    shape, build = CASES[name]
    graph = Graph(shape)
    outputs = build(graph)
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    results = [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["n", "width"]) for o in outputs]
    made = helper.make_graph(graph.nodes, "layer", values, results, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    path = folder / "layer.onnx"
    onnx.save(model, str(path))
    return path
