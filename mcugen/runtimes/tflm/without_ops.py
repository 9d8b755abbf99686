"""A model without the ops that the host's interpreter does not have, to learn how much memory the others need."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from mcugen.errors import ModelError
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel, packed


def without_ops(model: OpenedModel, kinds: Collection[str]) -> OpenedModel | None:
    """The model without ops of some kinds: what they make comes in, what they take goes out.

    So tensors live as long as in the model or longer, and an arena that holds this one holds the model's tensors.

    Returns:
        The model; None if it has no other ops.

    Raises:
        ModelError: such an op is in a subgraph that other ops call, whose inputs and outputs are given.
    """
    changed = model.copy()
    for subgraph in changed.subgraphs[1:]:
        for index, op in enumerate(subgraph.operators):
            if flat.kind_of(changed, op) in kinds:
                raise ModelError(
                    "the arena cannot be computed for a model with a custom op in a subgraph",
                    where=flat.where(changed, subgraph, index),
                    hint="Set its size with `arena=BYTES`",
                )
    main = changed.subgraphs[0]
    inputs, outputs = list(flat.ints(main.inputs)), list(flat.ints(main.outputs))
    left = []
    for op in main.operators:
        if flat.kind_of(changed, op) not in kinds:
            left.append(op)
            continue
        taken = (i for i in flat.ints(op.inputs) if i >= 0 and not flat.is_constant(changed, main.tensors[i]))
        inputs += flat.ints(op.outputs)
        outputs += taken
    if not left:
        return None
    main.operators = left
    main.inputs, main.outputs = (np.array(list(dict.fromkeys(ids)), np.int32) for ids in (inputs, outputs))
    changed.signatureDefs = None
    return packed(changed)
