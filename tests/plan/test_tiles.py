"""Tiles of two by two outputs in stripes: how near an output may come to its input, by a walk over all tiles."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from mcugen.graph.types import Graph
from mcugen.runtimes.aot.plan.overlay import lead
from mcugen.runtimes.aot.plan.types import Step
from mcugen.runtimes.aot.plan.verify import may_follow
from tests.plan.images import LOW, SAME, VALID, Image

LAYERS = [
    SAME,
    VALID,
    LOW,
    Image(height=7, width=9, rows=7, columns=9, channels=8, filters=4),
    Image(height=8, width=8, rows=8, columns=8, channels=4, filters=8),
    Image(height=5, width=4, rows=3, columns=2, channels=2, filters=9, pad=(0, 0)),
]


def layer(image: Image, tiles: int) -> tuple[Image, Graph, Step]:
    image = replace(image, taps=(3, 3), stride=(1, 1))
    return image, *image.step("mcg_winograd_s8_dsp", image.tiles(tiles))


def written_and_read(image: Image, tiles: int) -> list[tuple[int, int]]:
    """After each stripe but the last: the end of its rows, and the first byte of the rows that are still read."""
    places = list(itertools.product(range(0, image.rows, 2), range(0, image.columns, 2)))
    found = []
    for end in range(tiles, len(places), tiles):
        written = max(min(row + 2, image.rows) for row, _ in places[:end]) * image.columns * image.filters
        rows = [row - image.pad[0] + tap for row, _ in places[end:] for tap in range(4)]
        first = min((row for row in rows if 0 <= row < image.height), default=image.height)
        found.append((written, first * image.width * image.channels))
    return found


@pytest.mark.parametrize("image", LAYERS)
@pytest.mark.parametrize("tiles", [4, 8, 12, 16])
def test_stripes_of_tiles(image: Image, tiles: int) -> None:
    image, graph, step = layer(image, tiles)
    least = max((written - read for written, read in written_and_read(image, tiles)), default=0)
    assert lead(graph, step) == max(0, least)
    for at in (0, 12):
        assert may_follow(graph, step, at + max(0, least), at)
        assert may_follow(graph, step, at + least - 1, at) == (len(written_and_read(image, tiles)) == 0)


def test_one_stripe_may_lie_anywhere() -> None:
    """All tiles are read before the first output is written."""
    image, graph, step = layer(SAME, 16)
    assert written_and_read(image, 16) == []
    assert may_follow(graph, step, 0, 50)
