"""Puts fake quantization into a Keras 3 model where mcugen's quantizer will put int8."""

from __future__ import annotations

from typing import Any

from mcugen.errors import ConversionError, ToolError

_SAME_RANGE = (
    "Flatten",
    "Reshape",
    "MaxPooling1D",
    "MaxPooling2D",
    "AveragePooling1D",
    "AveragePooling2D",
    "Dropout",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "Permute",
    "Cropping1D",
    "Cropping2D",
    "UpSampling1D",
    "UpSampling2D",
    "Concatenate",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "RepeatVector",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
)
"""Layers whose output shares the scale of their input."""
_FIXED_RANGE = ("softmax", "sigmoid", "tanh", "log_softmax")
"""Activations whose int8 scale the TFLite specification fixes."""
_FUSED = ("BatchNormalization", "ReLU", "Activation")
"""Layers that become part of the one before them."""


def quantize_aware(model: Any, *, momentum: float = 0.99, per_channel_dense: bool = False) -> Any:
    """A copy of a model, with its weights, that computes as int8 will.

    Kernels are rounded to int8 with one scale per channel (one in all for Dense), activations to 256 levels over
    ranges that follow the batches. Train it on, at a low learning rate; save it; and give it to mcugen, whose quantizer
    takes the trained ranges. Ranges of the model's inputs come from calibration data.

    Args:
        model: a built Keras 3 model, Sequential or functional, without nested models or shared layers.
        momentum: of the ranges' moving averages.
        per_channel_dense: train Dense layers with one scale per output; quantize with that choice, too.

    Raises:
        ConversionError: a model of another kind.
        ToolError: Keras 3 is not installed.
    """
    try:
        import keras
    except ImportError as error:
        raise ToolError("Keras is not installed", hint="pip install 'mcugen[tf]'") from error
    from mcugen.qat.layers import FakeQuantize, QuantizedWeights, channel_axes

    if not isinstance(model, keras.Model) or not isinstance(getattr(model, "inputs", None), list):
        raise ConversionError(
            f"is a {type(model).__name__}, not a built Sequential or functional model of Keras 3",
            where="quantize_aware",
            hint="Give the model an Input layer, or build it; models of tf_keras have tensorflow-model-optimization",
        )
    plain = keras.Model(model.inputs, model.outputs, name=model.name)  # a Sequential hides its input
    readers = _readers(plain, keras)

    def copy(layer: Any) -> Any:
        twin = layer.__class__.from_config(layer.get_config())
        if channel_axes(layer) is None:
            return twin
        return QuantizedWeights(twin, per_channel_dense, name=layer.name)

    called: set[str] = set()

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name in called:
            raise ConversionError(
                "is used more than once", where=f'layer "{layer.name}"', hint="Use a layer of its own in each place"
            )
        called.add(layer.name)
        result = layer(*args, **kwargs)
        original = plain.get_layer(layer.name)
        if not _has_range(original, readers[layer.name], keras):
            return result
        return FakeQuantize(momentum, name=f"{layer.name}_range")(result)

    aware = keras.models.clone_model(plain, clone_function=copy, call_function=call)
    for layer in plain.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        twin = aware.get_layer(layer.name)
        (twin.layer if isinstance(twin, QuantizedWeights) else twin).set_weights(layer.get_weights())
    return aware


def _readers(model: Any, keras: Any) -> dict[str, list[Any]]:
    """The layers that read each layer's output."""
    found: dict[str, list[Any]] = {layer.name: [] for layer in model.layers}
    writer: dict[int, str] = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            raise ConversionError("is a model within the model", where=f'layer "{layer.name}"', hint="Use its layers")
        writer.update((id(tensor), layer.name) for tensor in keras.tree.flatten(layer.output))
    for layer in model.layers:
        if not isinstance(layer, keras.layers.InputLayer):
            for tensor in keras.tree.flatten(layer.input):
                found[writer[id(tensor)]].append(layer)
    return found


def _has_range(layer: Any, readers: list[Any], keras: Any) -> bool:
    """Whether a layer's output becomes an int8 tensor with a range of its own."""
    kind = type(layer).__name__
    if isinstance(layer, keras.layers.InputLayer) or kind in _SAME_RANGE or kind in ("Softmax", "Rescaling"):
        return False
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if activation in _FIXED_RANGE:
        return False
    fused = len(readers) == 1 and type(readers[0]).__name__ in _FUSED
    if fused and type(readers[0]).__name__ == "Activation":
        fused = readers[0].activation.__name__ in ("relu", "relu6", "linear")
    return not (fused and activation == "linear")
