"""What needs ONNX: from an ONNX model to a float32 `.tflite`, with onnx2tf. Runs in the worker process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcugen.convert.given_shapes import check_names, fixed_shape
from mcugen.convert.reference import Slot, drawn_inputs, write_reference
from mcugen.errors import ConversionError


def convert_onnx(path: Path, folder: Path, shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Convert an `.onnx` file: `float.tflite` in `folder`, and in `reference.npz` what ONNX Runtime computes.

    Args:
        shapes: of inputs, as the user gives them.

    Returns:
        `inputs` and `outputs`: pairs of a tensor's name in the `.tflite` and its name in ONNX (the same), in order.

    Raises:
        ConversionError: a shape that is not fixed, or onnx2tf gave up.
        Exception: whatever these packages raise.
    """
    import onnx
    import onnx2tf
    import onnxruntime

    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    slots = _fix_inputs(model, onnx, shapes)
    inputs = [slot.name for slot in slots]
    outputs = [o.name for o in model.graph.output]
    samples = drawn_inputs(slots)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    results = [
        session.run(outputs, {name: a[n] for name, a in zip(inputs, samples, strict=True)})
        for n in range(len(samples[0]))
    ]
    write_reference(folder, samples, [np.stack(one) for one in zip(*results, strict=True)])
    _write_out_states(model, onnx)
    made, fixed = folder / "onnx2tf", folder / "fixed.onnx"
    onnx.save(model, str(fixed))
    try:
        onnx2tf.convert(
            input_onnx_file_path=str(fixed),
            output_folder_path=str(made),
            copy_onnx_input_output_names_to_tflite=True,
            keep_shape_absolutely_input_names=inputs,
            non_verbose=True,
        )
    except SystemExit:  # its way to refuse a model, after it printed why
        raise ConversionError("onnx2tf cannot convert the model", hint="Run onnx2tf by itself to see why") from None
    (found,) = made.glob("*_float32.tflite")
    found.rename(folder / "float.tflite")
    return {"inputs": [(n, n) for n in inputs], "outputs": [(n, n) for n in outputs]}


def _write_out_states(model: Any, onnx: Any) -> None:
    """Give LSTM nodes that begin with zeros these zeros as inputs, in place: onnx2tf asks for them."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.input)
    }
    for number, node in enumerate(model.graph.node):
        shape = shapes.get(node.input[0], []) if node.op_type == "LSTM" else []
        attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        if len(shape) != 3 or not all(shape) or attributes.get("layout", 0):
            continue
        directions = 2 if attributes.get("direction", b"forward") == b"bidirectional" else 1
        inputs = [*node.input, *[""] * (8 - len(node.input))]
        for position in (5, 6):  # the states: hidden, cell
            if not inputs[position]:
                inputs[position] = f"mcugen_state{number}_{position}"
                zeros = np.zeros((directions, shape[1], attributes["hidden_size"]), np.float32)
                model.graph.initializer.append(onnx.numpy_helper.from_array(zeros, inputs[position]))
        del node.input[:]
        node.input.extend(inputs if inputs[7] else inputs[:7])


def _fix_inputs(model: Any, onnx: Any, shapes: Mapping[str, Sequence[int]]) -> list[Slot]:
    """The model's inputs; an open batch becomes 1 in the model, too, and other dimensions what the user gives."""
    constants = {tensor.name for tensor in model.graph.initializer}
    check_names([given.name for given in model.graph.input if given.name not in constants], shapes)
    slots = []
    for given in model.graph.input:
        if given.name in constants:
            continue
        kind = given.type.tensor_type
        # A size of 0 is no size: some exporters write it for an open one.
        stated = [d.dim_value if d.HasField("dim_value") and d.dim_value else None for d in kind.shape.dim]
        shape = fixed_shape(given.name, stated, shapes, hint="export the model with a fixed input shape")
        for dimension, size in zip(kind.shape.dim, shape, strict=True):
            dimension.dim_value = size
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        slots.append(Slot(given.name, shape, dtype.name))
    del model.graph.value_info[:]  # shapes that were inferred for the open batch
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return slots
