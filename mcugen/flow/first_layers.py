"""A Keras model whose first layers become a front end: its own data as a signal, and as what the rest of it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.cut import CutModel
from mcugen.convert.data import load_samples
from mcugen.convert.data_objects import Part
from mcugen.convert.keras_front import IMAGE_LAYERS, Leading, leading_layers
from mcugen.convert.keras_inputs import own_scaling_of_file
from mcugen.convert.sources import identify
from mcugen.convert.types import Samples
from mcugen.errors import DataError, PipelineError
from mcugen.names import FrontEnds, Runtime
from mcugen.pipeline.from_layers import FrontOfLayers, front_of_layers
from mcugen.tflite.types import TensorSpec

_PROBES = 6
_KINDS = {"image": "lines of pixels", "audio": "samples of sound", "table": "rows of columns"}
_LEAST_INTEGERS = 1.5
"""Pixels from 0 to 1 are below it, those from 0 to 255 are not all."""


@dataclass(frozen=True, eq=False)
class FirstLayers:
    """What takes the place of a model's first layers.

    Attributes:
        front: the front end, as a pipeline without a decision.
        cut: the model behind it.
    """

    leading: Leading
    front: FrontOfLayers
    cut: CutModel

    @property
    def input(self) -> TensorSpec:
        return self.leading.input

    @property
    def note(self) -> str:
        """The one line that tells what was done."""
        kind = self.front.pipeline.signal.kind
        what = f"{self.leading.names} became a front end, whose"
        return f"{what} input is {_KINDS[kind]} (model/pipeline.toml in the project)"

    def samples(self, data: Any, part: Part = "calibration", names: tuple[str, ...] = ()) -> Samples:
        """Samples of the whole model's input.

        Raises:
            DataError: see :func:`mcugen.convert.data.load_samples`.
        """
        return load_samples(data, (self.input,), scale_images=False, part=part, names=names)

    def frames(self, values: NDArray[Any]) -> NDArray[Any]:
        """Samples (n, …) as one signal, frame after frame.

        Raises:
            DataError: they are not what a sensor gives.
        """
        signal = self.front.pipeline.signal
        scaled = np.asarray(values, np.float64) * self.front.unit
        if signal.dtype == "float32":
            return np.ascontiguousarray(values.reshape(-1, signal.channels), np.float32)
        info = np.iinfo(signal.dtype)
        if scaled.size and not (info.min <= scaled.min() and scaled.max() <= info.max + (self.front.unit > 1)):
            limits = "from −1 to 1" if self.front.unit > 1 else f"from {info.min} to {info.max}"
            raise DataError(
                f"holds values from {values.min():g} to {values.max():g}, and those of {_KINDS[signal.kind]} are "
                f"{limits}",
                where="`data`",
                hint="Pass what the sensor gives, as in training",
            )
        whole = np.clip(np.rint(scaled), info.min, info.max).astype(signal.dtype)
        return np.ascontiguousarray(whole.reshape(-1, signal.channels))

    def rows(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """What the rest of the model takes for samples (n, …): (n, values of a row)."""
        if not len(values):
            return np.zeros((0, self.front.pipeline.front_end.rows().values), np.float32)
        made = [self.front.pipeline.rows(self.frames(one[np.newaxis])) for one in values]
        return np.concatenate(made).reshape(len(values), -1)

    def labelled(self, samples: Samples) -> Any:
        """The same as data of the rest of the model: (rows, labels), or rows alone."""
        rows = self.rows(samples.inputs[0])
        return rows if samples.targets is None else (rows, samples.targets)


def first_layers(source: object, folder: Path, data: Any, *, needed_only: bool) -> FirstLayers | None:
    """What takes the place of a model's first layers; None where nothing has to, or can.

    Args:
        folder: where a Keras object is saved.
        data: calibration data; of images it shows whether they are bytes of pixels.
        needed_only: leave what can be ops of the model as it is.

    Raises:
        ConversionError, PipelineError: no front end can take over a layer that is no op.
        DataError: calibration data that is not what a sensor gives.
    """
    found = identify(source)
    if found.kind == "keras object":
        path = folder / "whole.keras"
        try:
            found.model.save(path)
        except Exception:  # Keras raises whatever the user's layers raise; conversion tells it
            return None
        found = identify(path)
    leading = leading_layers(found)
    if leading is None:
        return None
    only_images = all(layer.kind in (*IMAGE_LAYERS, "Rescaling") for layer in leading.layers)
    if only_images and needed_only:
        return None
    shape = leading.input.shape[1:]
    front = front_of_layers(leading.layers, shape, leading.input.dtype)
    assert found.path is not None
    if front is None or (only_images and not _are_bytes(leading, found.path, data)):
        return None
    cut = CutModel(found.path, found.name, (), (), np.zeros(0), np.zeros(0), 0.0)
    made = FirstLayers(leading, front, cut)
    probe = _probe(made)
    names = tuple(layer.name for layer in leading.layers)
    absorbed = front.unit == 1.0 and front.pipeline.signal.kind == "audio"
    again = () if absorbed else front.again
    cut = CutModel(found.path, found.name, names, again, probe, made.rows(probe), front.tolerance)
    return FirstLayers(leading, front, cut)


@dataclass(frozen=True, eq=False)
class Behind:
    """What of a model is quantized, and with what: all of it where `first` is None.

    Attributes:
        data: calibration data of `source`.
        samples: the same as the whole model takes it; None without, or of random data.
    """

    first: FirstLayers | None
    source: object
    data: Any
    samples: Samples | None = None


def evaluation_behind(first: FirstLayers | None, data: Any, names: tuple[str, ...] = ()) -> Any:
    """Evaluation data of a whole model as what is left of it takes it; unchanged where all of it is.

    Raises:
        DataError: it does not fit the model.
    """
    if first is None or data is None:
        return data
    return first.labelled(first.samples(data, "evaluation", names))


def behind_front_end(
    source: object, folder: Path, data: Any, front_ends: FrontEnds, runtime: Runtime | None, names: tuple[str, ...] = ()
) -> Behind:
    """A model and its calibration data behind the first layers that a front end takes over.

    Args:
        folder: where a Keras object is saved.

    Raises:
        PipelineError: there is no place for a front end.
        ConversionError, DataError: as :func:`first_layers`.
    """
    first = None if front_ends == "never" else first_layers(source, folder, data, needed_only=front_ends != "always")
    if first is None:
        return Behind(None, source, data)
    if front_ends == "refused":
        raise PipelineError(
            "is no op of a network, but becomes a front end, and what is asked for is the network alone",
            where=first.leading.names,
            hint="Deploy or generate the Keras model: model/pipeline.toml in its project names the front end, and the "
            "network behind it",
        )
    if runtime == "tflm":
        raise PipelineError(
            "becomes a front end, and those are compiled ahead of time only",
            where=first.leading.names,
            hint='Omit `runtime="tflm"`',
        )
    if data is None or (isinstance(data, str) and data == "random"):
        return Behind(first, first.cut, data)
    samples = first.samples(data, names=names)
    return Behind(first, first.cut, first.labelled(samples), samples)


def _are_bytes(leading: Leading, path: Path, data: Any) -> bool:
    """Whether a model of images takes the bytes of pixels: it says so itself, or its data show it."""
    scaling = own_scaling_of_file(path)
    if leading.input.dtype == "uint8" or (scaling is not None and scaling.takes_pixels):
        return True
    if data is None or (isinstance(data, str) and data == "random"):
        return False
    values = load_samples(data, (leading.input,)).inputs[0]
    return bool(values.max() > _LEAST_INTEGERS and values.min() >= 0 and np.array_equal(values, np.rint(values)))


def _probe(first: FirstLayers) -> NDArray[Any]:
    """Inputs that show whether the front end computes what the layers do: noise, and what is hard for each."""
    rng = np.random.default_rng(0)
    shape, signal = (_PROBES, *first.input.shape[1:]), first.front.pipeline.signal
    if signal.kind == "image":
        return rng.integers(0, 255, shape, endpoint=True).astype(first.input.dtype)
    if signal.kind == "audio":
        time = np.arange(shape[1])
        loud = [rng.normal(0, 2000 * (n + 1), shape[1]) for n in range(_PROBES)]
        loud[0] = 9000 * np.sin(time * 0.2)
        loud[1][: shape[1] // 2] = 0
        whole = np.clip(np.rint(np.stack(loud)), -32768, 32767)
        return np.asarray(whole / first.front.unit, np.float32)
    fields = first.front.pipeline.front_end
    limits, tokens = getattr(fields, "boundaries", ()), getattr(fields, "tokens", 1)
    if not limits:
        return rng.integers(0, tokens, shape).astype(first.input.dtype)
    spread = max(1.0, float(np.ptp(limits)))
    values = rng.uniform(min(limits) - spread, max(limits) + spread, shape)
    at = rng.choice(np.array(limits), shape)
    return np.asarray(np.where(rng.random(shape) < 0.5, at, values), np.float32)
