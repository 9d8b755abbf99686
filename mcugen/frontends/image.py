"""A camera's lines to a model's image: decoded, cropped, in grey or colours, resized, scaled. In integers.

A frame is one line of pixels, so that no picture has to be kept; a row is a whole image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcugen.frontends.emitting import COMMON_HEADERS, config_text, const_array, memory, scratch, state_size_check
from mcugen.frontends.image_pixels import FORMATS, area, bilinear, decoded, grey, in_colours
from mcugen.frontends.types import Array, EmittedFrontEnd, FrontEnd, FrontEndSpec, Rows, Signal, Streaming
from mcugen.frontends.units import Units
from mcugen.toml_table import Table

OUTPUTS = ("uint8", "int8", "float32")
"""uint8: pixels of 0 … 255. int8: less 128. float32: (pixel − mean) / scale."""


@dataclass(frozen=True)
class Image:
    """`left`, `top`, `crop_width` and `crop_height` count decoded pixels: of a Bayer pattern, its quads."""

    signal: Signal
    left: int
    top: int
    crop_width: int
    crop_height: int
    width: int
    height: int
    colours: str
    method: str
    output: str
    units: Units

    @property
    def depth(self) -> int:
        return 1 if self.colours == "grey" else 3

    def rows(self) -> Rows:
        lines = self.signal.height
        return Rows((self.height, self.width, self.depth), self.output, lines, lines)

    def reference(self) -> Streaming:
        return _Reference(self)

    def emitted(self, name: str = "mcg_front") -> EmittedFrontEnd:
        form, values = FORMATS[self.signal.format], self.width * self.depth
        offset, size = self.units.arrays()
        is_area, is_float = self.method == "area", self.output == "float32"
        # Sums in 32 bits of one line of the result; or two lines, interpolated along themselves, in 16 bits.
        kept, pending = 4 * values, self.signal.channels if form.lines == 2 else 0
        work = self.crop_width * self.depth
        sums = -(-work // 4) * 4
        used = sums + (4 * values if is_area else 0)
        fields = {
            "mean": f"{name}_mean" if is_float else "0",
            "scale": f"{name}_scale" if is_float else "0",
            "lines": self.signal.height,
            "line_bytes": self.signal.channels,
            "format": f"MCG_FE_IMAGE_{self.signal.format.upper()}",
            "left": self.left,
            "top": self.top,
            "crop_width": self.crop_width,
            "crop_height": self.crop_height,
            "width": self.width,
            "height": self.height,
            "depth": self.depth,
            "bilinear": int(not is_area),
            "output": f"MCG_FE_IMAGE_TO_{self.output.upper()}",
        }
        listed = ",\n".join(f"    .{key} = {value}" for key, value in fields.items())
        config = config_text(
            const_array(f"{name}_mean", offset) if is_float else "",
            const_array(f"{name}_scale", size) if is_float else "",
            f"static const mcg_fe_image {name} = {{\n{listed},\n}};",
            memory(f"{name}_kept", "uint32", values),
            memory(f"{name}_pending", "uint8", pending) if pending else "",
            scratch(name, used),
            f"static mcg_fe_image_state {name}_state = {{{name}_kept, {f'{name}_pending' if pending else '0'},"
            f" {name}_SCRATCH, 0, 0, 0}};",
            state_size_check(name, "mcg_fe_image_state", 24),
        )
        return EmittedFrontEnd("mcg_fe_image.h", COMMON_HEADERS, config, "image", 24 + kept + pending, used, 0.0)


class _Reference:
    def __init__(self, front_end: Image) -> None:
        self._fe = front_end
        self.reset()

    def reset(self) -> None:
        self._lines: Array = np.zeros((0, self._fe.signal.channels), np.uint8)

    def push(self, frames: Array) -> Array:
        fe = self._fe
        lines = np.concatenate([self._lines, frames])
        count = len(lines) // fe.signal.height
        self._lines = lines[count * fe.signal.height :]
        images = lines[: count * fe.signal.height].reshape(count, fe.signal.height, -1)
        made = [self._image(image) for image in images]
        return np.array(made, fe.output).reshape(count, *fe.rows().shape)

    def _image(self, lines: Array) -> Array:
        fe = self._fe
        pixels = decoded(lines, fe.signal.format)
        pixels = pixels[fe.top : fe.top + fe.crop_height, fe.left : fe.left + fe.crop_width]
        pixels = (grey if fe.colours == "grey" else in_colours)(pixels, fe.signal.format)
        resized = (area if fe.method == "area" else bilinear)(pixels, fe.height, fe.width)
        if fe.output == "float32":
            return fe.units.of(resized)
        return np.asarray((resized - (128 if fe.output == "int8" else 0)).astype(fe.output))


def _parse(table: Table, signal: Signal) -> FrontEnd:
    form = FORMATS.get(signal.format)
    if form is None:
        raise table.error(
            "kind", f'does not know the format "{signal.format}" of the signal, only {", ".join(FORMATS)}'
        )
    if signal.width % form.pixels or signal.height % form.lines:
        raise table.error("kind", f"takes {signal.format} of even sizes, not {signal.width}×{signal.height}")
    if signal.dtype != "uint8" or signal.channels != signal.width * form.bytes_of_two // 2:
        raise table.error("kind", f"takes lines of {signal.width * form.bytes_of_two // 2} uint8 values")
    width, height = signal.width // form.lines, signal.height // form.lines
    if not (1 <= width <= 4096 and 1 <= height <= 4096):
        raise table.error("kind", f"takes images of up to 4096×4096 pixels, not {width}×{height}")
    left, top = table.integer("left", 0, width - 1, 0), table.integer("top", 0, height - 1, 0)
    crop_width = table.integer("crop_width", 1, width - left, width - left)
    crop_height = table.integer("crop_height", 1, height - top, height - top)
    colours = table.choice("colours", ("grey", "rgb"), "grey" if form.is_grey else "rgb")
    if form.is_grey and colours == "rgb":
        raise table.error("colours", f"is rgb, and {signal.format} has none")
    output, depth = table.choice("output", OUTPUTS, "uint8"), 1 if colours == "grey" else 3
    return Image(
        signal,
        left,
        top,
        crop_width,
        crop_height,
        table.integer("width", 1, 4096, crop_width),
        table.integer("height", 1, 4096, crop_height),
        colours,
        table.choice("method", ("area", "bilinear"), "area"),
        output,
        _units(table, depth) if output == "float32" else Units((0.0,) * depth, (1.0,) * depth),
    )


def _units(table: Table, depth: int) -> Units:
    found = []
    for key, default in (("mean", 0.0), ("scale", 1.0)):
        values = (
            table.numbers(key, -1e6, 1e6) if table.is_list(key) else [table.number(key, -1e6, 1e6, default)] * depth
        )
        if len(values) != depth:
            raise table.error(key, f"has {len(values)} numbers, and a pixel {depth}")
        found.append(tuple(values))
    if any(abs(value) < 1e-6 for value in found[1]):
        raise table.error("scale", "holds a number too small to divide by")
    return Units(found[0], found[1])


SPEC = FrontEndSpec("image", ("image",), _parse)
