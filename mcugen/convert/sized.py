"""A `.tflite` with open dimensions, given their sizes: every tensor's shape follows from those of the inputs."""

from __future__ import annotations

import numpy as np

from mcugen.convert.data_specs import short_name
from mcugen.convert.given_shapes import Shapes, check_names, fixed_shape
from mcugen.convert.worker_client import run_worker
from mcugen.errors import ConversionError
from mcugen.outputs import temporary_folder
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel, packed


def with_shapes(opened: OpenedModel, given: Shapes) -> OpenedModel:
    """The model with its inputs of these shapes.

    Raises:
        ModelError: a shape for an input that it does not have.
        ConversionError: shapes that do not fit it.
        ToolError: TensorFlow, whose interpreter works the shapes out, is not installed.
    """
    model = opened.copy()
    main = model.subgraphs[0]
    tensors = [main.tensors[i] for i in flat.ints(main.inputs)]
    names = [short_name(flat.name_of(t, i)) for t, i in zip(tensors, flat.ints(main.inputs), strict=True)]
    check_names(names, given)
    fixed = []
    for name, tensor in zip(names, tensors, strict=True):
        signature = flat.ints(tensor.shapeSignature) or flat.shape_of(tensor)
        fixed.append(fixed_shape(name, [None if d < 0 else d for d in signature], given))
    with temporary_folder() as folder:
        (folder / "model.tflite").write_bytes(opened.data)
        answer = run_worker(folder, {"job": "shapes", "inputs": fixed})
    if answer.error:
        raise ConversionError(
            f"the model does not run with these shapes: {answer.error}",
            where="`input_shape`",
            hint="Take the shape that the model was trained with",
        )
    for i, shape in answer.result["shapes"].items():
        if int(i) < len(main.tensors):  # beyond are those that kernels made for themselves
            main.tensors[int(i)].shape = np.array(shape, np.int32)
            main.tensors[int(i)].shapeSignature = None
    return packed(model)
