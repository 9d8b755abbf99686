"""Builds small float `.tflite` models op by op, without TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcugen.tflite.schema import load_schema, pack_model

S = load_schema()


class FloatModel:
    """One subgraph in the making. Tensors are named by their ids."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [S.BufferT()]
        self.ops: list[Any] = []
        self.codes: list[Any] = []
        self.inputs: list[int] = []

    def tensor(self, shape: tuple[int, ...], dtype: str = "FLOAT32", name: str = "", **fields: Any) -> int:
        i = len(self.tensors)
        tensor = S.TensorT(
            shape=np.array(shape, np.int32), type=getattr(S.TensorType, dtype), buffer=0, name=name or f"t{i}", **fields
        )
        self.tensors.append(tensor)
        return i

    def input(self, shape: tuple[int, ...], dtype: str = "FLOAT32", name: str = "x", **fields: Any) -> int:
        self.inputs.append(self.tensor(shape, dtype, name, **fields))
        return self.inputs[-1]

    def constant(self, values: Any, dtype: Any = np.float32, scales: Any = None) -> int:
        array = np.asarray(values, dtype)
        i = self.tensor(array.shape, array.dtype.name.upper(), f"const{len(self.tensors)}")
        if scales is not None:
            self.tensors[i].quantization = S.QuantizationParametersT(
                scale=np.atleast_1d(np.float32(scales)), zeroPoint=np.zeros(np.size(scales), np.int64)
            )
        self.tensors[i].buffer = len(self.buffers)
        self.buffers.append(S.BufferT(data=np.frombuffer(array.tobytes(), np.uint8)))
        return i

    def op(
        self,
        kind: str,
        inputs: list[int],
        *shapes: tuple[int, ...],
        options: Any = None,
        dtype: str = "FLOAT32",
        custom: str = "",
        name: str = "",
    ) -> Any:
        """Add an op; its output tensor (a list of them for several shapes)."""
        number = getattr(S.BuiltinOperator, kind)
        self.codes.append(
            S.OperatorCodeT(
                builtinCode=number, deprecatedBuiltinCode=min(number, 127), version=1, customCode=custom or None
            )
        )
        outputs = [self.tensor(shape, dtype, name) for shape in shapes]
        op = S.OperatorT(opcodeIndex=len(self.codes) - 1)
        op.inputs, op.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        if options is not None:
            op.builtinOptions = options
            op.builtinOptionsType = getattr(S.BuiltinOptions, type(options).__name__[:-1])
        self.ops.append(op)
        return outputs[0] if len(outputs) == 1 else outputs

    def model(self, outputs: list[int], subgraphs: int = 1) -> Any:
        graph = S.SubGraphT(tensors=self.tensors, operators=self.ops, name="main")
        graph.inputs, graph.outputs = np.array(self.inputs, np.int32), np.array(outputs, np.int32)
        return S.ModelT(
            version=3, operatorCodes=self.codes, subgraphs=[graph] * subgraphs, buffers=self.buffers, description="test"
        )

    def build(self, *outputs: int, subgraphs: int = 1) -> bytes:
        return pack_model(self.model(list(outputs), subgraphs))


def dense(model: FloatModel, x: int, weights: Any, bias: Any = None, activation: int = 0) -> int:
    """FULLY_CONNECTED with weights (out, in)."""
    weights = np.asarray(weights, np.float32)
    inputs = [x, model.constant(weights), model.constant(bias) if bias is not None else -1]
    options = S.FullyConnectedOptionsT(fusedActivationFunction=activation)
    return int(model.op("FULLY_CONNECTED", inputs, (1, weights.shape[0]), options=options))


def conv(model: FloatModel, x: int, weights: Any, bias: Any, out: tuple[int, ...], activation: int = 0) -> int:
    """CONV_2D, SAME, stride 1, weights (out, h, w, in)."""
    options = S.Conv2DOptionsT(padding=0, strideW=1, strideH=1, fusedActivationFunction=activation)
    return int(model.op("CONV_2D", [x, model.constant(weights), model.constant(bias)], out, options=options))


def small_dense(seed: int = 0, width: int = 4) -> bytes:
    """width inputs → dense 8, relu → dense 3 → softmax; open batch."""
    rng = np.random.default_rng(seed)
    model = FloatModel()
    x = model.input((1, width), shapeSignature=np.array([-1, width], np.int32))
    hidden = dense(model, x, rng.normal(size=(8, width)), rng.normal(size=8), activation=1)
    logits = dense(model, hidden, rng.normal(size=(3, 8)), rng.normal(size=3))
    return model.build(model.op("SOFTMAX", [logits], (1, 3), options=S.SoftmaxOptionsT(beta=1.0)))
