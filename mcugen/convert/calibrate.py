"""Runs float models over samples and watches the ranges of their tensors.

The first choice is TensorFlow Lite Micro's interpreter, which needs no TensorFlow; LiteRT's reference kernels
step in where it lacks an op.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.histogram import Statistics, Sums
from mcugen.convert.types import Attempt, Samples
from mcugen.convert.worker_client import run_worker
from mcugen.errors import ConversionError, ModelError, ToolError
from mcugen.oracle.oracle import Oracle
from mcugen.outputs import temporary_folder, write_arrays
from mcugen.progress import Share
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel, open_model
from mcugen.tflite.schema import type_name
from mcugen.tflite.schema_types import ModelT
from mcugen.tflite.state import takes_sequences
from mcugen.tflite.types import TensorSpec

_TFLM = "run the float model in TensorFlow Lite Micro"
_LITERT = "run the float model in LiteRT"


@dataclass(frozen=True, eq=False)
class Observation:
    """What a float model did on the samples.

    Attributes:
        ranges: real (minimum, maximum) per observed tensor.
        outputs: one array per model output, (N, *output shape).
        values: the kept tensors' values on the last sample.
        statistics: of every observed tensor, if they were asked for.
    """

    ranges: dict[int, tuple[float, float]]
    outputs: tuple[NDArray[Any], ...]
    values: dict[int, NDArray[Any]]
    attempts: tuple[Attempt, ...]
    statistics: Mapping[int, Statistics] = field(default_factory=dict)


def float_activations(model: ModelT) -> list[int]:
    """The float tensors of a model that are computed (or given), not constant."""
    main = model.subgraphs[0]
    used = set(flat.ints(main.inputs)) | set(flat.ints(main.outputs))
    for op in main.operators:
        used.update(i for i in (*flat.ints(op.inputs), *flat.ints(op.outputs)) if i >= 0)
    return [
        i
        for i in sorted(used)
        if type_name(main.tensors[i].type) == "float32" and not flat.is_constant(model, main.tensors[i])
    ]


def feeds(samples: Samples, specs: Sequence[TensorSpec]) -> list[NDArray[Any]]:
    """The samples with every sample in its input's full shape: one (N, *shape) array per input."""
    return [a.reshape((len(a), *spec.shape)) for a, spec in zip(samples.inputs, specs, strict=True)]


def observe(
    model: bytes | OpenedModel,
    inputs: Sequence[NDArray[Any]],
    tensors: Sequence[int],
    outputs: Sequence[int],
    *,
    keep: Sequence[int] = (),
    statistics: bool = False,
    progress: Share | None = None,
) -> Observation:
    """Run a float model on every sample.

    Args:
        model: the float `.tflite`.
        inputs: one (N, *shape) array per model input.
        tensors: ids of the tensors whose ranges are wanted.
        outputs: ids of the model's outputs.
        keep: ids of the tensors whose values are wanted.
        statistics: histograms and means of `tensors`, too.

    Raises:
        ConversionError: no interpreter runs the model, or it computes non-finite numbers.
    """
    opened = open_model(model)
    tflite, afresh = opened.data, takes_sequences(opened.schema)
    try:
        observation = _observe_tflm(tflite, inputs, tensors, outputs, keep, statistics, progress, afresh=afresh)
    except (ModelError, ToolError) as error:
        first = Attempt(_TFLM, error.what)
        try:
            observation = _observe_litert(tflite, inputs, tensors, keep, statistics, progress, first, afresh=afresh)
        except ToolError as second:
            raise ConversionError(
                f"no installed interpreter can run the float model: {_TFLM}: {first.outcome}; {_LITERT}: {second.what}",
                hint="Check the model in Python first",
            ) from None
    _check_finite(observation, model)
    return observation


def second_witness(model: OpenedModel, inputs: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...] | None:
    """What LiteRT computes as the outputs, one (N, *shape) array each; None where it is absent or does not run this."""
    first = Attempt(_TFLM, "its results are in doubt")
    afresh = takes_sequences(model.schema)
    try:
        return _observe_litert(model.data, inputs, (), (), False, None, first, afresh=afresh).outputs
    except (ToolError, ConversionError):
        return None


