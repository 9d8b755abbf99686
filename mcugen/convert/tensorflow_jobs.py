"""What needs TensorFlow: load a model and convert it to a float32 `.tflite`. Runs in the worker process.

Only this module, `frozen_graph` and the worker import TensorFlow.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from mcugen.convert.checkpoint import frozen_checkpoint
from mcugen.convert.frozen_graph import convert_frozen
from mcugen.convert.given_shapes import check_names, fixed_shape
from mcugen.convert.given_signature import chosen_signature
from mcugen.convert.graph_inputs import graph_scaling
from mcugen.convert.histogram import Sums
from mcugen.convert.keras_front import without_leading
from mcugen.convert.keras_inputs import live_scaling
from mcugen.convert.keras_recurrent import refuse_masks, without_dropout
from mcugen.convert.keras_scale import Dimension, scaled_model
from mcugen.convert.mixed_precision import in_float32
from mcugen.convert.output_names import NamedShape, with_output_names
from mcugen.convert.types import OwnScaling
from mcugen.errors import ConversionError, McugenError
from mcugen.guard.frozen_graph import checked_graph
from mcugen.guard.keras_files import KerasKind, checked_copy
from mcugen.guard.own_objects import define_objects, layers_of_applications
from mcugen.guard.saved_model import checked_folder
from mcugen.outputs import write_arrays
from mcugen.progress import Share

SavedKind = KerasKind | Literal["saved_model", "frozen graph", "checkpoint"]
"""What TensorFlow loads from disk."""


def load_and_convert(
    kind: SavedKind,
    path: str,
    folder: Path,
    *,
    legacy: bool,
    trusted: bool = False,
    scale: tuple[Dimension, float] | None = None,
    own: Path | None = None,
    shapes: Mapping[str, Sequence[int]] = MappingProxyType({}),
    signature: str = "",
    cut: Mapping[str, Any] | None = None,
) -> tuple[bytes, OwnScaling | None, float]:
    """A Keras file, SavedModel folder or frozen graph as float32 `.tflite`, batch 1; what it does first with its
    input; and how far its first layers are from what takes their place, if they are `cut`.

    Args:
        folder: where the checked copy is made that is loaded.
        trusted: what the file names is not checked, and its Lambda layers run.
        own: the user's Python file, whose classes and functions a Keras file may name.
        shapes: of inputs, as the user gives them.
        signature: of a SavedModel the one that is meant, of a frozen graph its inputs and outputs.
        cut: which first layers to leave out, see :func:`mcugen.convert.keras_front.without_leading`.
        scale: take the architecture of a Keras model with this dimension times this factor, and new weights.

    Raises:
        ModelError: damaged, or it could run foreign code.
        ConversionError: the model needs a shape that is not fixed, or loads but does not convert: another way of
            loading will not help.
        Exception: whatever TensorFlow raises when it cannot load the model.
    """
    if kind == "saved_model":
        return *_convert_saved_model(str(checked_folder(Path(path), folder, trusted=trusted)), shapes, signature), 0.0
    if kind == "frozen graph":
        return *convert_frozen(checked_graph(Path(path), trusted=trusted), shapes, signature), 0.0
    if kind == "checkpoint":
        return *convert_frozen(frozen_checkpoint(Path(path), signature, trusted=trusted), shapes, signature), 0.0
    objects: Mapping[str, Any] = {}
    if own is not None:
        if legacy:
            import tf_keras as keras_of_file
        else:
            import keras as keras_of_file
        objects = define_objects(own, keras_of_file.utils.get_registered_name)
    copy = checked_copy(Path(path), kind, folder, trusted=trusted, own=objects)
    if legacy:
        import tf_keras

        options = {"safe_mode": False} if trusted and kind == "keras" else {}
        known = {**layers_of_applications(), **objects}
        model = tf_keras.models.load_model(copy, compile=False, custom_objects=known, **options)
    else:
        import keras

        import mcugen.qat.layers  # noqa: F401 (registers them)

        model = keras.saving.load_model(copy, compile=False, safe_mode=not trusted, custom_objects=dict(objects))
    difference = 0.0
    try:
        if cut is not None:
            model, difference = without_leading(model, cut, folder)
        made = convert_keras(model if scale is None else scaled_model(model, *scale), shapes)
        return made, live_scaling(model), difference
    except McugenError:
        raise
    except Exception as error:  # whatever the converter raises
        raise ConversionError(
            f"TensorFlow loads the model but cannot convert it: {explain(error)}",
            hint="Rewrite the layer with TensorFlow Lite built-in ops",
        ) from error


def convert_keras(model: Any, shapes: Mapping[str, Sequence[int]] = MappingProxyType({})) -> bytes:
    """A Keras model object (Keras 3 or tf_keras) as float32 `.tflite`, batch fixed to 1.

    Ways, in this order: a concrete function with the batch fixed (no dynamic shapes are left in the result),
    the converter's own Keras path, an exported SavedModel.
    """
    import tensorflow as tf

    model = in_float32(model)
    inputs = list(getattr(model, "inputs", None) or [])
    check_names([_plain(tensor.name) for tensor in inputs], shapes)
    fixed = [
        fixed_shape(_plain(tensor.name), _sizes(tensor), shapes, hint="build the model with a fixed input shape")
        for tensor in inputs
    ]
    ways: list[Callable[[], bytes]] = [
        lambda: tf.lite.TFLiteConverter.from_keras_model(model).convert(),
        lambda: _export_and_convert(model),
    ]
    if inputs:
        ways.insert(0, lambda: _convert_concrete(model, inputs, fixed))
    if shapes:
        del ways[1:]  # which know nothing of them
    refuse_masks(model)
    with without_dropout(model):
        return with_output_names(_first_that_works(ways), _keras_outputs(model))


def _keras_outputs(model: Any) -> list[NamedShape]:
    """Outputs by the names of their layers, or the keys that the model gives them, in the converter's order."""
    names, outputs = list(getattr(model, "output_names", None) or []), list(getattr(model, "outputs", None) or [])
    structure = getattr(model, "output", None) if outputs else None
    if isinstance(structure, Mapping):
        names, outputs = sorted(structure), [structure[key] for key in sorted(structure)]
    if len(names) != len(outputs):
        return []
    return [(_plain(name), tuple(output.shape)) for name, output in zip(names, outputs, strict=True)]


