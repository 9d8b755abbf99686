"""Sparse constants: written out as LiteRT reads them, and refused where they do not fit their tensor."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.convert import convert
from mcugen.convert.inspect_source import inspect_model
from mcugen.errors import ModelError
from mcugen.tflite.fields import NUMPY_TYPES, constant, shape_of
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import load_schema, pack_model, type_name, unpack_model
from tests.kernels.single_op import TensorSpec, build_model, options
from tests.kernels.single_op import constant as constant_spec

S = load_schema()
DENSE, COMPRESSED = 0, 1
_VECTORS = {1: ("Int32Vector", np.int32), 2: ("Uint16Vector", np.uint16), 3: ("Uint8Vector", np.uint8)}


def encoded(
    values: NDArray[Any], order: Sequence[int], blocks: dict[int, int], formats: Sequence[int], width: int
) -> tuple[Any, NDArray[Any]]:
    """The sparsity of `values`, and what of them is stored: level by level, as the format's description says."""
    rank = values.ndim
    sizes = [values.shape[axis] // blocks.get(axis, 1) for axis in order] + list(blocks.values())
    levels = [S.DimensionMetadataT(format=f) for f in formats]
    segments: list[list[int]] = [[0] for _ in sizes]
    indices: list[list[int]] = [[] for _ in sizes]
    stored: list[Any] = []

    def elements(prefix: Sequence[int]) -> NDArray[Any]:
        """All values that lie below some indices."""
        rest = itertools.product(*(range(size) for size in sizes[len(prefix) :]))
        found = []
        for tail in rest:
            index = [*prefix, *tail]
            at = dict(zip(order, index[:rank], strict=True))
            for axis, inner in zip(blocks, index[rank:], strict=True):
                at[axis] = at[axis] * blocks[axis] + inner
            found.append(values[tuple(at[axis] for axis in range(rank))])
        return np.array(found)

    def walk(prefix: list[int]) -> None:
        level = len(prefix)
        if level == len(sizes):
            stored.append(elements(prefix)[0])
            return
        taken = [n for n in range(sizes[level]) if formats[level] == DENSE or elements([*prefix, n]).any()]
        indices[level] += taken
        for n in taken:
            walk([*prefix, n])
        segments[level].append(len(indices[level]))

    walk([])
    name, dtype = _VECTORS[width]
    for level, size, ends, listed in zip(levels, sizes, segments, indices, strict=True):
        level.denseSize = size
        if level.format == COMPRESSED:
            level.arraySegmentsType = level.arrayIndicesType = width
            level.arraySegments = getattr(S, f"{name}T")(values=np.array(ends, dtype))
            level.arrayIndices = getattr(S, f"{name}T")(values=np.array(listed, dtype))
    full_order = [*order, *range(rank, rank + len(blocks))]
    sparsity = S.SparsityParametersT(
        traversalOrder=np.array(full_order, np.int32),
        blockMap=np.array(list(blocks), np.int32),
        dimMetadata=levels,
    )
    return sparsity, np.array(stored, values.dtype)


def dense_model(values: NDArray[Any]) -> bytes:
    """A model that adds a constant to its input."""
    scale = 0.1 if values.dtype == np.int8 else None
    x, y = (TensorSpec(values.shape, values.dtype.name, scale) for _ in range(2))
    return build_model("ADD", options("AddOptions"), [x, constant_spec(values, scale)], [y])


def sparse_model(values: NDArray[Any], sparsity: Any, stored: NDArray[Any]) -> bytes:
    model = unpack_model(dense_model(values))
    tensor = next(t for t in model.subgraphs[0].tensors if model.buffers[t.buffer].data is not None)
    tensor.sparsity = sparsity
    model.buffers[tensor.buffer].data = np.frombuffer(stored.tobytes(), np.uint8)
    return pack_model(model)


def read_back(model: bytes) -> NDArray[Any]:
    opened = open_model(model)
    found = [constant(opened.schema, tensor) for tensor in opened.main.tensors]
    (values,) = [value for value in found if value is not None]
    return values


def pruned(seed: int, shape: tuple[int, ...], dtype: str = "float32") -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    values: NDArray[Any] = (rng.integers(1, 100, shape) * (rng.random(shape) < 0.4)).astype(dtype)
    return values


@pytest.mark.parametrize("seed", range(30))
def test_whatever_was_encoded_is_read_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 4))
    blocks = {int(axis): int(rng.integers(2, 4)) for axis in rng.permutation(rank)[: rng.integers(0, rank + 1)]}
    shape = tuple(int(rng.integers(1, 5)) * blocks.get(axis, 1) for axis in range(rank))
    values = pruned(seed, shape, ["float32", "int8"][seed % 2])
    formats = [int(f) for f in rng.integers(0, 2, rank)] + [DENSE] * len(blocks)
    order = [int(axis) for axis in rng.permutation(rank)]
    sparsity, stored = encoded(values, order, blocks, formats, int(rng.integers(1, 4)))
    model = sparse_model(values, sparsity, stored)
    np.testing.assert_array_equal(read_back(model), values)
    opened = open_model(model)
    assert opened.densified == 1
    assert open_model(opened.data).densified == 0, "the model's bytes are dense ones"
    assert any("1 sparse weight tensors were written out" in note for note in inspect_model(opened).notes)