def ran_in_tflm(observation: Observation) -> bool:
    """Whether TensorFlow Lite Micro ran the model, and not LiteRT in its place."""
    return observation.attempts[-1].step == _TFLM


def _observe_tflm(
    tflite: bytes,
    inputs: Sequence[NDArray[Any]],
    tensors: Sequence[int],
    outputs: Sequence[int],
    keep: Sequence[int],
    statistics: bool,
    progress: Share | None,
    *,
    afresh: bool,
) -> Observation:
    low, high = np.full(len(tensors), np.inf), np.full(len(tensors), -np.inf)
    sums = [Sums() for _ in tensors] if statistics else []
    results: list[list[NDArray[Any]]] = [[] for _ in outputs]
    values: list[NDArray[Any]] = []
    ids = [*tensors, *outputs, *keep]
    count = len(inputs[0])
    with Oracle(tflite, afresh=afresh) as oracle:
        for n in range(count):
            values = oracle.tensors([a[n] for a in inputs], ids)
            for k in range(len(tensors)):
                # NaN in a tensor makes the range NaN, which _checked refuses.
                low[k] = np.minimum(low[k], values[k].min())
                high[k] = np.maximum(high[k], values[k].max())
            for total, seen in zip(sums, values, strict=False):
                total.add(seen)
            for k, result in enumerate(results):
                result.append(values[len(tensors) + k])
            if progress is not None:
                progress((n + 1) / count)
    ranges = {i: (float(low[k]), float(high[k])) for k, i in enumerate(tensors)}
    kept = dict(zip(keep, values[len(tensors) + len(outputs) :], strict=True))
    return Observation(
        ranges,
        tuple(np.stack(r) for r in results),
        kept,
        (Attempt(_TFLM, "ok"),),
        {i: total.statistics() for i, total in zip(tensors, sums, strict=False)},
    )


def _observe_litert(
    tflite: bytes,
    inputs: Sequence[NDArray[Any]],
    tensors: Sequence[int],
    keep: Sequence[int],
    statistics: bool,
    progress: Share | None,
    first: Attempt,
    *,
    afresh: bool,
) -> Observation:
    with temporary_folder() as folder:
        (folder / "model.tflite").write_bytes(tflite)
        write_arrays(folder / "samples.npz", **{f"input_{n}": a for n, a in enumerate(inputs)})
        request = {
            "job": "observe",
            "tensors": list(tensors),
            "keep": list(keep),
            "statistics": statistics,
            "afresh": afresh,
        }
        answer = run_worker(folder, request, progress=progress)
        if answer.error:
            raise ToolError(answer.error)
        with np.load(folder / "observed.npz", allow_pickle=False) as stored:
            outputs = tuple(stored[f"output_{n}"] for n in range(len([f for f in stored.files if "output" in f])))
            low, high = stored["low"], stored["high"]
            values = {i: stored[f"keep_{i}"] for i in keep}
            known = {i: Statistics(stored[f"counts_{i}"], stored[f"mean_{i}"]) for i in tensors if statistics}
    ranges = {i: (float(low[k]), float(high[k])) for k, i in enumerate(tensors)}
    return Observation(ranges, outputs, values, (first, Attempt(_LITERT, "ok")), known)


def _check_finite(observation: Observation, model: bytes | OpenedModel) -> None:
    bad = [i for i, (low, high) in observation.ranges.items() if not (np.isfinite(low) and np.isfinite(high))]
    if bad:
        main = open_model(model).main
        # Tensor ids are no execution order: name the first op that writes a bad tensor.
        writers = [i for op in main.operators for i in flat.ints(op.outputs) if i in bad]
        first = writers[0] if writers else bad[0]
        raise ConversionError(
            "the float model computes NaN or infinity on the calibration data",
            where=f'layer "{flat.layer_of(flat.name_of(main.tensors[first], first))}"',
            hint="Check the model's weights and the range of the data",
        )
