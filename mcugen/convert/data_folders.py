"""Folders of images or sounds: which files are samples, and of which class."""

from __future__ import annotations

import math
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data_specs import sample_shape
from mcugen.errors import DataError
from mcugen.reading import parsing
from mcugen.tflite.types import TensorSpec

_MAX_PIXELS = 64 << 20
MAX_FILES = 5_000
_MAX_SOUND_BYTES = 64 << 20
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
SOUNDS = (".wav",)
_HIDDEN = (".", "__")
"""Folders whose names begin so are not the user's: .ipynb_checkpoints, __MACOSX."""
_FOR_TRAINING = ("train", "training")
_FOR_TESTS = ("test", "testing", "val", "valid", "validation")
PARTS = (*_FOR_TRAINING, *_FOR_TESTS)
"""Names of folders that hold a part of split data."""


@dataclass(frozen=True, eq=False)
class Folder:
    """The samples of a folder, in the order of their names.

    Attributes:
        root: the folder, or the part of it that was wanted.
        files: images, or sounds.
        classes: (N,) the name of each file's class; None where there are no classes.
    """

    root: Path
    files: tuple[Path, ...]
    classes: NDArray[np.str_] | None

    @property
    def are_sounds(self) -> bool:
        return self.files[0].suffix.lower() in SOUNDS


def look_into(
    path: Path, training: bool, notes: list[str], *, most: int = MAX_FILES, classes_wanted: bool = True
) -> Folder:
    """Find the images or sounds of a folder.

    If all of them lie in two or more subfolders, these are classes. Of folders named train and test (or validation),
    one is taken.

    Args:
        training: take that part of split data that the model learned with, if there is a choice.
        notes: gets what was found.
        most: take no more files than that, evenly over the whole set.
        classes_wanted: say so if subfolders are no classes.

    Raises:
        DataError: there are no images or sounds, or both.
    """
    root = _part(path, training, notes)
    files = [p for p in root.rglob("*") if p.suffix.lower() in (*IMAGES, *SOUNDS) and p.is_file() and _seen(p, root)]
    files.sort(key=lambda p: p.relative_to(root).parts)
    if not files:
        raise DataError(
            f"holds no images ({', '.join(IMAGES)}) and no sounds (.wav)",
            where=str(root),
            hint="Pass the folder with the files, or a folder with one subfolder per class",
        )
    sounds = sum(p.suffix.lower() in SOUNDS for p in files)
    if sounds not in (0, len(files)):
        raise DataError(
            f"holds {sounds} sounds and {len(files) - sounds} images", where=str(root), hint="Pass one kind"
        )
    inside = [p.relative_to(root).parts for p in files]
    names = sorted({parts[0] for parts in inside if len(parts) > 1})
    classes = None
    if len(names) > 1 and all(len(parts) > 1 for parts in inside):
        classes = np.array([parts[0] for parts in inside])
    elif names and classes_wanted:
        loose = sum(len(parts) == 1 for parts in inside)
        why = f"{loose} files lie beside them" if loose else "there is one only"
        notes.append(f"the subfolders are not taken for classes: {why}")
    if len(files) > most:
        # Evenly over the whole set: the files are sorted by class.
        picked = [i * len(files) // most for i in range(most)]
        files = [files[i] for i in picked]
        classes = classes[picked] if classes is not None else None
        notes.append(f"only {most} of the files were read, evenly chosen")
    return Folder(root, tuple(files), classes)


def _part(path: Path, training: bool, notes: list[str]) -> Path:
    """Of a folder that holds nothing but the parts of split data, the one that is wanted."""
    inside = {p.name.lower(): p for p in sorted(path.iterdir()) if p.is_dir() and not p.name.startswith(_HIDDEN)}
    if not inside or not set(inside) <= {*_FOR_TRAINING, *_FOR_TESTS} or len(inside) < 2:
        return path
    order = (*_FOR_TRAINING, *_FOR_TESTS) if training else (*_FOR_TESTS, *_FOR_TRAINING)
    chosen = inside[next(name for name in order if name in inside)]
    notes.append(f"the samples in the folder {chosen.name} were used")
    return chosen


def _seen(file: Path, root: Path) -> bool:
    return not any(part.startswith(_HIDDEN) for part in file.relative_to(root).parts[:-1])


def read_images(files: Sequence[Path], spec: TensorSpec, where: str, scale: bool, notes: list[str]) -> NDArray[Any]:
    """Images as (N, H, W, C) float32.

    Values are 0…255, divided by 255 if `scale`. Images of another size are resized if they have the
    input's proportions.

    Raises:
        DataError: the input is not an image, an unreadable file, or one of other proportions.
    """
    from PIL import Image

    shape = (*spec.shape[1:], 1) if len(spec.shape) == 3 else spec.shape[1:]
    if len(shape) != 3 or spec.shape[0] != 1 or shape[2] not in (1, 3, 4):
        raise DataError(
            f"holds images, but the model's input {list(spec.shape)} is not an image",
            where=where,
            hint="Pass a .npz file",
        )
    height, width, channels = shape
    arrays, resized = [], set()
    for file in files:
        with parsing(_unreadable("image", file)), Image.open(file) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                raise DataError("has more than 64 megapixels", where=str(file), hint="Scale it down")
            image = opened.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])
        if image.size != (width, height):
            if image.width * height != image.height * width:
                raise DataError(
                    f"is {image.width}×{image.height}, but the model takes {width}×{height}: resizing would distort it",
                    where=str(file),
                    hint="Crop or pad the images to the model's proportions",
                )
            resized.add(image.size)
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        arrays.append(np.asarray(image, np.float32).reshape(height, width, channels))
    if resized:
        sizes = ", ".join(f"{w}×{h}" for w, h in sorted(resized)[:4])
        notes.append(f"images of {sizes} were resized to {width}×{height} (bilinear)")
    notes.append(
        "pixel values 0…255 were divided by 255; if the model was trained on other values, give a .npz"
        if scale
        else "pixel values are 0…255, because the model itself scales them"
    )
    return np.asarray(np.stack(arrays) / (255.0 if scale else 1.0), np.float32)


