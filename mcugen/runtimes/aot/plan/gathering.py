"""Ops that go over a whole image for each output, and gather it from rows: means, sums, and pools over all of it."""

from __future__ import annotations

from dataclasses import replace

from mcugen import ops
from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops.base import KernelCall, ParamValue, Target
from mcugen.runtimes.aot.plan.types import Run, Step, Stripes, Window

KERNEL = "mcg_mean_rows_s8"

_WORD = 4


def gathered(graph: Graph, step: Step, height: int) -> Step | None:
    """The step with stripes of so many rows of its input, or None if it is not of this kind."""
    op = step.op
    source = _image(graph, op)
    if source is None:
        return None
    portable = ops.supported_spec(graph, op).lower(graph, op, Target()).calls
    params = _params(portable[0], source) if len(portable) == 1 else None
    _, rows, columns, channels = source.shape
    height = min(height, rows)
    if params is None or height * columns * channels % _WORD:
        return None
    calls: list[KernelCall] = []
    runs: list[Run] = []
    for stripe, first in enumerate(range(0, rows, height)):
        taken = min(rows, first + height) - first
        is_first, is_last = int(first == 0), int(first + taken == rows)
        where = (("pixels", taken * columns), ("channels", channels), ("first", is_first), ("last", is_last))
        if stripe > 0 and not is_last and runs[-1].calls != (0,):
            runs[-1] = Run(stripe + 1, runs[-1].calls)
            continue
        runs.append(Run(stripe + 1, (len(calls),)))
        calls.append(
            replace(portable[0], kernel=KERNEL, params=(*where, *params), inplace=(), scratch_bytes=4 * channels)
        )
    return replace(step, calls=tuple(calls), stripes=Stripes(height, Window(1, 0, 1), tuple(runs), gathers=True))


def _image(graph: Graph, op: Op) -> Tensor | None:
    if op.kind not in ("MEAN", "SUM", "AVERAGE_POOL_2D") or len(op.outputs) != 1:
        return None
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if len(source.shape) != 4 or source.shape[0] != 1 or source.dtype.value != "int8" or source.is_const:
        return None
    if source.is_state or output.is_state or output.elements != source.shape[3]:
        return None
    return source


def _params(call: KernelCall, source: Tensor) -> tuple[tuple[str, ParamValue], ...] | None:
    """What the portable kernel makes of sums over the whole image; None where it sums anything else."""
    p = dict(call.params)
    _, height, width, channels = source.shape
    if call.kernel == "mcg_mean_s8":
        kept, reduced = (p["kept"], p["kept_stride"]), (p["reduced"], p["reduced_stride"])
        if channels > 1 and kept != ((1, 1, channels), (0, 0, 1)):
            return None
        if height * width > 1 and reduced != ((1, 1, height * width), (0, 0, channels)):
            return None
        stage = tuple((name, p[name]) for name in ("multiplier", "shift", "zero_point"))
        return (("bias", p["bias"]), ("count", 0), *stage, ("output_min", -128), ("output_max", 127))
    whole = (p.get("filter_height"), p.get("filter_width"), p.get("pad_top"), p.get("pad_left"), p.get("padded"))
    if call.kernel != "mcg_average_pool_2d_s8" or whole != (height, width, 0, 0, 0):
        return None
    none = (("multiplier", 0), ("shift", 0), ("zero_point", 0))
    limits = (("output_min", p["output_min"]), ("output_max", p["output_max"]))
    return (("bias", 0), ("count", height * width), *none, *limits)