def _wrong_segments(sparsity: Any) -> None:
    sparsity.dimMetadata[1].arraySegments.values[1] = 100


def _falling_segments(sparsity: Any) -> None:
    segments = sparsity.dimMetadata[1].arraySegments.values
    segments[1], segments[2] = segments[-1], 0


def _far_index(sparsity: Any) -> None:
    sparsity.dimMetadata[1].arrayIndices.values[0] = 200


def _double_index(sparsity: Any) -> None:
    values = sparsity.dimMetadata[1].arrayIndices.values
    values[1] = values[0]


def _no_indices(sparsity: Any) -> None:
    sparsity.dimMetadata[1].arrayIndices = None
    sparsity.dimMetadata[1].arrayIndicesType = 0


def _huge_level(sparsity: Any) -> None:
    sparsity.dimMetadata[0].denseSize = 2**31 - 1


def _negative_level(sparsity: Any) -> None:
    sparsity.dimMetadata[0].denseSize = -4


def _unknown_format(sparsity: Any) -> None:
    sparsity.dimMetadata[0].format = 2


def _same_axis_twice(sparsity: Any) -> None:
    sparsity.traversalOrder = np.array([0, 0], np.int32)


def _block_of_no_axis(sparsity: Any) -> None:
    sparsity.traversalOrder = np.array([0, 1, 2], np.int32)
    sparsity.blockMap = np.array([7], np.int32)
    sparsity.dimMetadata.append(S.DimensionMetadataT(format=DENSE, denseSize=1))


def _a_level_too_few(sparsity: Any) -> None:
    sparsity.dimMetadata.pop()


def _too_few_places(sparsity: Any) -> None:
    sparsity.dimMetadata[0].denseSize = 3
    level = sparsity.dimMetadata[1]
    level.arraySegments.values = level.arraySegments.values[:-1]
    level.arrayIndices.values = level.arrayIndices.values[: level.arraySegments.values[-1]]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_wrong_segments, "do not rise"),
        (_falling_segments, "do not rise"),
        (_far_index, "lies outside"),
        (_double_index, "the same place"),
        (_no_indices, "do not fit the level before"),
        (_huge_level, "more places than elements"),
        (_negative_level, "more places than elements"),
        (_unknown_format, "unknown format 2"),
        (_same_axis_twice, "traversal order"),
        (_block_of_no_axis, "block map"),
        (_a_level_too_few, "2 levels do not describe"),
        (_too_few_places, "values for"),
    ],
)
def test_sparsity_that_does_not_fit_is_refused(spoil: Callable[[Any], None], message: str) -> None:
    values = pruned(1, (4, 6)) + np.eye(4, 6, dtype=np.float32) + np.eye(4, 6, 1, dtype=np.float32)
    sparsity, stored = encoded(values, [0, 1], {}, [DENSE, COMPRESSED], 1)
    np.testing.assert_array_equal(read_back(sparse_model(values, sparsity, stored)), values)
    spoil(sparsity)
    with pytest.raises(ModelError, match=message):
        open_model(sparse_model(values, sparsity, stored))