def _sizes(tensor: Any) -> list[int | None]:
    return [None if d is None else int(d) for d in tensor.shape]


def _convert_concrete(model: Any, inputs: list[Any], shapes: Sequence[tuple[int, ...]]) -> bytes:
    import tensorflow as tf

    specs = [tf.TensorSpec(shape, t.dtype, name=_plain(t.name)) for t, shape in zip(inputs, shapes, strict=True)]

    def call(*values: Any) -> Any:
        return model(values[0] if len(values) == 1 else list(values), training=False)

    concrete = tf.function(call).get_concrete_function(*specs)
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert())


def _export_and_convert(model: Any) -> bytes:
    with tempfile.TemporaryDirectory(prefix="mcugen-") as folder:
        model.export(folder)
        return _convert_saved_model(folder)[0]


def _convert_saved_model(
    path: str, shapes: Mapping[str, Sequence[int]] = MappingProxyType({}), given: str = ""
) -> tuple[bytes, OwnScaling | None]:
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    signatures = dict(loaded.signatures)
    if not signatures:
        raise ConversionError(
            "the SavedModel has no signature, so its inputs are unknown",
            hint="Save it with model.export(folder), or pass signatures= to tf.saved_model.save",
        )
    name = chosen_signature(list(signatures), given)
    signature = signatures[name]

    wanted = signature.structured_input_signature[1]
    check_names(list(wanted), shapes)
    hint = "save the model with a fixed input shape"
    fixed = {
        key: fixed_shape(key, _sizes(spec), shapes, hint=hint) if spec.shape.rank is not None else None
        for key, spec in wanted.items()
    }
    scaling: list[OwnScaling | None] = [None]

    def fixed_batch() -> bytes:
        specs = {key: tf.TensorSpec(fixed[key], spec.dtype, name=key) for key, spec in wanted.items()}
        concrete = tf.function(lambda **values: signature(**values)).get_concrete_function(**specs)
        scaling[0] = graph_scaling(concrete)
        return bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert())

    def as_saved() -> bytes:
        return bytes(tf.lite.TFLiteConverter.from_saved_model(path, signature_keys=[name]).convert())

    made = _first_that_works([fixed_batch] if shapes else [fixed_batch, as_saved])
    named = sorted(signature.structured_outputs.items())
    return with_output_names(made, [(_plain(key), tuple(spec.shape)) for key, spec in named]), scaling[0]


def _first_that_works(ways: list[Callable[[], bytes]]) -> bytes:
    errors: list[Exception] = []
    for way in ways:
        try:
            return way()
        except Exception as error:  # each way has its own ways to fail
            errors.append(error)
    # The later ways are makeshifts; what the first one said concerns the model.
    raise errors[0]


