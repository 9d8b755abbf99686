"""How near an output may come to the input it is made from: compared with a walk over every window of the image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mcugen.graph.types import DType, Graph
from mcugen.runtimes.aot.plan import Plan, verify_plan
from mcugen.runtimes.aot.plan.overlay import IN_ORDER
from mcugen.runtimes.aot.plan.types import Buffer, Step
from mcugen.runtimes.aot.plan.verify import PlanError, may_follow
from tests.plan.hand_made import call, graph_of, plan_of, tensor
from tests.plan.images import DENSE, GROWING, LOW, PIXELS, SAME, SPARSE, STRIDED, VALID, WIDE, Image


def assert_least(graph: Graph, step: Step, least: int) -> None:
    """The output may lie so far before its input, anywhere, and no byte nearer."""
    for at in (0, 16, 100):
        assert may_follow(graph, step, at + least, at)
        assert may_follow(graph, step, at + least + 1, at)
        assert not may_follow(graph, step, at + least - 1, at)


@pytest.mark.parametrize("image", [SAME, VALID, STRIDED, GROWING, LOW])
@pytest.mark.parametrize(
    ("kernel", "dtype"),
    [("mcg_conv_2d_s8", DType.INT8), ("mcg_max_pool_2d_s16", DType.INT16), ("mcg_pool_2d_f32", DType.FLOAT32)],
)
def test_rows_follow_behind_rows(image: Image, kernel: str, dtype: DType) -> None:
    assert_least(*image.step(kernel, image.params(), dtype), image.least() * dtype.itemsize)


@pytest.mark.parametrize("image", [PIXELS, SPARSE, DENSE])
@pytest.mark.parametrize(("kernel", "dtype"), [("mcg_conv_2d_s8", DType.INT8), ("mcg_conv_2d_f32", DType.FLOAT32)])
def test_pixels_follow_behind_pixels(image: Image, kernel: str, dtype: DType) -> None:
    assert image.least(0) < image.least(1)
    assert_least(*image.step(kernel, image.params(), dtype), image.least(0) * dtype.itemsize)


@pytest.mark.parametrize(
    "other", [{"taps": (1, 2)}, {"taps": (2, 1)}, {"pad": (0, 1), "taps": (1, 2)}, {"pad": (1, 0), "taps": (2, 1)}]
)
def test_windows_of_more_than_a_pixel_go_by_rows(other: dict[str, Any]) -> None:
    image = replace(PIXELS, **other)
    assert_least(*image.step("mcg_conv_2d_s8", image.params()), image.least(1))


ROW = Image(height=1, width=9, rows=1, columns=9, taps=(1, 3), pad=(0, 1))
"""As a kernel sees an image of one column that it takes for a row."""


@pytest.mark.parametrize(
    "image",
    [
        ROW,
        replace(ROW, columns=7, pad=(0, 0)),
        replace(ROW, columns=5, stride=(1, 2)),
        replace(ROW, columns=5, stride=(1, 2), filters=7),
        replace(ROW, columns=12, pad=(0, 3), filters=2),
    ],
)
def test_windows_of_an_image_of_one_row_go_one_after_the_other(image: Image) -> None:
    assert image.least(0) < image.least(1)
    assert_least(*image.step("mcg_conv_2d_s8_mve", image.params()), image.least(0))
    assert_least(*image.step("mcg_max_pool_2d_s8_mve", image.params()), image.least(1))


def test_windows_of_several_rows_go_by_rows() -> None:
    """One row of output, of windows that are higher: they are not made one after the other."""
    image = Image(height=3, width=9, rows=1, columns=9, taps=(3, 3), pad=(0, 1))
    assert_least(*image.step("mcg_conv_2d_s8_mve", image.params()), image.least(1))


@pytest.mark.parametrize("pad", [(0, 1), (1, 0)])
def test_a_pixel_in_the_padding_goes_by_rows(pad: tuple[int, int]) -> None:
    """Its window is one pixel, which is not everywhere one of the image's."""
    image = replace(PIXELS, pad=pad)
    graph, step = image.step("mcg_conv_2d_s8", image.params())
    row = 5 * 3
    assert_least(graph, step, row * (1 + pad[0]))


@pytest.mark.parametrize("image", [SAME, STRIDED])
def test_rows_that_are_kept_are_not_read_again(image: Image) -> None:
    params = {**image.params(), "kept_rows": 3}
    assert image.least(kept=3) < image.least()
    assert_least(*image.step("mcg_depthwise_conv_2d_s8_mve", params), image.least(kept=3))


@pytest.mark.parametrize("image", [SAME, VALID, STRIDED, GROWING, LOW])
@pytest.mark.parametrize("rows", [1, 2, 3, 6])
def test_stripes_follow_behind_stripes(image: Image, rows: int) -> None:
    for kernel in ("mcg_depthwise_conv_2d_s8_mla", "mcg_depthwise_wide_s8_dsp"):
        assert_least(*image.step(kernel, image.stripes(rows)), image.least(rows))


def test_an_image_on_its_side_has_no_rows() -> None:
    graph, step = SAME.step("mcg_depthwise_conv_2d_s8_dsp", {**SAME.stripes(2), "input_row_step": 3})
    assert not may_follow(graph, step, 10_000, 0)


@pytest.mark.parametrize("image", [PIXELS, SPARSE, DENSE, WIDE])
@pytest.mark.parametrize("copied", [False, True])
def test_windows_follow_behind_windows(image: Image, copied: bool) -> None:
    kernel = "mcg_conv_direct_s8_mve" if copied else "mcg_conv_direct_s8"
    assert_least(*image.step(kernel, image.windows()), image.least(0, copied=copied))