def test_a_sparse_input_or_odd_bytes_are_refused() -> None:
    values = pruned(1, (4, 6))
    sparsity, stored = encoded(values, [0, 1], {}, [DENSE, COMPRESSED], 1)
    model = unpack_model(sparse_model(values, sparsity, stored))
    held = next(t for t in model.subgraphs[0].tensors if t.sparsity is not None)
    model.buffers[held.buffer].data = model.buffers[held.buffer].data[:-1]
    with pytest.raises(ModelError, match="bytes are no whole values"):
        open_model(pack_model(model))
    model.buffers[held.buffer].data = None
    with pytest.raises(ModelError, match="is sparse and no constant"):
        open_model(pack_model(model))


def test_a_small_file_does_not_become_a_large_one() -> None:
    values = pruned(1, (4, 6))
    model = unpack_model(sparse_model(values, *encoded(values, [0, 1], {}, [DENSE, COMPRESSED], 1)))
    for tensor in model.subgraphs[0].tensors:
        tensor.shape = np.array([1 << 11, (1 << 11) + 1], np.int32)
    with pytest.raises(ModelError, match="larger than any board"):
        open_model(pack_model(model))


@pytest.mark.tensorflow
@pytest.mark.parametrize("block", [1, 4])
@pytest.mark.parametrize("kind", ["float32", "float16", "int8"])
def test_pruned_models_of_the_converter_equal_litert(kind: str, block: int) -> None:
    """LiteRT runs the sparse model, with kernels for sparse weights or DENSIFY."""
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(block)
    weights = rng.normal(size=(32, 64)).astype(np.float32)
    weights[np.repeat(rng.random((32, 64 // block)) < 0.7, block, axis=1)] = 0
    layers = [tf.keras.Input((32,)), tf.keras.layers.Dense(64), tf.keras.layers.Dense(4)]
    model = tf.keras.Sequential(layers)
    model.layers[0].set_weights([weights, np.ones(64)])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    samples = rng.normal(size=(8, 32)).astype(np.float32)
    if kind != "float32":
        converter.optimizations.append(tf.lite.Optimize.DEFAULT)
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif kind == "int8":
        converter.representative_dataset = lambda: ([s[None]] for s in samples)
    sparse = converter.convert()
    opened = open_model(sparse)
    assert opened.densified == 1
    wanted, got = _litert(tf, sparse, samples), _litert(tf, opened.data, samples)
    np.testing.assert_array_equal(got, wanted)
    assert len(np.unique(wanted)) > 8
    if kind != "int8":
        assert convert(sparse, samples).report.agreement[0].cosine_similarity > 0.99


def _litert(tf: Any, model: bytes, samples: NDArray[Any]) -> NDArray[Any]:
    reference = tf.lite.experimental.OpResolverType.BUILTIN_REF
    interpreter = tf.lite.Interpreter(model_content=model, experimental_op_resolver_type=reference)
    interpreter.allocate_tensors()
    results = []
    for sample in samples:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.stack(results)


def test_the_encoder_of_these_tests_stores_less() -> None:
    values = pruned(2, (8, 8))
    sparsity, stored = encoded(values, [0, 1], {}, [DENSE, COMPRESSED], 3)
    assert len(stored) == np.count_nonzero(values) < math.prod(values.shape)
    tensor = unpack_model(sparse_model(values, sparsity, stored)).subgraphs[0].tensors[1]
    assert NUMPY_TYPES[type_name(tensor.type)] == values.dtype
    assert shape_of(tensor) == values.shape