def observe(
    folder: Path, tensors: list[int], keep: list[int], statistics: bool, progress: Share, *, afresh: bool
) -> dict[str, Any]:
    """Run `model.tflite` on `samples.npz` (input_0 …, with batch) with LiteRT's reference kernels.

    Writes `observed.npz`: `low` and `high` (one per tensor of `tensors`), `output_0` …, and `keep_<id>`, the
    values on the last sample; with `statistics` also `counts_<id>` and `mean_<id>` of `tensors`. With `afresh`, no
    sample knows of those before it.
    """
    interpreter = _interpreter((folder / "model.tflite").read_bytes())
    interpreter.allocate_tensors()
    samples = _samples(folder)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    low, high = np.full(len(tensors), np.inf), np.full(len(tensors), -np.inf)
    sums = [Sums() for _ in tensors] if statistics else []
    results: list[list[Any]] = [[] for _ in outputs]
    count = len(samples[0])
    for i in range(count):
        for details, values in zip(inputs, samples, strict=True):
            interpreter.set_tensor(details["index"], values[i])
        if afresh:
            interpreter.reset_all_variables()
        interpreter.invoke()
        for n, tensor in enumerate(tensors):
            value = interpreter.get_tensor(tensor)
            low[n], high[n] = min(low[n], float(value.min())), max(high[n], float(value.max()))
            if statistics:
                sums[n].add(value)
        for result, details in zip(results, outputs, strict=True):
            result.append(interpreter.get_tensor(details["index"]))
        progress((i + 1) / count)
    arrays: dict[str, Any] = {f"output_{n}": np.stack(r) for n, r in enumerate(results)}
    arrays.update((f"keep_{i}", interpreter.get_tensor(i)) for i in keep)
    for i, total in zip(tensors, sums, strict=False):
        known = total.statistics()
        arrays.update({f"counts_{i}": known.counts, f"mean_{i}": known.mean})
    write_arrays(folder / "observed.npz", low=low, high=high, **arrays)
    return {}


def shapes_of(folder: Path, inputs: Sequence[Sequence[int]]) -> dict[str, Any]:
    """The shapes of all tensors of `model.tflite`'s main graph, by id, where its inputs have these shapes."""
    interpreter = _interpreter((folder / "model.tflite").read_bytes())
    for details, shape in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.resize_tensor_input(details["index"], list(shape))
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    interpreter.invoke()  # shapes that are computed are known then
    return {"shapes": {int(t["index"]): [int(d) for d in t["shape"]] for t in interpreter.get_tensor_details()}}


def quantize_16x8(folder: Path, per_tensor_dense: bool, progress: Share) -> None:
    """Quantize `model.tflite` with the samples of `samples.npz` to `quantized.tflite`, all of it in int16 and int8.

    `per_tensor_dense`: fully connected layers get a single scale for all outputs.
    """
    import tensorflow as tf
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    samples = _samples(folder)
    count = len(samples[0])

    def calibration() -> Iterator[list[Any]]:
        for i in range(count):
            yield [values[i] for values in samples]
            progress((i + 1) / count)

    quantizer = Calibrator((folder / "model.tflite").read_bytes())
    made = quantizer.calibrate_and_quantize(
        calibration,
        tf.int16,
        tf.int16,
        allow_float=False,
        activations_type=tf.int16,
        bias_type=tf.int64,
        disable_per_channel_quantization_for_dense_layers=per_tensor_dense,
    )
    (folder / "quantized.tflite").write_bytes(bytes(made))


def _samples(folder: Path) -> list[Any]:
    """One array per model input."""
    with np.load(folder / "samples.npz", allow_pickle=False) as stored:
        return [stored[f"input_{n}"] for n in range(len(stored.files))]


def _interpreter(model: bytes) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ModuleNotFoundError:  # the same interpreter is in TensorFlow
        import tensorflow as tf

        Interpreter, OpResolverType = tf.lite.Interpreter, tf.lite.experimental.OpResolverType
    return Interpreter(
        model_content=model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )


def explain(error: BaseException) -> str:
    """One sentence out of TensorFlow's many lines."""
    text = str(error)
    missing = sorted(set(re.findall(r"'?(tf\.\w+)'? op is neither a custom op nor a flex op", text)))
    if missing:
        layers = sorted(set(re.findall(r'loc\((?:fused\[)?"([^"]+)"', text)))
        place = f' (layer "{layers[0].split("@")[0].rstrip(":")}")' if layers else ""
        return f"TensorFlow Lite has no built-in op for {', '.join(missing)}{place}: rewrite that layer with other ops"
    custom = re.search(r"(?:Unknown layer|Could not locate class|Unknown object)[^'\"]*['\"]?([\w>.]+)", text)
    if custom:
        return (
            f"the model uses the class {custom.group(1)!r}, which this Keras does not know: "
            "load the model in Python and pass the object to mcugen.api.quantize"
        )
    if "No model config found" in text or "No model found in config" in text:
        return "the file holds weights only, no model: save the whole model with model.save('model.keras')"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Keras adds the layer's whole configuration.
    first = lines[0].split(" using config=")[0][:300] if lines else "no message"
    return f"{type(error).__name__}: {first}"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name.split(":")[0]) or "input"
