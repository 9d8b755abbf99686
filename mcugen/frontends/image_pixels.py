"""The arithmetic of the image front end, in numpy: pixels decoded, in grey, resized. All in integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcugen.frontends.types import Array


@dataclass(frozen=True)
class Format:
    """How a camera codes pixels."""

    bytes_of_two: int
    """Bytes of two pixels of a line."""
    pixels: int = 1
    """Pixels of a line that belong together."""
    lines: int = 1
    """Lines that belong together. 2: a quad of 2×2 makes a pixel."""
    is_grey: bool = False


FORMATS = {
    "grey": Format(2, is_grey=True),
    "rgb888": Format(6),
    "bgr888": Format(6),
    "rgb565le": Format(4),
    "rgb565be": Format(4),
    "yuyv": Format(4, pixels=2),
    "uyvy": Format(4, pixels=2),
    "bayer_rggb": Format(2, pixels=2, lines=2),
    "bayer_bggr": Format(2, pixels=2, lines=2),
    "bayer_grbg": Format(2, pixels=2, lines=2),
    "bayer_gbrg": Format(2, pixels=2, lines=2),
}


def decoded(lines: Array, form: str) -> Array:
    """Lines (height, bytes) as pixels (height, width, 3), int32: red, green, blue; of YUV Y, U, V; or (…, 1), grey."""
    values = lines.astype(np.int32)
    height = len(values)
    if form == "grey":
        return values.reshape(height, -1, 1)
    if form in ("rgb888", "bgr888"):
        pixels = values.reshape(height, -1, 3)
        return pixels if form == "rgb888" else pixels[..., ::-1]
    if form in ("rgb565le", "rgb565be"):
        low, high = (values[:, 0::2], values[:, 1::2]) if form == "rgb565le" else (values[:, 1::2], values[:, 0::2])
        word = low | (high << 8)
        red, green, blue = word >> 11, (word >> 5) & 63, word & 31
        return np.stack([red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2], axis=-1)
    if form in ("yuyv", "uyvy"):
        pairs = values.reshape(height, -1, 4)
        first, second, u, v = (0, 2, 1, 3) if form == "yuyv" else (1, 3, 0, 2)
        luma = pairs[..., (first, second)]
        chroma = np.repeat(pairs[..., None, (u, v)], 2, axis=2)
        return np.concatenate([luma[..., None], chroma], axis=-1).reshape(height, -1, 3)
    pattern = form.removeprefix("bayer_")
    corner = [values[y::2, x::2] for y in (0, 1) for x in (0, 1)]
    greens = [part for part, colour in zip(corner, pattern, strict=True) if colour == "g"]
    quads = {colour: part for part, colour in zip(corner, pattern, strict=True) if colour != "g"}
    return np.stack([quads["r"], (greens[0] + greens[1] + 1) >> 1, quads["b"]], axis=-1)


def encoded(pixels: Array, form: str) -> Array | None:
    """Red, green and blue (height, width, 3), uint8, as lines (height, bytes) of a camera's; None of YUV.

    A Bayer pattern has of each pixel the one colour that a sensor would have there. Sizes are those of the format.
    """
    height = len(pixels)
    if form == "grey":
        return grey(pixels.astype(np.int32), "rgb888")[..., 0].astype(np.uint8)
    if form in ("rgb888", "bgr888"):
        return np.ascontiguousarray(pixels if form == "rgb888" else pixels[..., ::-1]).reshape(height, -1)
    if form in ("rgb565le", "rgb565be"):
        red, green, blue = (pixels[..., n].astype(np.uint16) for n in range(3))
        word = (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3
        return np.ascontiguousarray(word.astype("<u2" if form == "rgb565le" else ">u2")).view(np.uint8)
    if form in ("yuyv", "uyvy"):
        return None
    made = np.empty(pixels.shape[:2], np.uint8)
    for corner, colour in enumerate(form.removeprefix("bayer_")):
        y, x = divmod(corner, 2)
        made[y::2, x::2] = pixels[y::2, x::2, "rgb".index(colour)]
    return made


def in_colours(pixels: Array, form: str) -> Array:
    """Decoded pixels as red, green and blue: of YUV by BT.601 in full range."""
    if form not in ("yuyv", "uyvy"):
        return pixels
    y, u, v = pixels[..., 0] << 8, pixels[..., 1] - 128, pixels[..., 2] - 128
    mixed = np.stack([y + 359 * v, y - 88 * u - 183 * v, y + 454 * u], axis=-1)
    return np.asarray(np.clip((mixed + 128) >> 8, 0, 255))


def grey(pixels: Array, form: str) -> Array:
    """Decoded pixels as (height, width, 1): Y of YUV, else (77 r + 150 g + 29 b + 128) >> 8."""
    if pixels.shape[-1] == 1:
        return pixels
    if form in ("yuyv", "uyvy"):
        return pixels[..., :1]
    return np.asarray((77 * pixels[..., 0:1] + 150 * pixels[..., 1:2] + 29 * pixels[..., 2:3] + 128) >> 8)


def area(pixels: Array, height: int, width: int) -> Array:
    """Each pixel of the result is the mean of the rectangle that it covers, rounded to the nearest, halves up."""
    rows, columns = _overlaps(pixels.shape[0], height), _overlaps(pixels.shape[1], width)
    sums = np.einsum("iy,yxc,jx->ijc", rows, pixels.astype(np.int64), columns, optimize=True)
    whole = pixels.shape[0] * pixels.shape[1]
    return np.asarray((sums + whole // 2) // whole)


def _overlaps(size: int, result: int) -> Array:
    """How much of each of `size` pixels lies in each of `result`, int64 (result, size); a pixel is `result` long."""
    starts, ends = np.arange(size) * result, (np.arange(size) + 1) * result
    first, last = np.arange(result)[:, None] * size, (np.arange(result)[:, None] + 1) * size
    return np.asarray(np.maximum(np.minimum(ends, last) - np.maximum(starts, first), 0).astype(np.int64))


def bilinear(pixels: Array, height: int, width: int) -> Array:
    """Interpolated between the middles of four pixels, by fractions of 8 bits; the border is repeated."""
    low, high, part = _between(pixels.shape[1], width)
    lines = pixels[:, low] * (256 - part)[:, None] + pixels[:, high] * part[:, None]
    low, high, part = _between(pixels.shape[0], height)
    mixed = lines[low] * (256 - part)[:, None, None] + lines[high] * part[:, None, None]
    return np.asarray((mixed + (1 << 15)) >> 16)


def _between(size: int, result: int) -> tuple[Array, Array, Array]:
    """The pixels before and behind each place, and how far it is from the one to the other, in 1/256, int32."""
    place = np.maximum((2 * np.arange(result, dtype=np.int64) + 1) * size - result, 0)
    low = place // (2 * result)
    part = np.where(low >= size - 1, 0, place % (2 * result) * 128 // result)
    low = np.minimum(low, size - 1)
    return low, np.minimum(low + 1, size - 1), part.astype(np.int32)
