"""Transfer learning: a trained network's body, frozen, and a new head that learns a folder of labelled images.

The body runs in the confined process, once over all images; what learns is one Dense layer on its features.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data_folders import look_into, read_images
from mcugen.convert.early import stated_inputs
from mcugen.convert.sources import identify
from mcugen.convert.worker_client import run_worker
from mcugen.errors import ConversionError, DataError, ModelError
from mcugen.guard.keras_files import checked_copy, checked_weights
from mcugen.guard.trust import is_trusted
from mcugen.outputs import temporary_folder, write_arrays
from mcugen.progress import Share
from mcugen.tflite.types import TensorSpec

LEAST_PER_CLASS = 4
MOST_IMAGES = 5000
_APPLICATION = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9]*)(?::(?P<alpha>[0-9.]+))?")
_BODY_HINT = "Pass a .keras file, or a network of keras.applications with its `weights`"


@dataclass(frozen=True)
class Body:
    """What learns nothing any more.

    Attributes:
        path: a .keras file, or the weights of `application`.
        application: name of a network of keras.applications, with ":WIDTH" where it has one; "" for a file.
        shape: of an image: height, width, channels.
    """

    path: Path
    application: str
    shape: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Images:
    """Images with values 0 … 255, (N, height, width, channels) float32, and the number of each one's class."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Split:
    """Which images train, and which test."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Taught:
    """A network that takes images with values 0 … 255.

    Attributes:
        keras: content of its .keras file.
        cut: layer of the body whose output are the features.
        features: that the head sees.
        pixels: from and to what values images go into the body.
        accuracy: of the float model on the images that it was not trained on, 0 … 1.
    """

    keras: bytes
    cut: str
    features: int
    pixels: tuple[float, float]
    accuracy: float


def find_body(body: str | Path, weights: str | Path | None, image_size: int | None) -> Body:
    """What `body` names, checked as far as can be without a framework.

    Raises:
        ModelError: neither a Keras file whose one input is an image, nor a network's name with weights.
    """
    name = str(body)
    if weights is not None or not Path(name).exists():
        return _application(name, weights, image_size)
    source = identify(name)
    if source.kind != "keras" or source.path is None:
        raise ModelError("is not a .keras file, whose layers could be told apart", where=name, hint=_BODY_HINT)
    if image_size is not None:
        raise ModelError("the size is the body's own", where="`image_size`", hint="Omit it")
    inputs = stated_inputs(source)
    shape = inputs[0].shape[1:] if inputs is not None and len(inputs) == 1 else ()
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise ModelError(
            "does not take one image of a fixed size, in grey or RGB", where=name, hint="Build it with such an input"
        )
    return Body(source.path, "", (shape[0], shape[1], shape[2]))


def _application(name: str, weights: str | Path | None, image_size: int | None) -> Body:
    match = _APPLICATION.fullmatch(name)
    if match is None:
        raise ModelError("there is no such file", where=name, hint=_BODY_HINT)
    if weights is None or not Path(weights).is_file():
        what = "there is no such file" if weights is not None else "its weights are not given, and none are fetched"
        raise ModelError(
            what,
            where=str(weights) if weights is not None else name,
            hint="Pass its file of weights, …_no_top.h5, with `weights`",
        )
    if image_size is None or not 32 <= image_size <= 512:
        raise ModelError(
            "a network of keras.applications takes images of any size: 32 to 512 pixels are allowed",
            where="`image_size`",
            hint="Choose one, such as `image_size=96`",
        )
    return Body(Path(weights), name, (image_size, image_size, 3))


def read_labelled(data: str | Path, body: Body) -> Images:
    """A folder with a subfolder of images per class, in the body's size.

    Raises:
        DataError: there is none, it has fewer than two classes, or too few images of one.
    """
    path, notes = Path(data), list[str]()
    if not path.is_dir():
        raise DataError("there is no such folder", where=str(data), hint="Pass a folder with one subfolder per class")
    folder = look_into(path, True, notes, most=MOST_IMAGES)
    if folder.classes is None or folder.are_sounds:
        raise DataError(
            "does not hold a subfolder of images per class",
            where=str(data),
            hint="Its subfolders' names are the labels",
        )
    classes, y = np.unique(folder.classes, return_inverse=True)
    counts = np.bincount(y)
    if counts.min() < LEAST_PER_CLASS:
        raise DataError(
            f'the class "{classes[counts.argmin()]}" has {counts.min()}, and {LEAST_PER_CLASS} are the least',
            where=str(data),
            hint="Some train and some test: add images, or remove the class",
        )
    x = read_images(folder.files, TensorSpec("image", (1, *body.shape), "float32"), str(data), False, notes)
    return Images(x, y.reshape(-1).astype(np.int64), tuple(str(name) for name in classes), tuple(notes[:-1]))


def split(y: NDArray[np.int64], seed: int) -> Split:
    """A fifth of each class, and at least one of it, tests; which, the seed decides."""
    rng = np.random.default_rng(seed)
    test = []
    for number in range(int(y.max()) + 1):
        mine = rng.permutation(np.flatnonzero(y == number))
        test.append(mine[: max(1, len(mine) // 5)])
    tested = np.sort(np.concatenate(test))
    return Split(np.setdiff1d(np.arange(len(y)), tested), tested)


def teach(
    body: Body, images: Images, parts: Split, *, cut: str | None, epochs: int, seed: int, progress: Share | None
) -> Taught:
    """The body with a head that was trained on some of the images, and judged by the others.

    Raises:
        ModelError: a damaged file, or one that could run foreign code.
        ConversionError: the body cannot be loaded or cut.
        ToolError: TensorFlow is needed and not installed.
    """
    with temporary_folder() as folder:
        if body.application:
            copy = checked_weights(body.path, folder)
        else:
            copy = checked_copy(body.path, "keras", folder, trusted=is_trusted())
        write_arrays(folder / "images.npz", x=images.x.astype(np.uint8), y=images.y, test=parts.test)
        request: dict[str, Any] = {
            "job": "transfer",
            "body": str(copy),
            "application": body.application,
            "trusted": is_trusted(),
            "shape": body.shape,
            "cut": cut,
            "epochs": epochs,
            "seed": seed,
        }
        answer = run_worker(folder, request, progress=progress)
        if answer.error:
            raise ConversionError(
                f"the body cannot be used: {answer.error}", where=body.application or str(body.path), hint=_BODY_HINT
            )
        low, high = answer.result["pixels"]
        return Taught(
            (folder / "taught.keras").read_bytes(),
            str(answer.result["cut"]),
            int(answer.result["features"]),
            (float(low), float(high)),
            float(answer.result["accuracy"]),
        )


def counts_of(y: NDArray[np.int64], classes: Sequence[str]) -> dict[str, int]:
    """How many images there are of each class."""
    return {name: int((y == number).sum()) for number, name in enumerate(classes)}