def read_picture(file: Path) -> NDArray[np.uint8]:
    """A picture as (height, width, 3) red, green and blue from 0 to 255.

    Raises:
        DataError: unreadable, or larger than 64 megapixels.
    """
    from PIL import Image

    with parsing(_unreadable("image", file)), Image.open(file) as opened:
        if opened.width * opened.height > _MAX_PIXELS:
            raise DataError("has more than 64 megapixels", where=str(file), hint="Scale it down")
        return np.asarray(opened.convert("RGB"), np.uint8)


def read_sounds(files: Sequence[Path], spec: TensorSpec, where: str, notes: list[str]) -> NDArray[Any]:
    """Sounds as (N, *sample shape) float32 from −1 to 1, as tf.audio.decode_wav and librosa give them.

    Raises:
        DataError: the model takes no samples of sound, an unreadable file, or one of another length or rate.
    """
    shape = sample_shape(spec)
    wanted = math.prod(shape)
    if max(shape, default=0) != wanted:
        raise DataError(
            f"holds sounds, but the model takes {list(shape)}, which are no samples of sound but features of it",
            where=where,
            hint="Compute the features as in training, and pass them as .npz",
        )
    arrays, rates = [], set()
    for file in files:
        values, rate = read_wav(file)
        rates.add(rate)
        if values.shape[1] != 1:
            raise DataError(f"has {values.shape[1]} channels, the model takes one", where=str(file), hint="Mix it down")
        if len(values) != wanted:
            raise DataError(
                f"has {len(values)} samples ({len(values) / rate:.3g} s), but the model takes {wanted}",
                where=str(file),
                hint="Cut or pad the sounds to that length, and resample them, as in training",
            )
        if len(rates) > 1:
            raise DataError(f"has {rate} samples per second, others have {min(rates - {rate})}", where=str(file))
        arrays.append(values.reshape(shape))
    notes.append(f"sounds of {min(rates)} samples per second, read as values from −1 to 1")
    return np.stack(arrays)


def read_wav(file: Path) -> tuple[NDArray[np.float32], int]:
    """A sound as (samples, channels) from −1 to 1, and its rate. PCM of 8, 16, 24 and 32 bits; floats by SciPy."""
    if file.stat().st_size > _MAX_SOUND_BYTES:
        raise DataError(f"has more than {_MAX_SOUND_BYTES >> 20} MB", where=str(file), hint="Cut it")
    with parsing(_unreadable("sound", file)):
        try:
            with wave.open(str(file), "rb") as sound:
                width, channels, rate = sound.getsampwidth(), sound.getnchannels(), sound.getframerate()
                content = sound.readframes(sound.getnframes())
        except wave.Error as error:
            if "unknown format" not in str(error):
                raise
            values, rate = _read_other_wav(file)
        else:
            values = _pcm(content, width).reshape(-1, channels)
        if not len(values) or rate <= 0:
            raise ValueError("nothing in it")
        return values, rate


def _pcm(content: bytes, width: int) -> NDArray[np.float32]:
    """Integers of `width` bytes as values from −1 to 1; those of one byte have no sign, as the format wants it."""
    if width == 1:
        whole = np.frombuffer(content, np.uint8).astype(np.int32) - 128
    elif width == 3:
        packed = np.frombuffer(content, np.uint8).reshape(-1, 3).astype(np.int32)
        whole = ((packed[:, 0] << 8) | (packed[:, 1] << 16) | (packed[:, 2] << 24)) >> 8
    else:
        whole = np.frombuffer(content, f"<i{width}")
    return np.asarray(whole / 2 ** (8 * width - 1), np.float32)


def _read_other_wav(file: Path) -> tuple[NDArray[np.float32], int]:
    """Samples that are floats, which Python's own module does not read."""
    try:
        from scipy.io import wavfile
    except ModuleNotFoundError:
        raise DataError(
            "is a .wav file whose samples are not PCM",
            where=str(file),
            hint="Save it with 16-bit samples, or install SciPy (pip install scipy)",
        ) from None
    rate, values = wavfile.read(file)
    if values.dtype.kind != "f":
        raise DataError(
            f"is a .wav file with {values.dtype} samples of an unusual kind",
            where=str(file),
            hint="Save it with 16-bit samples",
        )
    return np.asarray(values, np.float32).reshape(len(values), -1), int(rate)


def _unreadable(kind: str, file: Path) -> Callable[[Exception], DataError]:
    return lambda _: DataError(f"is not a readable {kind}", where=str(file), hint="Remove or repair it")
