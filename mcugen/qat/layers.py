"""Keras 3 layers that compute as int8 will, and let gradients through as if they did not.

Importing this module registers them, so that `keras.saving.load_model` knows saved models that hold them.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from mcugen.numerics.affine import WEIGHT_MAX

_LEVELS = 255
_SMALLEST = 1e-7

CHANNEL_AXES: dict[str, tuple[int, ...]] = {
    "Conv1D": (2,),
    "Conv2D": (3,),
    "Conv2DTranspose": (2,),
    "DepthwiseConv1D": (1, 2),
    "DepthwiseConv2D": (2, 3),
    "Dense": (),
}
"""By layer class, the axes of its kernel that have scales of their own; none for one scale in all."""


@keras.saving.register_keras_serializable(package="mcugen")
class FakeQuantize(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Rounds what goes through it to 256 levels over a range that follows the batches' ends.

    Gradients pass where values lie within the range (straight-through).

    Args:
        momentum: of the moving averages of the batches' smallest and largest values.
    """

    def __init__(self, momentum: float = 0.99, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum

    def build(self, input_shape: Any) -> None:
        def number(name: str, value: float) -> Any:
            return self.add_weight(name=name, shape=(), initializer=keras.initializers.Constant(value), trainable=False)

        self.low, self.high, self.seen = number("low", -6.0), number("high", 6.0), number("seen", 0.0)
        super().build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            # The first batch is taken as it is.
            keep = self.momentum * self.seen
            for end, found in ((self.low, ops.min(inputs)), (self.high, ops.max(inputs))):
                end.assign(keep * end + (1 - keep) * ops.cast(found, end.dtype))
            self.seen.assign(ops.ones_like(self.seen))
        low = ops.minimum(self.low, 0.0)
        high = ops.maximum(ops.maximum(self.high, 0.0), low + _SMALLEST)
        if keras.backend.backend() == "tensorflow":
            # This op, and no other, tells TensorFlow's converter the range.
            import tensorflow as tf

            return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high, num_bits=8)
        step = (high - low) / _LEVELS
        zero = ops.round(-low / step)
        inside = ops.clip(inputs, -zero * step, (_LEVELS - zero) * step)
        return inside + ops.stop_gradient(ops.round(inside / step) * step - inside)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum}


@keras.saving.register_keras_serializable(package="mcugen")
class QuantizedWeights(keras.layers.Layer):  # type: ignore[misc]
    """Another layer, whose kernel is rounded to int8 whenever it is used. The kernel itself is trained as it is.

    Args:
        layer: of a class in `CHANNEL_AXES`, or a subclass.
        per_channel_dense: one scale per output of a Dense layer, as mcugen's choice of that name.
    """

    def __init__(self, layer: Any, per_channel_dense: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = layer
        self.per_channel_dense = per_channel_dense

    def build(self, input_shape: Any) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        variable = self.layer.kernel
        kernel = ops.convert_to_tensor(variable)
        axes = channel_axes(self.layer) or ()
        if self.per_channel_dense and isinstance(self.layer, keras.layers.Dense):
            axes = (1,)
        others = tuple(n for n in range(len(kernel.shape)) if n not in axes)
        step = ops.maximum(ops.max(ops.abs(kernel), axis=others, keepdims=True), _SMALLEST) / WEIGHT_MAX
        rounded = kernel + ops.stop_gradient(ops.round(kernel / step) * step - kernel)
        with keras.StatelessScope(state_mapping=[(variable, rounded)]):
            return self.layer.call(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        own = {"layer": keras.saving.serialize_keras_object(self.layer), "per_channel_dense": self.per_channel_dense}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> QuantizedWeights:
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})


def channel_axes(layer: Any) -> tuple[int, ...] | None:
    """The axes of a layer's kernel that have scales of their own; None if it has no kernel that int8 rounds."""
    for kind in type(layer).__mro__:
        if kind.__name__ in CHANNEL_AXES and kind.__module__.startswith("keras."):
            return CHANNEL_AXES[kind.__name__]
    return None
