"""Paints detections on the images that they were found in."""

from __future__ import annotations

import colorsys
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mcugen.assess import Boxes
from mcugen.graph.types import Tensor
from mcugen.numerics.affine import dequantize

if TYPE_CHECKING:
    from PIL import Image

MOST = 16
"""Images on one picture."""
_LEAST_SIDE, _MOST_SIDE = 240, 640
_GOLDEN = 0.618034
"""Hues of classes that follow each other lie far apart."""


def image_shape(tensor: Tensor) -> tuple[int, int, int] | None:
    """Rows, columns and channels of an input that is an image of 1 or 3 channels; None if it is none."""
    shape = tensor.shape[1:] if len(tensor.shape) == 4 and tensor.shape[0] == 1 else tensor.shape
    if len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) >= 4:
        return shape[0], shape[1], shape[2]
    return None


def pixels_of(values: NDArray[np.generic], tensor: Tensor) -> NDArray[np.uint8]:
    """An input as (rows, columns, 3) from 0 to 255: over what its type can stand for, or its own range in float32."""
    shape = image_shape(tensor)
    assert shape is not None, tensor.name
    real = values.astype(np.float64) if tensor.quant is None else dequantize(values, tensor).astype(np.float64)
    low, high = float(real.min()), float(real.max())
    if tensor.quant is not None:
        info = np.iinfo(tensor.dtype.numpy)
        low, high = ((end - tensor.zero_point) * tensor.scale for end in (info.min, info.max))
    grey = np.clip(np.round(255 * (real - low) / ((high - low) or 1.0)), 0, 255).astype(np.uint8).reshape(shape)
    return np.ascontiguousarray(np.broadcast_to(grey, (*shape[:2], 3)))


def colour(number: int) -> tuple[int, int, int]:
    """Of a class, always the same one."""
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN % 1.0, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def name_of(number: int, names: Sequence[str]) -> str:
    """A class's name; its number without."""
    return names[number] if 0 <= number < len(names) else str(number)


def png(image: NDArray[np.uint8]) -> bytes:
    """(rows, columns, 3) as it is."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image, "RGB").save(buffer, "PNG")
    return buffer.getvalue()


def paint(images: Sequence[NDArray[np.uint8]], found: Sequence[Boxes], names: Sequence[str] = ()) -> bytes:
    """The first `MOST` images with their boxes side by side, as PNG.

    Args:
        images: (rows, columns, 3), all of one size.
        found: boxes as parts of the image; what lies outside is cut off.
        names: of the classes; their numbers without.
    """
    from PIL import Image

    painted = [_painted(image, boxes, names) for image, boxes in list(zip(images, found, strict=True))[:MOST]]
    across = math.ceil(math.sqrt(len(painted)))
    down = -(-len(painted) // across)
    width, height = painted[0].size
    sheet = Image.new("RGB", (across * (width + 4) - 4, down * (height + 4) - 4), "white")
    for n, one in enumerate(painted):
        sheet.paste(one, (n % across * (width + 4), n // across * (height + 4)))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _painted(image: NDArray[np.uint8], boxes: Boxes, names: Sequence[str]) -> Image.Image:
    from PIL import Image, ImageDraw

    rows, columns = image.shape[:2]
    factor = max(1, -(-_LEAST_SIDE // max(rows, columns)))
    factor = factor if factor > 1 else min(1.0, _MOST_SIDE / max(rows, columns))
    width, height = max(1, round(columns * factor)), max(1, round(rows * factor))
    large = Image.fromarray(image, "RGB").resize((width, height), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(large)
    for corners, number, score in zip(boxes.corners, boxes.classes, boxes.scores, strict=True):
        inside = np.clip(np.nan_to_num(corners), 0.0, 1.0)
        top, left, bottom, right = (float(v) for v in inside * np.array([height - 1, width - 1] * 2))
        if bottom < top or right < left:
            continue
        fill = colour(int(number))
        draw.rectangle((left, top, right, bottom), outline=fill, width=2)
        text = f"{name_of(int(number), names)} {score:.2f}"
        box = draw.textbbox((left + 3, top + 1), text)
        draw.rectangle((box[0] - 2, box[1] - 1, box[2] + 2, box[3] + 1), fill=fill)
        draw.text((left + 3, top + 1), text, fill="black")
    return large
