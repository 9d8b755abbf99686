"""Images from a camera's lines: formats, crops, sizes, all in integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import frontends
from mcugen.errors import FrontEndError
from mcugen.frontends.image_pixels import FORMATS, area, bilinear
from tests.frontends import configurations
from tests.frontends.configurations import image_signal
from tests.frontends.on_host import HostFrontEnds, chunks


@pytest.mark.parametrize("seed", range(4))
def test_c_equals_the_reference(seed: int, tmp_path: Path) -> None:
    """1,000 random front ends in all, two and a half images each, in random chunks of lines."""
    rng = np.random.default_rng(seed)
    front_ends = [configurations.image(rng) for _ in range(250)]
    host = HostFrontEnds(tmp_path, front_ends, "-fsanitize=undefined", "-fno-sanitize-recover")
    for i, front_end in enumerate(front_ends):
        lines = configurations.frames_for(rng, front_end.signal, front_end.signal.height * 5 // 2)
        host.reset(i)
        rows = np.concatenate([host.push(chunk, i) for chunk in chunks(lines, rng)])
        expected = frontends.rows_of(front_end, lines)
        assert len(expected) == 2
        assert rows.tobytes() == expected.tobytes(), front_end


def test_every_format_shows_the_same_colour() -> None:
    """Red of 248, green of 64, blue of 16, as each format has it."""
    word = 31 << 11 | 16 << 5 | 2
    quad = {"r": 255, "g": 65, "b": 16}
    coded: dict[str, list[int]] = {
        "rgb888": [255, 65, 16] * 2,
        "bgr888": [16, 65, 255] * 2,
        "rgb565le": [word & 255, word >> 8] * 2,
        "rgb565be": [word >> 8, word & 255] * 2,
        "yuyv": [116, 71, 116, 227],
        "uyvy": [71, 116, 227, 116],
    }
    for form in FORMATS:
        if form == "grey":
            continue
        if form.startswith("bayer"):
            lines = [[quad[colour] for colour in form[-4:][y : y + 2]] for y in (0, 2)]
        else:
            lines = [coded[form]] * 2
        front_end = frontends.make("image", image_signal(form, 2, 2))
        (picture,) = frontends.rows_of(front_end, np.array(lines, np.uint8))
        assert np.abs(picture.astype(int) - [255, 65, 16]).max() <= 1, form
        in_grey = frontends.make("image", image_signal(form, 2, 2), colours="grey")
        (picture,) = frontends.rows_of(in_grey, np.array(lines, np.uint8))
        assert np.abs(picture.astype(int) - 116).max() <= 1, form


def test_area_is_the_mean() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (96, 64, 1))
    means = pixels.reshape(32, 3, 16, 4, 1).mean(axis=(1, 3))
    assert np.array_equal(area(pixels, 32, 16), np.floor(means + 0.5))
    assert np.array_equal(area(pixels, 96, 64), pixels)


def test_bilinear_is_between_the_middles() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 1))
    y, x = ((np.arange(n) + 0.5) * size / n - 0.5 for n, size in ((28, 20), (17, 30)))
    y, x = np.clip(y, 0, 19), np.clip(x, 0, 29)
    low_y, low_x = np.minimum(np.floor(y), 18).astype(int), np.minimum(np.floor(x), 28).astype(int)
    part_y, part_x = (y - low_y)[:, None], (x - low_x)[None]
    flat = pixels[..., 0]
    corners = [flat[low_y + i][:, low_x + j] for i in (0, 1) for j in (0, 1)]
    exact = (1 - part_y) * ((1 - part_x) * corners[0] + part_x * corners[1])
    exact = exact + part_y * ((1 - part_x) * corners[2] + part_x * corners[3])
    assert np.abs(bilinear(pixels, 28, 17)[..., 0] - exact).max() < 2.5
    assert np.array_equal(bilinear(pixels, 20, 30), pixels)


@pytest.mark.parametrize(
    ("signal", "fields", "message"),
    [
        (image_signal("rgb888", 8, 8), {"left": 4, "crop_width": 5}, "crop_width: is 5, not between 1 and 4"),
        (image_signal("grey", 8, 8), {"colours": "rgb"}, "colours: is rgb, and grey has none"),
        (image_signal("yuyv", 7, 8), {}, "takes yuyv of even sizes, not 7×8"),
        (image_signal("rgb888", 8, 8), {"output": "float32", "scale": 0}, "scale: holds a number too small"),
        (image_signal("rgb888", 8, 8), {"output": "float32", "mean": [1, 2]}, "mean: has 2 numbers, and a pixel 3"),
        (image_signal("rgb888", 8, 8), {"mean": 1}, "mean.*unknown"),
        (frontends.Signal("image", "uint8", 8, None, 8, 8, "rgb"), {}, 'does not know the format "rgb"'),
    ],
)
def test_what_cannot_be_is_refused(signal: frontends.Signal, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FrontEndError, match=message):
        frontends.make("image", signal, **fields)
