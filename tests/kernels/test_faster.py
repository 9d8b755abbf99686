"""Layers of unusual shapes on cores with DSP or vector instructions: fast, or the plan says why not."""

from __future__ import annotations

import pytest

from mcugen.ops.base import KernelCall
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.cores import M4, M55, Core
from tests.kernels.weighted_models import conv_model, dense_model, depthwise_model

LAYERS = {
    "5x5 depthwise": depthwise_model((1, 12, 12, 16), (5, 5)),
    "7x3 depthwise": depthwise_model((1, 12, 12, 7), (7, 3)),
    "dilated depthwise": depthwise_model((1, 12, 12, 16), (3, 3), dilation=(2, 2)),
    "depthwise, dilated along columns": depthwise_model((1, 1, 40, 16), (1, 5), dilation=(1, 4)),
    "depthwise, stride 3": depthwise_model((1, 12, 12, 16), (3, 3), stride=(3, 3)),
    "depthwise, stride 2 by 1": depthwise_model((1, 12, 12, 16), (3, 3), stride=(2, 1)),
    "1xN depthwise": depthwise_model((1, 1, 64, 16), (1, 9)),
    "Nx1 depthwise": depthwise_model((1, 64, 1, 16), (9, 1)),
    "depthwise, multiplier 2": depthwise_model((1, 12, 12, 5), (3, 3), multiplier=2),
    "depthwise, multiplier 8": depthwise_model((1, 20, 16, 1), (10, 8), multiplier=8, stride=(2, 2)),
    "depthwise, 13 channels": depthwise_model((1, 9, 9, 13), (3, 3)),
    "1xN": conv_model((1, 1, 64, 16), (16, 1, 9)),
    "Nx1": conv_model((1, 64, 1, 16), (16, 9, 1)),
    "dilated": conv_model((1, 12, 12, 8), (8, 3, 3), dilation=(2, 2)),
    "stride 3": conv_model((1, 12, 12, 8), (8, 5, 5), stride=(3, 3)),
    "groups": conv_model((1, 8, 8, 8), (8, 3, 3), groups=2),
    "13 to 7 channels": conv_model((1, 6, 6, 13), (7, 3, 3)),
    "1x1, 5 to 3 channels": conv_model((1, 6, 6, 5), (3, 1, 1)),
    "wide dense": dense_model((1, 1024), 256, 1024),
    "dense, 37 to 5": dense_model((1, 37), 5, 37),
    "dense, many rows": dense_model((9, 20), 6, 20),
}


def only_call(name: str, core: Core) -> KernelCall:
    (call,) = make_plan(read_graph(LAYERS[name]), core.target).steps[0].calls
    return call


@pytest.mark.parametrize("name", LAYERS)
def test_dsp(name: str) -> None:
    call = only_call(name, M4)
    assert call.variant == "dsp"
    # By tiles it would be faster still.
    small = "a faster variant costs more code than a small model should grow by: optimize for speed"
    by_tiles = any(roomier.kernel != call.kernel for roomier in call.roomier)
    assert call.why_not_faster == (small if by_tiles else "")


@pytest.mark.parametrize("name", LAYERS)
def test_mve(name: str) -> None:
    call = only_call(name, M55)
    assert call.variant == "mve" or (call.variant == "dsp" and call.why_not_faster.startswith("no MVE variant: "))


def test_what_no_plane_holds_says_why() -> None:
    model = depthwise_model((1, 16, 16, 2), (3, 3), dilation=(2, 2), stride=(2, 2), same=False)
    (call,) = make_plan(read_graph(model), M4.target).steps[0].calls
    assert call.variant == "portable"
    assert call.why_not_faster == "no DSP variant: its windows are dilated and more than a column apart"
