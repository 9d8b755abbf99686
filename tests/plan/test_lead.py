"""Which outputs may follow behind their input, and by how much: the least that a walk over the windows needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mcugen.graph.types import DType, Graph
from mcugen.ops.weighted.fully_connected import FullyConnectedOptions
from mcugen.runtimes.aot.plan.overlay import lead, overlay_call
from mcugen.runtimes.aot.plan.types import Step
from mcugen.runtimes.aot.plan.verify import may_follow
from tests.plan.hand_made import tensor
from tests.plan.images import DENSE, GROWING, LOW, PIXELS, SAME, SPARSE, STRIDED, VALID, WIDE, Image

LAYERS = [SAME, VALID, STRIDED, GROWING, LOW]


@pytest.mark.parametrize("image", LAYERS)
@pytest.mark.parametrize("dtype", [DType.INT8, DType.INT16, DType.FLOAT32])
@pytest.mark.parametrize("kind", ["conv", "depthwise", "pool"])
def test_rows(image: Image, dtype: DType, kind: str) -> None:
    graph, step = image.step("mcg_conv_2d_s8", image.params(), dtype, getattr(image, kind)())
    assert lead(graph, step) == max(0, image.least() * dtype.itemsize)


@pytest.mark.parametrize("image", LAYERS)
@pytest.mark.parametrize("rows", [1, 2, 3, 6])
def test_stripes(image: Image, rows: int) -> None:
    graph, step = image.step("mcg_depthwise_wide_s8_dsp", image.stripes(rows))
    assert lead(graph, step) == max(0, image.least(rows))


@pytest.mark.parametrize("rows", [1, 2])
def test_stripes_of_single_pixels(rows: int) -> None:
    graph, step = PIXELS.step("mcg_depthwise_wide_s8_dsp", PIXELS.stripes(rows))
    assert lead(graph, step) == PIXELS.least(rows) > PIXELS.least(0)


@pytest.mark.parametrize("image", LAYERS)
def test_kept_rows(image: Image) -> None:
    graph, step = image.step("mcg_depthwise_conv_2d_s8_mve", {**image.params(), "kept_rows": image.taps[0]})
    assert lead(graph, step) >= max(0, image.least(kept=image.taps[0]))
    assert may_follow(graph, step, lead(graph, step), 0)
    # The planner also stays in front of the input's end, where nothing is read any more.
    beyond = graph.tensor(1).nbytes - graph.tensor(0).nbytes
    assert lead(graph, step) == max(0, image.least(kept=image.taps[0]), beyond)


@pytest.mark.parametrize("image", [PIXELS, SPARSE, DENSE])
@pytest.mark.parametrize("kind", ["conv", "pool"])
def test_single_pixels(image: Image, kind: str) -> None:
    graph, step = image.step("mcg_conv_2d_s8", image.params(), options=getattr(image, kind)())
    assert lead(graph, step) == image.least(0)


def test_single_pixels_that_shrink() -> None:
    """The lead is that of the first pixel: what is read runs away from what is written."""
    image = replace(DENSE, filters=2)
    graph, step = image.step("mcg_conv_2d_s8", image.params())
    assert lead(graph, step) == image.least(0) == 2


def test_the_farthest_pixel_may_be_at_any_corner() -> None:
    """Along a row what is written runs away, from row to row what is read does; or the other way round."""
    for image in (
        Image(height=9, width=3, rows=3, columns=3, taps=(1, 1), stride=(4, 1), pad=(0, 0), filters=7),
        Image(height=3, width=9, rows=3, columns=3, taps=(1, 1), stride=(1, 4), pad=(0, 0), filters=7),
        Image(height=3, width=4, rows=3, columns=2, taps=(1, 1), stride=(1, 3), pad=(0, 0), filters=7),
        Image(height=5, width=2, rows=2, columns=2, taps=(1, 1), stride=(4, 1), pad=(0, 0), filters=7),
    ):
        graph, step = image.step("mcg_conv_2d_s8", image.params())
        assert lead(graph, step) == image.least(0)


@pytest.mark.parametrize("other", [{"taps": (1, 2)}, {"taps": (2, 1)}, {"pad": (0, 1)}, {"pad": (1, 0)}])
@pytest.mark.parametrize("kind", ["conv", "pool"])
def test_larger_windows_and_padding_go_by_rows(other: dict[str, Any], kind: str) -> None:
    image = replace(PIXELS, **other)
    graph, step = image.step("mcg_conv_2d_s8", image.params(), options=getattr(image, kind)())
    assert lead(graph, step) >= PIXELS.width * PIXELS.channels > PIXELS.least(0)
    assert may_follow(graph, step, lead(graph, step), 0)


@pytest.mark.parametrize("image", [PIXELS, SPARSE, DENSE, WIDE, replace(DENSE, filters=1), replace(DENSE, filters=3)])
def test_copied_windows(image: Image) -> None:
    graph, step = image.step("mcg_conv_direct_s8_mve", image.windows())
    beyond = graph.tensor(1).nbytes - graph.tensor(0).nbytes
    assert lead(graph, step) == max(0, image.least(0, copied=True), beyond)


def layer(kernel: str = "mcg_conv_2d_s8", params: dict[str, int] | None = None, **more: Any) -> tuple[Graph, Step]:
    return SAME.step(kernel, SAME.params() if params is None else params, **more)


def test_a_layer_with_windows_may_follow() -> None:
    for options in (SAME.conv(), SAME.depthwise(), SAME.pool()):
        graph, step = layer(options=options)
        assert overlay_call(graph, step) is step.calls[0]
    graph, step = layer("mcg_depthwise_wide_s8_dsp", SAME.stripes(2))
    assert overlay_call(graph, step) is step.calls[0]
    graph, step = layer(params={**SAME.params(), "groups": 1})
    assert overlay_call(graph, step) is step.calls[0]


@pytest.mark.parametrize(
    "made",
    [
        layer("mcg_max_pool_2d_s8_dsp"),
        layer(input_offset=4),
        layer(output_offset=4),
        layer(options=FullyConnectedOptions("NONE", 0)),
        layer(params={**SAME.params(), "groups": 3}),
        layer("mcg_depthwise_wide_s8_dsp", {**SAME.stripes(2), "output_row_step": 3}),
        layer("mcg_depthwise_wide_s8_dsp", {**SAME.stripes(2), "output_rows": 1}),
    ],
)
def test_these_may_not(made: tuple[Graph, Step]) -> None:
    assert overlay_call(*made) is None


def test_several_calls_may_not() -> None:
    graph, step = layer()
    assert overlay_call(graph, replace(step, calls=step.calls * 2)) is None
    assert overlay_call(graph, replace(step, calls=())) is None


@pytest.mark.parametrize(
    "changed",
    [
        tensor(0, (2, 6, 5, 3)),
        tensor(0, (6, 5, 3)),
        tensor(0, (1, 6, 5, 3, 1)),
        replace(tensor(0, (1, 6, 5, 3)), data=SAME.step("", {})[0].tensor(2).data),
        tensor(1, (6, 5, 3)),
        tensor(1, (1, 6, 5, 3, 1)),
    ],
)
def test_other_shapes_and_constants_may_not(changed: Any) -> None:
    graph, step = layer()
    assert overlay_call(graph.with_(tensors={**graph.tensors, changed.id: changed}), step) is None
