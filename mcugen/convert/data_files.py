"""Readers for data files: NumPy, CSV, images. Never pickles."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import DataError
from mcugen.reading import parsing, unpacked_bytes
from mcugen.tflite.types import TensorSpec

_MAX_BYTES = 1 << 30
_MAX_CSV_BYTES = 256 << 20
_MAX_PIXELS = 64 << 20
_MAX_IMAGES = 5_000
_LABEL_COLUMNS = ("label", "labels", "y", "class", "target")
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")


def read_npy(path: Path) -> NDArray[Any]:
    """A `.npy` array, mapped and not read as far as possible.

    Raises:
        DataError: damaged, or Python objects.
    """
    with parsing(lambda error: _damaged(path, error)):
        # Mapping checks the header's shape against the file's size before any memory is taken.
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a `.npz`.

    Raises:
        DataError: damaged, too large, or Python objects.
    """
    with parsing(lambda error: _damaged(path, error)):
        size = unpacked_bytes(path)
        if size > _MAX_BYTES:
            raise DataError(
                f"unpacks to {size / (1 << 30):.1f} GB, more than {_MAX_BYTES >> 30} GB",
                where=str(path),
                hint="Pass fewer samples (200 are used), or one array as .npy, which is not read whole",
            )
        with np.load(path, allow_pickle=False) as stored:
            loaded = {key: stored[key] for key in stored.files}
    return {key: array for key, array in loaded.items() if isinstance(array, np.ndarray)}


def _damaged(path: Path, error: Exception) -> DataError:
    # numpy takes whatever it does not know for a pickle; real ones begin with their protocol's opcode.
    numpy_or_pickle = path.read_bytes()[:1] in (b"\x93", b"\x80", b"P")
    if numpy_or_pickle and any(word in str(error).lower() for word in ("pickle", "python objects")):
        return DataError(
            "holds Python objects, which are not loaded (they could run code)",
            where=str(path),
            hint="Save plain number arrays: np.savez(path, x=np.asarray(x, dtype='float32'))",
        )
    return DataError("is truncated, corrupted, or not a NumPy file", where=str(path), hint="Save it again")


def read_csv(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], list[float] | None]:
    """Rows of numbers, each one sample, flattened in C order. A first row that is not numbers is a header.

    A column named label, labels, y, class or target holds the labels.

    Raises:
        DataError: rows of the wrong length, or cells that are no numbers; names the line.
    """
    wanted = math.prod(shape)
    rows: list[NDArray[np.float32]] = []
    labels: list[float] = []
    label_column: int | None = None
    with parsing(lambda _: DataError("is not a readable CSV file", where=str(path), hint="Save it as UTF-8 text")):
        if path.stat().st_size > _MAX_CSV_BYTES:
            raise DataError(
                f"has more than {_MAX_CSV_BYTES >> 20} MB", where=str(path), hint="Pass fewer samples: 200 are used"
            )
        with path.open(newline="", encoding="utf-8-sig") as file:
            start = file.read(4096)
            file.seek(0)
            first_line = start.splitlines()[0] if start else ""
            delimiter = max(",;\t", key=first_line.count)
            for number, cells in enumerate(csv.reader(file, delimiter=delimiter), start=1):
                if not cells or all(not c.strip() for c in cells):
                    continue
                if not rows and number == 1 and not all(_is_number(c) for c in cells):
                    names = [c.strip().lower() for c in cells]
                    label_column = next((i for i, n in enumerate(names) if n in _LABEL_COLUMNS), None)
                    continue
                values = _numbers(cells, f"{path}, line {number}")
                if label_column is not None and label_column < len(values):
                    labels.append(values.pop(label_column))
                if len(values) != wanted:
                    raise DataError(
                        f"has {len(values)} values, but one sample {shape} takes {wanted}",
                        where=f"{path}, line {number}",
                        hint="A column of labels needs a header line that names it label"
                        if len(values) == wanted + 1 and label_column is None
                        else "",
                    )
                rows.append(np.array(values, np.float32))
    if not rows:
        raise DataError("holds no rows of numbers", where=str(path))
    return np.stack(rows).reshape(-1, *shape), labels if label_column is not None else None


def _numbers(cells: list[str], where: str) -> list[float]:
    for column, cell in enumerate(cells, start=1):
        if not _is_number(cell):
            raise DataError(f'column {column} holds "{cell.strip()[:40]}", which is not a number', where=where)
    return [float(cell) for cell in cells]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def read_images(folder: Path, spec: TensorSpec, scale: bool, notes: list[str]) -> NDArray[np.float32]:
    """The images of a folder and its subfolders, in name order, at most 5000, as (N, H, W, C).

    Values are 0…255, divided by 255 if `scale`. Images of another size are resized if they have the
    input's proportions.

    Raises:
        DataError: the input is not an image, no images, an unreadable one, or one of other proportions.
    """
    from PIL import Image

    where = str(folder)
    shape = (*spec.shape[1:], 1) if len(spec.shape) == 3 else spec.shape[1:]
    if len(shape) != 3 or spec.shape[0] != 1 or shape[2] not in (1, 3, 4):
        raise DataError(
            f"is a folder of images, but the model's input {list(spec.shape)} is not an image",
            where=where,
            hint="Pass a .npz file",
        )
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _IMAGE_SUFFIXES and p.is_file())
    if not files:
        raise DataError(
            f"holds no images ({', '.join(_IMAGE_SUFFIXES)})", where=where, hint="Pass the folder with the image files"
        )
    if len(files) > _MAX_IMAGES:
        # Evenly over the whole set: names are often sorted by class.
        files = [files[i * len(files) // _MAX_IMAGES] for i in range(_MAX_IMAGES)]
        notes.append(f"only {_MAX_IMAGES} of the images were read, evenly chosen")
    height, width, channels = shape
    arrays, resized = [], set()
    for file in files:
        with parsing(_unreadable(file)), Image.open(file) as opened:
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


def _unreadable(image: Path) -> Callable[[Exception], DataError]:
    return lambda _: DataError("is not a readable image", where=str(image), hint="Remove or repair it")
