"""Carries a quantization scheme out: the float flatbuffer becomes a full int8 one."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert import affine
from mcugen.convert.affine import Affine
from mcugen.convert.loops.merged import Merged, split
from mcugen.convert.quantizer import Scheme, activation_inputs, bias_of, weights_of
from mcugen.tflite import fields as flat
from mcugen.tflite.grafts import Graft, quantization
from mcugen.tflite.int8_rules import Rule
from mcugen.tflite.schema import load_schema, op_kind, printable
from mcugen.tflite.schema_types import (
    ModelT,
    OperatorCodeT,
    OperatorT,
    TensorT,
)
from mcugen.tflite.unused import drop_unused


def rewrite(model: ModelT, scheme: Scheme, merged: Merged) -> None:
    """Quantize a merged float model in place, and take it apart again."""
    _Rewriter(model, scheme).run()
    split(model, merged)
    drop_unused(model)


class _Rewriter:
    """Holds the constants made so far, since layers may share them."""

    def __init__(self, model: ModelT, scheme: Scheme) -> None:
        self.schema = load_schema()
        self.model = model
        self.main = model.subgraphs[0]
        self.scheme = scheme
        self.made: dict[tuple[Any, ...], int] = {}
        self.wide_ops = [(self.main.operators[n], sizes) for n, sizes in scheme.wide.items()]

    def run(self) -> None:
        # Constants first: they are read as floats, and the scheme's own entries still name them.
        for position, op in enumerate(self.main.operators):
            self._quantize_constants(op, self.scheme.wide.get(position))
        for i, params in self.scheme.activations.items():
            self._quantize_activation(self.main.tensors[i], params)
        for i, scale in self.scheme.cells.items():
            self.main.tensors[i].type = self.schema.TensorType.INT16
            self.main.tensors[i].quantization = quantization([scale], [0])
        self._insert_requantize()
        self._keep_real()
        self._convert_wide()
        for code in self.model.operatorCodes:
            rule = self.scheme.rules.get(op_kind(code))
            if rule is not None:
                code.version = max(code.version, rule.version)
        for tensor in self.main.tensors:
            tensor.shapeSignature = None  # the batch is frozen

    def _quantize_constants(self, op: OperatorT, wide: Mapping[int, float] | None) -> None:
        rule = self.scheme.rules[flat.kind_of(self.model, op)]
        given = flat.ints(op.inputs)
        inputs = list(given)
        weights, bias = weights_of(self.model, op, rule), bias_of(op, rule)
        activations = set(activation_inputs(self.model, op))
        for position, i in enumerate(given):
            if i in activations and flat.is_constant(self.model, self.main.tensors[i]):
                inputs[position] = self._constant_activation(i)
        if rule.weights is not None and weights is not None:
            inputs[rule.weights], new_bias = self._weights_and_bias(op, rule, weights, bias, wide)
            if new_bias is not None and rule.bias is not None:
                inputs[rule.bias] = new_bias
        elif rule.products:
            self._quantize_products(rule, inputs, flat.ints(op.outputs)[0])
        elif rule.bias is not None and bias is not None:
            # Weights that are an activation: their own scale takes the place of the weight scale.
            assert rule.weights is not None
            scales = np.array([self.scheme.activations[given[rule.weights]].scale], np.float32)
            inputs[rule.bias] = self._bias(bias, scales, self.scheme.activations[given[rule.data]].scale)
        op.inputs = np.array(inputs, np.int32)

    def _quantize_products(self, rule: Rule, inputs: list[int], output: int) -> None:
        """Weights and biases of an op that has several; `inputs` gets their twins."""
        given, output_scale = tuple(inputs), self._written(output).scale
        for product in rule.products:
            weights, input_scale = given[product.weights], self.scheme.activations[given[product.data]].scale
            values = self._floats(weights)
            bias = None if product.bias is None else self._floats(given[product.bias])
            scales = affine.weight_scales(values, None, bias, input_scale, output_scale)
            key = ("weights", scales.tobytes())
            quantized = affine.quantize_weights(values, scales, None)
            inputs[product.weights] = self._make(weights, key, "INT8", quantized, scales, [0])
            if product.bias is not None:
                inputs[product.bias] = self._bias(given[product.bias], scales, input_scale)

    def _constant_activation(self, i: int) -> int:
        params = self.scheme.activations[i]
        values = self._floats(i)
        return self._make(
            i, (params,), "INT8", affine.quantize_array(values, params), [params.scale], [params.zero_point]
        )

    def _weights_and_bias(
        self, op: OperatorT, rule: Rule, weights: int, bias: int | None, wide: Mapping[int, float] | None
    ) -> tuple[int, int | None]:
        data, output = flat.ints(op.inputs)[rule.data], flat.ints(op.outputs)[0]
        if wide is None:
            input_scale, output_scale = self.scheme.activations[data].scale, self._written(output).scale
        else:
            input_scale, output_scale = (affine.wide_params(wide[i]).scale for i in (data, output))
        values = self._floats(weights)
        bias_values = self._floats(bias).reshape(-1) if bias is not None else None
        if self.scheme.made_up:
            scales = affine.own_scales(values, rule.axis)
        else:
            scales = affine.weight_scales(values, rule.axis, bias_values, input_scale, output_scale)
        quantized = affine.quantize_weights(values, scales, rule.axis)
        zeros = [0] * len(scales)
        new = self._make(weights, ("weights", scales.tobytes()), "INT8", quantized, scales, zeros, rule.axis or 0)
        if bias is None:
            return new, None
        error = affine.weights_error(values, quantized, scales, rule.axis)
        return new, self._bias(bias, scales, input_scale, self._mean_error(op, error, data), wide=wide is not None)

    def _bias(
        self,
        i: int,
        weight_scales: NDArray[np.float32],
        input_scale: float,
        correction: NDArray[np.float64] | float = 0.0,
        *,
        wide: bool = False,
    ) -> int:
        scales = affine.bias_scales(weight_scales, input_scale)
        values = self._floats(i) + np.reshape(correction, self._floats(i).shape if np.ndim(correction) else ())
        if wide:
            quantized: NDArray[Any] = affine.quantize_wide_bias(values, scales)
        elif self.scheme.made_up:  # scales did not make room for it
            quantized = affine.quantize_bias(values, scales, affine.BIAS_LIMIT)
        else:
            quantized = affine.quantize_bias(values, scales)
        key = ("bias", wide, scales.tobytes(), quantized.tobytes())
        return self._make(i, key, "INT64" if wide else "INT32", quantized, scales, [0] * len(scales))

    def _mean_error(self, op: OperatorT, error: NDArray[np.float64], data: int) -> NDArray[np.float64] | float:
        """What the rounding of an op's weights takes from its output on average, per channel; 0 if it stays so.

        Nagel et al. 2019, section 4.2, with the observed mean of the input.
        """
        kind, mean = flat.kind_of(self.model, op), self.scheme.means.get(data)
        if mean is None:
            return 0.0
        if kind == "FULLY_CONNECTED":
            return np.asarray(error @ mean.reshape(-1, error.shape[1]).mean(axis=0))
        channels = mean.reshape(-1, mean.shape[-1]).mean(axis=0)
        if kind == "CONV_2D" and error.shape[3] == len(channels):
            return np.asarray(error.sum(axis=(1, 2)) @ channels)
        if kind == "DEPTHWISE_CONV_2D":
            return np.asarray(error.sum(axis=(0, 1, 2)) * np.repeat(channels, error.shape[3] // len(channels)))
        return 0.0

    def _make(
        self, i: int, use: tuple[Any, ...], dtype: str, values: NDArray[Any], scales: Any, zeros: Any, axis: int = 0
    ) -> int:
        """A quantized twin of constant `i`; the same one for the same use."""
        key = (i, *use)
        if key not in self.made:
            old = self.main.tensors[i]
            content = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            self.model.buffers.append(self.schema.BufferT(data=content))
            twin = self.schema.TensorT(
                shape=old.shape,
                type=getattr(self.schema.TensorType, dtype),
                buffer=len(self.model.buffers) - 1,
                name=old.name,
                quantization=quantization(scales, zeros, axis),
                hasRank=old.hasRank,
            )
            self.main.tensors.append(twin)
            self.made[key] = len(self.main.tensors) - 1
        return self.made[key]

    def _insert_requantize(self) -> None:
        if not self.scheme.requantized:
            return
        self.model.operatorCodes.append(_code(self.schema, "QUANTIZE", 2))
        opcode = len(self.model.operatorCodes) - 1
        result = []
        for op in self.main.operators:
            result.append(op)
            outputs = list(flat.ints(op.outputs))
            for position, i in enumerate(outputs):
                params = self.scheme.requantized.get(i)
                if params is None:
                    continue
                target = self.main.tensors[i]
                name = (printable(target.name) or f"tensor_{i}") + "/before_requantize"
                raw = self.schema.TensorT(shape=target.shape, type=target.type, name=name, hasRank=target.hasRank)
                self.model.buffers.append(self.schema.BufferT())
                raw.buffer = len(self.model.buffers) - 1
                raw.quantization = quantization([params.scale], [params.zero_point])
                self.main.tensors.append(raw)
                outputs[position] = len(self.main.tensors) - 1
                requantize = self.schema.OperatorT(opcodeIndex=opcode)
                requantize.inputs = np.array([outputs[position]], np.int32)
                requantize.outputs = np.array([i], np.int32)
                result.append(requantize)
            op.outputs = np.array(outputs, np.int32)
        self.main.operators = result

    def _keep_real(self) -> None:
        """Ops that compute on real numbers read and write float32 between conversions."""
        result = []
        for op in self.main.operators:
            rule = self.scheme.rules.get(flat.kind_of(self.model, op))
            if rule is None or not rule.real:
                result.append(op)
                continue
            inputs, outputs = list(flat.ints(op.inputs)), list(flat.ints(op.outputs))
            for position, i in enumerate(inputs):
                if i in self.scheme.activations:
                    inputs[position] = self._real_twin(i)
                    result.append(self._conversion("DEQUANTIZE", i, inputs[position]))
                    inputs[position] = self._within_domain(op, i, inputs[position], result)
            result.append(op)
            for position, i in enumerate(outputs):
                if i in self.scheme.activations:
                    outputs[position] = self._real_twin(i)
                    result.append(self._conversion("QUANTIZE", outputs[position], i))
            op.inputs, op.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        self.main.operators = result

    def _within_domain(self, op: OperatorT, quantized: int, real: int, result: list[OperatorT]) -> int:
        """Keep infinity and NaN, for which QUANTIZE is not defined, from functions of positive numbers."""
        kind, params = flat.kind_of(self.model, op), self.scheme.activations[quantized]
        if kind == "LOG":
            least = params.scale / 2
        elif kind == "SQRT" and params.zero_point != affine.QMIN:
            least = 0.0
        else:
            return real
        graft = Graft(self.model, self.main, flat.layer_of_op(self.main, op))
        options = self.schema.MaximumMinimumOptionsT()
        held = graft.add("MAXIMUM", [real, graft.constant(np.array(least, np.float32))], self._real_twin(real), options)
        result.extend(graft.made)
        return held

    def _real_twin(self, i: int) -> int:
        """A float32 tensor of the same shape."""
        return self._twin(i, "FLOAT32", "/real")

    def _twin(self, i: int, dtype: str, suffix: str, params: Affine | None = None) -> int:
        """A tensor of the same shape and another type."""
        tensor = self.main.tensors[i]
        self.model.buffers.append(self.schema.BufferT())
        twin = self.schema.TensorT(
            shape=tensor.shape,
            type=getattr(self.schema.TensorType, dtype),
            buffer=len(self.model.buffers) - 1,
            name=(printable(tensor.name) or f"tensor_{i}") + suffix,
            quantization=quantization([params.scale], [params.zero_point]) if params is not None else None,
            hasRank=tensor.hasRank,
        )
        self.main.tensors.append(twin)
        return len(self.main.tensors) - 1

    def _convert_wide(self) -> None:
        """Ops with int16 activations read and write int16 twins; QUANTIZE goes between these and int8."""
        if not self.wide_ops:
            return
        sizes = {id(op): found for op, found in self.wide_ops}
        twins: dict[int, int] = {}
        result, narrowing = [], []
        for op in self.main.operators:
            if id(op) not in sizes:
                result.append(op)
                continue
            (data, *constants), (output,) = flat.ints(op.inputs), flat.ints(op.outputs)
            size = sizes[id(op)]
            if data not in twins:
                twins[data] = self._twin(data, "INT16", "/int16", affine.wide_params(size[data]))
                result.append(self._conversion("QUANTIZE", data, twins[data]))
            twins[output] = self._twin(output, "INT16", "/int16", affine.wide_params(size[output]))
            op.inputs, op.outputs = np.array([twins[data], *constants], np.int32), np.array([twins[output]], np.int32)
            narrowing.append(self._conversion("QUANTIZE", twins[output], output))
            result += [op, narrowing[-1]]
        read = {i for op in result for i in flat.ints(op.inputs)} | set(flat.ints(self.main.outputs))
        unread = {id(op) for op in narrowing if flat.ints(op.outputs)[0] not in read}
        self.main.operators = [op for op in result if id(op) not in unread]

    def _conversion(self, kind: str, source: int, target: int) -> OperatorT:
        self.model.operatorCodes.append(_code(self.schema, kind, 2))
        op: OperatorT = self.schema.OperatorT(opcodeIndex=len(self.model.operatorCodes) - 1)
        op.inputs, op.outputs = np.array([source], np.int32), np.array([target], np.int32)
        return op

    def _written(self, i: int) -> Affine:
        """Parameters with which the producer of tensor `i` writes."""
        return self.scheme.requantized.get(i, self.scheme.activations[i])

    def _quantize_activation(self, tensor: TensorT, params: Affine) -> None:
        if flat.is_constant(self.model, tensor):
            return  # its readers got quantized twins
        tensor.type = self.schema.TensorType.INT8
        tensor.quantization = quantization([params.scale], [params.zero_point])

    def _floats(self, i: int) -> NDArray[Any]:
        values = flat.constant(self.model, self.main.tensors[i])
        assert values is not None, i
        return values


def _code(schema: ModuleType, kind: str, version: int) -> OperatorCodeT:
    number = getattr(schema.BuiltinOperator, kind)
    # 127 in the old field tells old readers to look at the new one.
    made: OperatorCodeT = schema.OperatorCodeT(
        builtinCode=number, deprecatedBuiltinCode=min(number, 127), version=version
    )
    return made
