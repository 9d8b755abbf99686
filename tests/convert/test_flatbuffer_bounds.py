"""Unpacking hostile flatbuffers, packing aligned ones."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.convert.inspect_source import inspect_model
from mcugen.errors import McugenError, ModelError
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import pack_model, printable, unpack_model
from tests.convert.float_models import S, small_dense


def test_pack_and_unpack_keep_the_model() -> None:
    data = small_dense()
    assert pack_model(unpack_model(data)) == data


def test_buffers_are_aligned_to_16() -> None:
    data = small_dense()
    model = S.Model.GetRootAs(data, 0)
    offsets = []
    for i in range(model.BuffersLength()):
        content = model.Buffers(i).DataAsNumpy()
        if not isinstance(content, int) and content.size:
            offsets.append(content.__array_interface__["data"][0] - np.frombuffer(data, np.uint8).ctypes.data)
    assert len(offsets) == 4
    assert all(offset % 16 == 0 for offset in offsets)


def test_every_truncation_is_one_clear_error() -> None:
    data = small_dense()
    for length in range(0, len(data) - 8, 7):
        try:
            inspect_model(open_model(data[:length]))
        except ModelError:
            continue
        # Bytes that were cut off at the end may be padding, or data that the reader does not need.
        assert length > len(data) // 2


def test_random_damage_never_escapes_as_another_error() -> None:
    data = small_dense()
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(400):
        damaged = bytearray(data)
        for position in rng.integers(8, len(data), rng.integers(1, 12)):
            damaged[position] = rng.choice([0, 1, 127, 128, 255])
        try:
            inspect_model(open_model(bytes(damaged)))
        except McugenError:
            refused += 1
    assert refused > 100


def test_small_file_that_unpacks_to_gigabytes_is_refused() -> None:
    # 20 000 tensors that all point at the same 600 000 byte name.
    tensors = 20_000
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    name = builder.CreateString("n" * 600_000)
    S.TensorStart(builder)
    S.TensorAddName(builder, name)
    tensor = S.TensorEnd(builder)
    S.SubGraphStartTensorsVector(builder, tensors)
    for _ in range(tensors):
        builder.PrependUOffsetTRelative(tensor)
    vector = builder.EndVector()
    S.SubGraphStart(builder)
    S.SubGraphAddTensors(builder, vector)
    subgraph = S.SubGraphEnd(builder)
    S.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(subgraph)
    subgraphs = builder.EndVector()
    S.ModelStart(builder)
    S.ModelAddVersion(builder, 3)
    S.ModelAddSubgraphs(builder, subgraphs)
    builder.Finish(S.ModelEnd(builder), file_identifier=b"TFL3")
    with pytest.raises(ModelError, match="truncated or corrupted"):
        unpack_model(bytes(builder.Output()))


def test_wrong_version_and_wrong_kind() -> None:
    model = unpack_model(small_dense())
    model.version = 7
    with pytest.raises(ModelError, match="schema version 7"):
        unpack_model(pack_model(model))
    with pytest.raises(ModelError, match="TFL3 identifier"):
        unpack_model(b"\0" * 64)


def test_names_are_printable_and_short() -> None:
    assert printable(b"a\x1b[31m\nb\xff") == "a?[31m?b\ufffd"
    assert len(printable("x" * 5000)) == 400
