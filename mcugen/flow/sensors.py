"""Pipeline files and recordings, as verbs take them: a signal in place of a model's input."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data_files import read_npy, read_npz
from mcugen.convert.data_folders import IMAGES, SOUNDS, look_into, read_picture, read_wav
from mcugen.convert.data_tables import read_csv
from mcugen.convert.sources import identify
from mcugen.errors import DataError, PipelineError
from mcugen.frontends import Signal
from mcugen.frontends.image_pixels import encoded
from mcugen.pipeline import Pipeline, is_pipeline_file
from mcugen.pipeline.app import App
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import open_model
from mcugen.tflite.types import TensorSpec

_HINT = "Pass a .wav, .npy, .npz or .csv file, a picture, a folder of .wav files or pictures, or arrays"
_FLOAT32 = 0
_CALIBRATION_WINDOWS = 1000
_MOST_RECORDINGS = 2000


@dataclass(frozen=True, eq=False)
class Recording:
    """A piece of signal, whose frames (n, channels) are pushed from a fresh start."""

    name: str
    frames: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Recordings:
    """What a device is verified with."""

    items: tuple[Recording, ...]
    origin: str
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        return sum(len(item.frames) for item in self.items)


def read_recordings(source: object, signal: Signal) -> Recordings:
    """Recordings of a signal.

    Args:
        source: a .wav, .npy, .npz or .csv file, a picture, a folder of .wav files or of pictures, an array (frames,
            channels), or several such.

    Raises:
        DataError: an unreadable file, another rate, or another number of channels.
    """
    notes: list[str] = []
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        found = _read_path(path, signal, notes)
        origin = path.name
    elif isinstance(source, np.ndarray):
        found, origin = [("array", source)], "array"
    elif isinstance(source, Mapping):
        found, origin = [(str(name), np.asarray(array)) for name, array in source.items()], "arrays"
    elif isinstance(source, Sequence):
        found, origin = [(f"array {n}", np.asarray(array)) for n, array in enumerate(source)], "arrays"
    else:
        raise DataError(f"is a {type(source).__name__}, no recording", where="inputs", hint=_HINT)
    items = tuple(Recording(name, _frames(values, signal, name)) for name, values in found)
    if not items or not any(len(item.frames) for item in items):
        raise DataError("holds no frames", where=origin, hint=_HINT)
    return Recordings(items, origin, tuple(dict.fromkeys(notes)))


def _read_path(path: Path, signal: Signal, notes: list[str]) -> list[tuple[str, NDArray[Any]]]:
    if not path.exists():
        raise DataError("there is no such file or folder", where=str(path), hint=_HINT)
    suffix = path.suffix.lower()
    if path.is_dir():
        folder = look_into(path, False, notes, most=_MOST_RECORDINGS, classes_wanted=False)
        return [(file.relative_to(path).as_posix(), _file(file, signal, notes)) for file in folder.files]
    if suffix in (*SOUNDS, *IMAGES):
        return [(path.name, _file(path, signal, notes))]
    if suffix == ".npy":
        return [(path.name, read_npy(path))]
    if suffix == ".npz":
        return list(read_npz(path).items())
    if suffix == ".csv":
        spec = TensorSpec("frames", (1, signal.channels), "float32")
        rows, _ = read_csv(path, spec, notes)
        return [(path.name, rows)]
    raise DataError(f'"{suffix or path.name}" is no format of recordings', where=str(path), hint=_HINT)


def _file(file: Path, signal: Signal, notes: list[str]) -> NDArray[Any]:
    """A sound, or a picture, as a signal of that kind.

    Raises:
        DataError: it is of another kind.
    """
    is_sound = file.suffix.lower() in SOUNDS
    if is_sound == (signal.kind == "image"):
        wanted = "pictures" if signal.kind == "image" else "sounds or arrays"
        raise DataError(
            f"is a {'sound' if is_sound else 'picture'}, and the pipeline takes {wanted}", where=str(file), hint=_HINT
        )
    return _wav(file, signal, notes) if is_sound else _picture(file, signal)


def _picture(file: Path, signal: Signal) -> NDArray[Any]:
    """A picture as the camera's lines of bytes."""
    pixels = read_picture(file)
    if pixels.shape[:2] != (signal.height, signal.width):
        raise DataError(
            f"is {pixels.shape[1]}×{pixels.shape[0]}, and the pipeline takes pictures of "
            f"{signal.width}×{signal.height}",
            where=str(file),
            hint="Pass pictures as the camera gives them: what a front end crops and resizes depends on their size",
        )
    lines = encoded(pixels, signal.format)
    if lines is None:
        raise DataError(
            f"is a picture, and {signal.format} cannot be made of one without loss of what a camera would give",
            where=str(file),
            hint="Record the camera's own bytes, and pass them as .npy of shape (lines, bytes of a line)",
        )
    return lines