def test_windows_of_int16_follow_behind_windows() -> None:
    graph, step = DENSE.step("mcg_conv_direct_s16", DENSE.windows(), DType.INT16)
    assert_least(graph, step, 2 * DENSE.least(0))


FAR = 10_000
"""Bytes after the output, so that nothing is shared at all."""


@pytest.mark.parametrize(
    ("kernel", "changes", "more"),
    [
        ("mcg_fully_connected_s8", {}, {}),
        ("mcg_max_pool_2d_s8_dsp", {}, {}),
        ("mcg_conv_2d_s8", {"batches": 2}, {}),
        ("mcg_conv_2d_s8", {"groups": 3}, {}),
        ("mcg_conv_2d_s8", {"output_height": 5}, {}),
        ("mcg_conv_2d_s8", {}, {"input_offset": 4}),
        ("mcg_conv_2d_s8", {}, {"output_offset": 4}),
    ],
)
def test_what_has_no_order_may_not_follow(kernel: str, changes: dict[str, int], more: dict[str, Any]) -> None:
    assert may_follow(*SAME.step("mcg_conv_2d_s8", {**SAME.params(), "groups": 1}), FAR, 0)
    assert not may_follow(*SAME.step(kernel, {**SAME.params(), **changes}, **more), FAR, 0)


def test_a_step_of_several_calls_may_not_follow() -> None:
    graph, step = SAME.step("mcg_conv_2d_s8", SAME.params())
    assert not may_follow(graph, replace(step, calls=step.calls * 2), FAR, 0)
    assert not may_follow(graph, replace(step, calls=()), FAR, 0)


def test_planner_and_check_know_the_same_kernels() -> None:
    """Two lists, so that a kernel put into one by mistake is noticed."""
    for kernel in IN_ORDER:
        image = PIXELS if "direct" in kernel else SAME
        stripes = kernel.startswith("mcg_depthwise") and kernel.endswith(("_dsp", "_mla"))
        params = image.windows() if "direct" in kernel else image.stripes(1) if stripes else image.tiles(4)
        assert may_follow(*image.step(kernel, params), FAR, 0), kernel


def following(distance: int, **changes: Any) -> Plan:
    """t0 → t1 by a convolution that follows `distance` bytes behind."""
    graph, step = SAME.step("mcg_conv_2d_s8", SAME.params())
    size = graph.tensor(0).nbytes
    addresses = {0: distance, 1: 0}
    buffers = [Buffer(distance, size, -1, 0, (0,)), Buffer(0, size, 0, 1, (1,))]
    return replace(plan_of(graph, [step], addresses, arena=size + distance + 32, buffers=buffers), **changes)


LEAST = -(-SAME.least() // 4) * 4


def test_buffers_may_overlap_where_one_follows_the_other() -> None:
    verify_plan(following(LEAST))
    verify_plan(following(LEAST, buffers=following(LEAST).buffers[::-1]))
    with pytest.raises(PlanError, match=r"^buffers .* overlap$"):
        verify_plan(following(LEAST - 4))


def test_bytes_may_be_shared_where_the_output_follows() -> None:
    verify_plan(following(LEAST, buffers=()))
    with pytest.raises(PlanError, match='op 0 CONV_2D "layer0" writes over its input "t0"'):
        verify_plan(following(LEAST - 4, buffers=()))


def test_only_the_first_input_may_be_followed() -> None:
    plan = following(LEAST, buffers=())
    made = replace(plan.graph.ops[0], inputs=(2, 0))
    graph = graph_of([*plan.graph.tensors.values(), tensor(2, plan.graph.tensor(0).shape)], [made], inputs=[0, 2])
    params = SAME.params()
    step = Step(made, (call([2, 0], [1], "mcg_conv_2d_s8", params),), 0)
    far = {2: 400, **plan.addresses}
    with pytest.raises(PlanError, match='op 0 CONV_2D "layer0" writes over its input "t0"'):
        verify_plan(replace(plan, graph=graph, steps=(step,), addresses=far, arena_bytes=600))


SIZE = 6 * 5 * 3
SOURCE, OUTPUT = Buffer(LEAST, SIZE, -1, 0, (0,)), Buffer(0, SIZE, 0, 1, (1,))


@pytest.mark.parametrize(
    ("source", "output"),
    [
        (replace(SOURCE, last=1), OUTPUT),
        (replace(SOURCE, tensors=()), OUTPUT),
        (SOURCE, replace(OUTPUT, tensors=())),
        (replace(SOURCE, tensors=(7,)), OUTPUT),
        (SOURCE, replace(OUTPUT, tensors=(7,))),
        (replace(SOURCE, offset=LEAST + 4), OUTPUT),
        (SOURCE, replace(OUTPUT, offset=4, size=SIZE - 4)),
        (SOURCE, replace(OUTPUT, first=-1)),
        (replace(SOURCE, last=-1), replace(OUTPUT, first=-1)),
        (replace(SOURCE, last=1), replace(OUTPUT, first=1)),
        (replace(SOURCE, last=2), replace(OUTPUT, first=2, last=3)),
    ],
)
def test_other_buffers_may_not_overlap(source: Buffer, output: Buffer) -> None:
    with pytest.raises(PlanError, match=r"^buffers .* overlap$"):
        verify_plan(following(LEAST, buffers=(source, output)))


def test_views_may_follow_too() -> None:
    """The buffers hold other names of the same bytes as well."""
    plan = following(LEAST)
    buffers = (replace(SOURCE, tensors=(9, 0)), replace(OUTPUT, tensors=(8, 1)))
    verify_plan(replace(plan, buffers=buffers))
