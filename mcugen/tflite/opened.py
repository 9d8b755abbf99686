"""A model file, opened: unpacked and checked once, then handed on as a value."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

from mcugen.tflite.check import check_model
from mcugen.tflite.schema import pack_model, unpack_model
from mcugen.tflite.schema_types import ModelT, SubGraphT
from mcugen.tflite.sparse import densify


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A `.tflite` that passed :func:`mcugen.tflite.check.check_model`.

    Attributes:
        data: the flatbuffer.
        schema: its object form. Whoever holds the model shares it, so it is only read; `copy` is there to be changed.
        densified: how many constants were sparse in the file. Then `data` holds them written out, for all that follows.
    """

    data: bytes
    schema: ModelT
    densified: int = 0

    @property
    def main(self) -> SubGraphT:
        """The subgraph that an inference runs."""
        return self.schema.subgraphs[0]

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def copy(self) -> ModelT:
        """The object form once more, to be changed. The bytes of constants are shared: replace them as a whole."""
        shared = {id(buffer.data): buffer.data for buffer in self.schema.buffers}
        return copy.deepcopy(self.schema, shared)


def open_model(model: bytes | OpenedModel) -> OpenedModel:
    """Unpack and check a `.tflite`. What is open already is taken as it is.

    Raises:
        ModelError: not a `.tflite`, truncated, corrupted, or it holds what nothing here can run.
    """
    if isinstance(model, OpenedModel):
        return model
    schema = unpack_model(model)
    check_model(schema)
    if densified := densify(schema):
        return replace(open_model(pack_model(schema)), densified=densified)
    return OpenedModel(model, schema)


def packed(model: ModelT) -> OpenedModel:
    """A changed object form as a file."""
    return open_model(pack_model(model))
