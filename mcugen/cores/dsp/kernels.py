"""Variants for cores with DSP instructions (Cortex-M4, M7, M33): two products per instruction.

They take the portable kernels' parameters, and weights in the same order.
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.ops import planes, winograd
from mcugen.ops.base import Constant, KernelCall, ParamValue
from mcugen.ops.lanes import fours_in_lanes, in_lanes
from mcugen.ops.params import STAGE, integer, integer_list, stage
from mcugen.ops.planes import Axis
from mcugen.ops.requantization import doubled_factors, with_doubled_factors
from mcugen.ops.variants import KernelSet, Site, anywhere

_WINDOWS = 4
"""Windows that convolutions multiply at a time, MCG_WINDOWS in mcg_filter_s8_dsp.h."""

_PLANES = 4
"""Channels that depthwise convolutions split from the image at a time, MCG_PLANES in the kernel."""

_OF_OTHER_STAGES = ("scale_down", "output_min", "output_max", "fast")
"""Parameters of an output stage that kernels for fast requantization alone do not need."""

_WINOGRAD_CODE = 3400
"""Bytes of code, about, that mcg_winograd_s8_dsp adds to a model."""


def conv_direct(portable: KernelCall) -> KernelCall:
    """mcg_conv_direct_pairs_s8_dsp, or mcg_conv_direct_s8_dsp."""
    depth = integer(portable, "depth")
    call = replace(with_doubled_factors(portable), scratch_bytes=_widened_bytes(depth), variant="dsp")
    lanes = in_lanes(call)
    if isinstance(lanes, str):
        return replace(_readable_in_words(call, depth), kernel="mcg_conv_direct_s8_dsp")
    params = _fast_params(call)
    windows = math.prod(integer(call, name) for name in ("batches", "rows", "columns"))
    made = replace(call, kernel="mcg_conv_direct_pairs_s8_dsp", params=params, constants=lanes)
    return _in_groups(made, windows, _widened_bytes(depth))


def _fast_params(call: KernelCall) -> tuple[tuple[str, ParamValue], ...]:
    """The parameters of a kernel for fast requantization alone: of the output stage only the zero point."""
    return tuple(item for item in call.params if item[0] not in STAGE or item[0] == "output_zero_point")


def conv_2d(portable: KernelCall) -> KernelCall:
    """mcg_conv_2d_pairs_s8_dsp, or mcg_conv_2d_s8_dsp; where there is room mcg_winograd_s8_dsp."""
    depth = math.prod(integer(portable, f"filter_{n}") for n in ("height", "width", "channels"))
    gathered_first = 0 if integer(portable, "filter_channels") % 4 == 0 else -(-depth // 4) * 4
    scratch = _widened_bytes(depth) + gathered_first
    call = replace(with_doubled_factors(portable), scratch_bytes=scratch, variant="dsp")
    readable = _readable_in_words(call, depth)
    roomier = () if winograd.problem(call) else winograd.by_tiles(call, "mcg_winograd_s8_dsp", _WINOGRAD_CODE)
    lanes = in_lanes(call) if integer(call, "groups") == 1 else "it has groups"
    if isinstance(lanes, str):
        return replace(readable, kernel="mcg_conv_2d_s8_dsp", roomier=roomier)
    windows = math.prod(integer(call, name) for name in ("batches", "output_height", "output_width"))
    made = replace(call, kernel="mcg_conv_2d_pairs_s8_dsp", constants=lanes, roomier=roomier)
    return _in_groups(made, windows, _widened_bytes(depth))


_GROUPS = (8, 4, 2)
"""Groups of windows that are multiplied with the same weights one after the other, where there is room."""


def _in_groups(call: KernelCall, windows: int, group_bytes: int) -> KernelCall:
    """The call that multiplies one group of windows at a time, and `roomier` ones that multiply several."""
    several = [groups for groups in _GROUPS if (groups - 1) * _WINDOWS < windows]
    roomier = [
        replace(
            call,
            params=(*call.params, ("window_groups", groups)),
            scratch_bytes=call.scratch_bytes + (groups - 1) * group_bytes,
            roomier=(),
        )
        for groups in several
    ]
    return replace(call, params=(*call.params, ("window_groups", 1)), roomier=(*call.roomier, *roomier))


def depthwise_conv_2d(portable: KernelCall, site: Site) -> KernelCall | str:
    """mcg_depthwise_conv_2d_s8_dsp or mcg_depthwise_wide_s8_dsp, over stripes of rows as high as pays.

    `portable` is the call of mcg_depthwise_conv_2d_s8, whose `channels` are the input's. One row of output may need
    more scratch than the budget.
    """
    made = _on_planes(portable, site)
    if site.depth_multiplier > 1 and isinstance(made, KernelCall) and not _suits_planes(made):
        return "its windows are multiplied faster when they are gathered"
    return made


_GATHERED_FROM = (4, 32)
"""Filters per channel and taps from which on gathering windows pays, which is done once for all filters."""


def _suits_planes(call: KernelCall) -> bool:
    """Whether windows in planes are faster than gathered ones, with several filters per channel."""
    if call.kernel == "mcg_depthwise_conv_2d_s8_dsp":
        return True
    filters, taps = integer(call, "depth_multiplier"), math.prod(call.constants[0].values.shape[1:3])
    large = filters >= _GATHERED_FROM[0] and taps > _GATHERED_FROM[1]
    return integer(call, "fast") == 1 and integer(call, "column_stride") <= 2 and not large


def _on_planes(portable: KernelCall, site: Site) -> KernelCall | str:
    budget, in_place, depth_multiplier = site.budget, site.in_place, site.depth_multiplier
    call = with_doubled_factors(portable)
    fast = integer(call, "fast") == 1
    height, width = planes.axes(portable, depth_multiplier)
    possible = [(rows, columns) for rows, columns in ((height, width), (width, height)) if columns.has_phases]
    if not possible:
        return "its windows are dilated and more than a column apart"
    rows, columns = min(possible, key=lambda axes: _depthwise_cost(axes[0], axes[1], fast))
    narrow = fast and _is_narrow(rows, columns)
    row_words = -(-columns.taken_by_phase // 2)
    filter_words = 2 if narrow else 3 * _steps(columns)

    def scratch(stripe: int) -> int:
        lanes = min(_PLANES, integer(portable, "channels"))
        return 4 * (lanes * row_words * rows.taken(stripe) + rows.taps * filter_words)

    room = min(budget, scratch(planes.enough_rows(rows, columns)))
    # Phases read what others have written.
    overwrites = columns.dilation == 1 and (in_place == "always" or (in_place == "turned" and rows is width))
    stripe, overwrites = planes.in_stripes(portable, rows, scratch, depth_multiplier, room, overwrites)
    geometry = (
        *planes.geometry(portable, rows, columns, depth_multiplier),
        ("row_words", row_words),
        ("stripe_rows", stripe),
    )
    zero_point = ("output_zero_point", integer(portable, "output_zero_point"))
    fixed = (item for item in geometry if item[0] not in ("filter_rows", "column_dilation"))
    return replace(
        call,
        kernel="mcg_depthwise_conv_2d_s8_dsp" if narrow else "mcg_depthwise_wide_s8_dsp",
        params=(*fixed, zero_point) if narrow else (*geometry, *stage(call)),
        scratch_bytes=scratch(stripe),
        inplace=(0,) if overwrites else (),
        variant="dsp",
    )


def fully_connected(portable: KernelCall) -> KernelCall | str:
    """mcg_fully_connected_pairs_s8_dsp or mcg_fully_connected_s8_dsp; for many rows, which are windows side by side,
    `conv_direct`."""
    get = functools.partial(integer, portable)
    if get("weights_offset"):
        return "the weights' zero point is not 0"
    rows, depth, channels = get("rows"), get("depth"), get("channels")
    # The kernel reads whole words: after the second of two rows that are none, beyond the input's last one.
    if rows > 2 or (rows == 2 and depth % 4):
        windows = (("batches", 1), ("rows", 1), ("columns", rows), ("batch_step", 0), ("row_step", 0))
        params = (*windows, ("column_step", depth), ("depth", depth), ("channels", channels), *stage(portable))
        return conv_direct(replace(portable, params=params))
    sizes = (("rows", rows), ("depth", depth), ("channels", channels))
    call = with_doubled_factors(replace(portable, params=(*sizes, *stage(portable))), expand=False)
    lanes = fours_in_lanes(call)
    if not isinstance(lanes, str):
        params = tuple(item for item in call.params if item[0] not in _OF_OTHER_STAGES)
        return replace(call, kernel="mcg_fully_connected_pairs_s8_dsp", params=params, constants=lanes, variant="dsp")
    weights, *others = call.constants
    words = -(-depth // 4)
    padded = np.zeros((channels, words, 4), np.int8)
    padded.reshape(channels, -1)[:, :depth] = weights.values.reshape(channels, depth)
    fours = channels & ~3
    side_by_side = padded[:fours].reshape(-1, 4, words, 4).transpose(0, 2, 1, 3)
    values = np.concatenate([side_by_side.reshape(-1), padded[fours:].reshape(-1)])
    note = f"[{channels},{4 * words}], the words of four channels side by side"
    return replace(
        call,
        kernel="mcg_fully_connected_s8_dsp",
        constants=(Constant(weights.role, values, note), *others),
        variant="dsp",
    )


def add(portable: KernelCall) -> KernelCall | str:
    """mcg_add_s8_dsp, for sums and differences of two tensors of one shape."""
    params = dict(portable.params)
    count, stride1, stride2 = (integer_list(portable, name) for name in ("count", "stride1", "stride2"))
    if math.prod(count) != count[-1] or (stride1[-1], stride2[-1]) != (1, 1):
        return "an operand is broadcast"
    if (params["min"], params["max"]) != (-128, 127):
        return "its activation clamps the output"
    if params["shift"] == 0:
        return "the output's scale is too small for it"
    # At twice the larger scale, an operand of that scale is half of itself.
    half = (1 << 30, 0)
    signs = (1, -1 if params["subtract"] else 1)
    operands = [
        ((integer(portable, f"multiplier{n}"), integer(portable, f"shift{n}")), n, sign, i)
        for n, sign, i in zip((1, 2), signs, portable.inputs, strict=True)
    ]
    (_, number1, sign1, first), (scale2, number2, sign2, second) = sorted(operands, key=lambda o: o[0] != half)
    equal = scale2 == half
    doubled2, right2 = (0, 0) if equal else doubled_factors(*scale2)
    doubled, right = doubled_factors(integer(portable, "multiplier"), integer(portable, "shift"))
    return replace(
        portable,
        kernel="mcg_add_s8_dsp",
        params=(
            ("count", count[-1]),
            ("zero_point1", integer(portable, f"zero_point{number1}")),
            ("zero_point2", integer(portable, f"zero_point{number2}")),
            ("factor1", sign1 << 19),
            ("factor2", sign2 << 19 if equal else sign2),
            ("doubled2", doubled2),
            ("right2", right2),
            ("doubled", doubled),
            ("right", right),
            ("zero_point", integer(portable, "zero_point")),
        ),
        inputs=(first, second),
        variant="dsp",
    )


def mul(portable: KernelCall) -> KernelCall | str:
    """mcg_mul_s8_dsp."""
    params = dict(portable.params)
    if (params["min"], params["max"]) != (-128, 127):
        return "its activation clamps the output"
    multiplier, shift = integer(portable, "multiplier"), integer(portable, "shift")
    if multiplier and shift >= 0:
        return "the output's scale is too small for it"
    doubled, right = doubled_factors(multiplier, shift)
    kept = (item for item in portable.params if item[0] not in ("multiplier", "shift", "zero_point", "min", "max"))
    zero_point = integer(portable, "zero_point")
    return replace(
        portable,
        kernel="mcg_mul_s8_dsp",
        params=(*kept, ("doubled", doubled), ("right", right), ("zero_point", zero_point)),
        variant="dsp",
    )


def max_pool_2d(portable: KernelCall) -> KernelCall:
    """mcg_max_pool_2d_s8_dsp."""
    return replace(portable, kernel="mcg_max_pool_2d_s8_dsp", variant="dsp")


def average_pool_2d(portable: KernelCall) -> KernelCall | str:
    """mcg_average_pool_2d_s8_dsp, for windows whose sums fit 16 bits."""
    if integer(portable, "filter_height") * integer(portable, "filter_width") > 255:
        return "its windows have more than 255 pixels"
    params = tuple((name, value) for name, value in portable.params if name != "padded")
    return replace(portable, kernel="mcg_average_pool_2d_s8_dsp", params=params, variant="dsp")


_TAP_ROWS = 3
"""Rows of the filters of mcg_depthwise_conv_2d_s8_dsp, MCG_DEPTHWISE_TAP_ROWS there."""


def _is_narrow(rows: Axis, columns: Axis) -> bool:
    """Whether a filter has three rows, each of them one step, and windows have no gaps in their rows."""
    return rows.taps == _TAP_ROWS and columns.taps <= 3 and columns.stride <= 2 and columns.dilation == 1


def _steps(columns: Axis) -> int:
    """Steps in a row of the filter: three taps, then two each."""
    return max(1, columns.taps // 2)


def _depthwise_cost(rows: Axis, columns: Axis, fast: bool) -> int:
    """Rough cycles per channel with these as rows and columns: windows go in fours, then in twos."""
    steps = rows.taps * _steps(columns)
    if not fast or columns.stride > 2:
        return rows.outputs * columns.outputs * (30 + 14 * steps)
    phases = min(columns.dilation, columns.outputs)
    fours, rest = divmod(-(-columns.outputs // phases), 4)
    if _is_narrow(rows, columns):
        four, two, row = (83, 64, 24) if columns.stride == 1 else (92, 66, 24)
    else:
        four, two, row = 57 + 17 * steps, 44 + 12 * steps, 30
    return phases * rows.outputs * (row + fours * four + -(-rest // 2) * two)


def _widened_bytes(depth: int) -> int:
    """Bytes of the windows that are multiplied at a time, widened to 16 bits."""
    return _WINDOWS * 2 * 4 * -(-depth // 4)


def _readable_in_words(call: KernelCall, depth: int) -> KernelCall:
    """The call with weights of which a word that begins in the last row may be read."""
    weights, *others = call.constants
    missing = -depth % 4
    if missing == 0:
        return call
    values = np.concatenate([weights.values.reshape(-1), np.zeros(missing, np.int8)])
    weights = Constant(weights.role, values, f"{weights.note}, and {missing} bytes that count nothing")
    return replace(call, constants=(weights, *others))


def depthwise_single(portable: KernelCall) -> KernelCall | str:
    """mcg_depthwise_single_s8_dsp."""
    channels, step = integer(portable, "channels"), integer(portable, "step")
    if channels % 4 or step % 4:
        return f"{channels} channels of {step} are no multiple of 4"
    call = with_doubled_factors(portable)
    if integer(call, "fast") != 1:
        return "its outputs are clamped or scaled up"
    weights, bias, multiplier, shift = (constant.values for constant in call.constants)
    fours = channels // 4
    taps = np.ascontiguousarray(weights.reshape(-1, fours, 4).transpose(1, 0, 2))
    shifts = np.ascontiguousarray(shift.reshape(fours, 4))
    columns = (bias.reshape(fours, 4), taps.view(np.int32)[..., 0], multiplier.reshape(fours, 4), shifts.view(np.int32))
    note = f"[{fours}] of bias[4], weights[{taps.shape[1]},4], multiplier[4], shift[4]"
    return replace(
        call,
        kernel="mcg_depthwise_single_s8_dsp",
        params=_fast_params(call),
        constants=(Constant("weights", np.concatenate(columns, axis=1).astype(np.int32), note),),
        variant="dsp",
    )


_MOST_AVERAGED = 255
"""Bytes whose sum fits into 16 bits."""


def mean(portable: KernelCall) -> KernelCall | str:
    """mcg_mean_s8_dsp."""
    kept, stride, reduced = (integer_list(portable, name) for name in ("kept", "kept_stride", "reduced"))
    if stride[2] != 1 or kept[2] % 4:
        return "it does not keep a multiple of 4 elements that lie side by side"
    if math.prod(reduced) > _MOST_AVERAGED:
        return f"sums of {math.prod(reduced)} elements do not fit into 16 bits"
    return replace(portable, kernel="mcg_mean_s8_dsp", variant="dsp")


_FOUR_ROWS = 4


def with_state(call: KernelCall) -> KernelCall:
    """SVDF and LSTM with the products of mcg_four_rows_s8_dsp.h: rows of whole words, those of four side by side.

    The weights that it is about are the constants `<name>_weights` whose rows a parameter `<name>_row` describes.
    """
    params = dict(call.params)
    constants = []
    for constant in call.constants:
        row = constant.role.replace("_weights", "_row")
        if row != constant.role and row in params:
            values = _side_by_side(constant.values.reshape(-1, constant.values.shape[-1]))
            params[row] = values.shape[1]
            constant = Constant(constant.role, values, f"{constant.note}; words of four rows side by side")
        constants.append(constant)
    return replace(
        call,
        kernel=f"{call.kernel}_dsp",
        params=tuple(params.items()),
        constants=tuple(constants),
        variant="dsp",
    )


def _side_by_side(rows: NDArray[Any]) -> NDArray[Any]:
    """[rows, bytes of whole words], the words of every four rows in turn."""
    count, depth = rows.shape
    words = -(-depth // 4)
    padded = np.zeros((count, words * 4), rows.dtype)
    padded[:, :depth] = rows
    in_turn = padded.reshape(-1, _FOUR_ROWS, words, 4).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(in_turn).reshape(count, words * 4)


KERNELS = KernelSet(
    "dsp",
    {
        "mcg_add_s8": anywhere(add),
        "mcg_mul_s8": anywhere(mul),
        "mcg_mean_s8": anywhere(mean),
        "mcg_average_pool_2d_s8": anywhere(average_pool_2d),
        "mcg_max_pool_2d_s8": anywhere(max_pool_2d),
        "mcg_fully_connected_s8": anywhere(fully_connected),
        "mcg_conv_direct_s8": anywhere(conv_direct),
        "mcg_conv_2d_s8": anywhere(conv_2d),
        "mcg_depthwise_conv_2d_s8": depthwise_conv_2d,
        "mcg_depthwise_single_s8": anywhere(depthwise_single),
        "mcg_svdf_s8": anywhere(with_state),
        "mcg_svdf_s16": anywhere(with_state),
        "mcg_lstm_s8": anywhere(with_state),
    },
)