def _wav(file: Path, signal: Signal, notes: list[str]) -> NDArray[Any]:
    """A sound in the signal's integers."""
    values, rate = read_wav(file)
    if signal.rate is not None and rate != signal.rate:
        raise DataError(
            f"has {rate:,} samples per second, the pipeline takes {signal.rate:,.0f}",
            where=str(file),
            hint="Resample it as in training: what a front end computes depends on the rate",
        )
    if signal.dtype == "float32":
        return values
    info = np.iinfo(signal.dtype)
    whole = values.astype(np.float64) * -float(info.min)
    rounded = np.clip(np.rint(whole), info.min, info.max)
    if not np.array_equal(rounded, whole):
        notes.append(f"samples were rounded to {signal.dtype}")
    return rounded.astype(signal.dtype)


def _frames(values: NDArray[Any], signal: Signal, name: str) -> NDArray[Any]:
    """Frames (n, channels) of the signal's type."""
    if signal.kind == "image" and values.ndim >= 2 and values.shape[-1] != signal.channels:
        values = values.reshape(-1, signal.channels) if values.size % signal.channels == 0 else values
    if values.ndim == 1 and signal.channels == 1:
        values = values[:, np.newaxis]
    if values.ndim != 2 or values.shape[1] != signal.channels:
        raise DataError(
            f"has the shape {list(values.shape)}, and frames of the signal have {signal.channels} "
            f"value{'s' * (signal.channels != 1)}",
            where=name,
            hint=f"Pass (frames, {signal.channels})",
        )
    wanted = np.dtype(signal.dtype)
    if values.dtype == wanted:
        return np.ascontiguousarray(values)
    if wanted.kind == "f" and values.dtype.kind in "fiu":
        made = values.astype(wanted)
        if not np.isfinite(made).all():
            raise DataError("holds values that are NaN or infinite", where=name, hint="Remove or replace them")
        return made
    made = values.astype(wanted) if values.dtype.kind in "fiu" and np.isfinite(values).all() else values
    if made.dtype == wanted and np.array_equal(made, values):
        return made
    raise DataError(
        f"holds {values.dtype} values that are no {signal.dtype}",
        where=name,
        hint="Convert them: their values are taken as they are",
    )


def made_up(app: App, inferences: int, seed: int) -> Recordings:
    """A seeded signal over the whole range of its type, loud and quiet by turns, long enough for some inferences.

    Its length is cut off somewhere, so that the last rows lead to no inference.
    """
    signal, rows = app.pipeline.signal, app.pipeline.front_end.rows()
    rng = np.random.default_rng(seed)
    count = app.frames_first + rows.frames_step * app.stride * max(0, inferences - 1) + rows.frames_step // 2 + 1
    if signal.dtype == "float32":
        frames = rng.normal(size=(count, signal.channels)).astype(np.float32)
    else:
        info = np.iinfo(signal.dtype)
        loud = rng.integers(info.min, info.max, (count, signal.channels), dtype=np.int64, endpoint=True)
        shift = np.repeat(rng.integers(0, info.bits, 1 + count // 997), 997)[:count, np.newaxis]
        frames = (loud >> shift).astype(signal.dtype)
    return Recordings((Recording("made up", frames),), f"a made-up signal, seed {seed}")


def check_pipeline_wishes(model: object, **wishes: object) -> None:
    """Refuse what is about a model's own inputs, if a pipeline file is given.

    Raises:
        PipelineError: names the first of them.
    """
    if not is_pipeline_file(model):
        return
    for name, value in wishes.items():
        if value not in (None, False):
            raise PipelineError(
                "is about samples of a model's input, and a pipeline takes a signal",
                where=f"`{name}`",
                hint="Omit it, or deploy the model alone",
            )


def signal_source(app: App, inputs: Any, data: Any) -> Any:
    """What a device is verified with: `inputs`, or else the recordings that calibrated the model; None for neither.

    Raises:
        DataError: they cannot be read.
    """
    source = inputs if inputs is not None else data
    if source is None or (isinstance(source, str) and source == "random"):
        return None
    read_recordings(source, app.pipeline.signal)  # refuses before the slow steps what it would refuse after them
    return source


def calibration(pipeline: Pipeline, data: Any) -> Any:
    """What a float model is calibrated with: the windows that the device would make of recordings.

    None where the model is quantized already, or there are no recordings; "random" stays what it is.

    Raises:
        DataError, PipelineError: recordings, or a file that does not say how many rows an inference takes.
    """
    if data is None or (isinstance(data, str) and data == "random") or not is_float_model(pipeline.model):
        return None if data is None or not isinstance(data, str) or data != "random" else data
    recordings = read_recordings(data, pipeline.signal)
    windows = [pipeline.windows(item.frames) for item in recordings.items]
    found = np.concatenate(windows)
    if not len(found):
        raise DataError(
            "has no recording that is long enough for an inference", where=recordings.origin, hint="Pass longer ones"
        )
    step = -(-len(found) // _CALIBRATION_WINDOWS)
    return found[::step].reshape(len(found[::step]), -1)


def is_float_model(path: Path) -> bool:
    """Whether a pipeline's model is quantized only when it is deployed."""
    if path.suffix.lower() != ".tflite":
        return True
    identified = identify(str(path))
    assert identified.path is not None
    main = open_model(identified.path.read_bytes()).main
    return any(main.tensors[i].type == _FLOAT32 for i in flat.ints(main.inputs)[:1])
