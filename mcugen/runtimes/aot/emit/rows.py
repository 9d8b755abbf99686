"""The C of pipelines: the tables that the scheduler goes by, and the calls of a step that makes stripes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcugen.runtimes.aot.plan.stripes import row_bytes, row_inputs
from mcugen.runtimes.aot.plan.types import Pipeline, Plan, Step

_SMALL = 255
"""Rows up to which counters are bytes."""


def row_expression(plan: Plan, number: int, tensor: int, *, made: bool) -> str:
    """The address of the first row that a stripe of a step makes or takes, as its function sees it."""
    return f"mcg_row({rings_of(plan)[number_of_pipeline(plan, number), tensor]}u, {'to' if made else 'from'})"


def output_ring(plan: Plan, number: int) -> int:
    """The ring that a step makes rows of."""
    return rings_of(plan)[number_of_pipeline(plan, number), plan.steps[number].op.outputs[0]]


def number_of_pipeline(plan: Plan, step: int) -> int:
    """The pipeline that a step belongs to."""
    return next(n for n, pipeline in enumerate(plan.pipelines) if pipeline.first <= step <= pipeline.last)


def rings_of(plan: Plan) -> dict[tuple[int, int], int]:
    """By pipeline and tensor the number of the ring."""
    pairs = [(n, ring.tensor) for n, pipeline in enumerate(plan.pipelines) for ring in pipeline.rings]
    return {pair: number for number, pair in enumerate(pairs)}


def rows_view(plan: Plan) -> dict[str, Any]:
    """What the templates show of a plan's pipelines."""
    rings = rings_of(plan)
    flows = [(n, step) for n, step in enumerate(plan.steps) if step.stripes]
    flow_of = {n: flow for flow, (n, _) in enumerate(flows)}
    view: dict[str, Any] = {"rings": [], "flows": [], "sources": [], "readers": [], "runs": []}
    for n, pipeline in enumerate(plan.pipelines):
        numbers = range(pipeline.first, pipeline.last + 1)
        for ring in pipeline.rings:
            tensor = plan.graph.tensor(ring.tensor)
            made_here = any(ring.tensor in plan.steps[k].op.outputs for k in numbers)
            gathers = any(ring.tensor in plan.steps[k].op.outputs and _gathers(plan.steps[k]) for k in numbers)
            readers = [flow_of[k] for k in numbers if ring.tensor in plan.steps[k].op.inputs]
            start = len(view["readers"])
            view["readers"] += readers
            view["rings"].append(
                {
                    "name": tensor.name,
                    "at": plan.addresses[ring.tensor],
                    "row_bytes": 0 if gathers else row_bytes(tensor),
                    "room": ring.rows,
                    "begin": 0 if made_here or ring.tensor == plan.pushed else tensor.shape[1],
                    "readers": start,
                    "readers_end": start + len(readers),
                }
            )
        for k in numbers:
            view["flows"].append(_flow(plan, pipeline, n, k, rings, flow_of, view))
    whole = [n for n, step in enumerate(plan.steps) if not step.stripes]
    view["pieces"] = len(whole) + sum(flow["stripes"] for flow in view["flows"])
    view |= {"pushed_bytes": 0, "pushed_rows": 0, "pushed_elements": 0, "pushed_ring": 0}
    if plan.pushed is not None:
        tensor = plan.graph.tensor(plan.pushed)
        view["pushed_bytes"], view["pushed_rows"] = row_bytes(tensor), tensor.shape[1]
        view["pushed_elements"], view["pushed_ring"] = tensor.elements // tensor.shape[1], rings[0, plan.pushed]
    counts = [tensor.shape[1] for pipeline in plan.pipelines for tensor in _tensors(plan, pipeline)]
    view["count_type"] = "uint8_t" if max(counts, default=0) <= _SMALL else "uint16_t"
    return view


def _gathers(step: Step) -> bool:
    return step.stripes is not None and step.stripes.gathers


def _tensors(plan: Plan, pipeline: Pipeline) -> list[Any]:
    return [plan.graph.tensor(ring.tensor) for ring in pipeline.rings]


def _flow(
    plan: Plan,
    pipeline: Pipeline,
    number: int,
    step_number: int,
    rings: Mapping[tuple[int, int], int],
    flow_of: Mapping[int, int],
    view: Mapping[str, list[Any]],
) -> dict[str, Any]:
    step = plan.steps[step_number]
    assert step.stripes is not None
    inputs, output = row_inputs(plan.graph, step.op), plan.graph.output_of(step.op)
    readers = [k for k in range(pipeline.first, pipeline.last + 1) if output.id in plan.steps[k].op.inputs]
    sources, runs = len(view["sources"]), len(view["runs"])
    view["sources"].extend(rings[number, tensor.id] for tensor in inputs)
    view["runs"].extend(run.until for run in step.stripes.runs)
    return {
        "number": step_number,
        "stripes": step.stripes.count,
        "height": step.stripes.height,
        "rows": inputs[0].shape[1] if step.stripes.gathers else output.shape[1],
        "input_rows": inputs[0].shape[1],
        "stride": step.stripes.window.stride,
        "pad": step.stripes.window.pad,
        "span": step.stripes.window.span,
        "sources": sources,
        "sources_end": sources + len(inputs),
        "output": rings[number, output.id],
        "deeper": flow_of[max(readers, default=step_number)],
        "runs": runs,
    }


def order_view(plan: Plan) -> list[dict[str, Any]]:
    """What an inference runs one after the other: steps, and pipelines by their first and last flow and ring."""
    found: list[dict[str, Any]] = []
    flow = ring = 0
    for n in range(len(plan.steps)):
        pipeline = next((p for p in plan.pipelines if p.first <= n <= p.last), None)
        if pipeline is None:
            found.append({"step": n, "rows": False})
        elif n == pipeline.first:
            flows, rings = pipeline.last - pipeline.first + 1, len(pipeline.rings)
            found.append(
                {
                    "step": n,
                    "rows": True,
                    "flow": flow,
                    "flow_last": flow + flows - 1,
                    "ring": ring,
                    "ring_end": ring + rings,
                    "last": pipeline.last,
                }
            )
            flow, ring = flow + flows, ring + rings
    return found


def stripes_view(step: Step, calls: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How the function of a step in stripes chooses its calls: one with parameters by run, or some for each run."""
    assert step.stripes is not None
    runs = step.stripes.runs
    first = calls[0]
    alike = all(
        len(run.calls) == 1
        and (calls[run.calls[0]]["function"], calls[run.calls[0]]["arguments"])
        == (first["function"], first["arguments"])
        and [name for name, _ in calls[run.calls[0]]["params"]] == [name for name, _ in first["params"]]
        for run in runs
    )
    if not alike:
        return {
            "alike": False,
            "cases": [{"run": n, "calls": [calls[k] for k in run.calls]} for n, run in enumerate(runs)],
        }
    if len(calls) == 1:
        return {"alike": True, "values": [], "call": first}
    return {"alike": True, "values": [calls[run.calls[0]]["params"] for run in runs], "call": first}
