"""The loops of a float model that can be quantized: those that run a known number of times."""

from __future__ import annotations

from mcugen.errors import ConversionError
from mcugen.tflite import fields as flat
from mcugen.tflite.counted import MOST_ROUNDS, CountedLoop, count_rounds, loop_graphs
from mcugen.tflite.schema_types import ModelT, OperatorT

LOOP = "WHILE"
_HINT = "Give sequences a fixed length, or run the model in float32 with `quantize=False`"


def counted_loops(model: ModelT) -> list[CountedLoop]:
    """The loops of a model, in order.

    Raises:
        ConversionError: one whose number of rounds is not known, or one inside another.
    """
    main = model.subgraphs[0]
    found = []
    for index, op in enumerate(main.operators):
        if not is_loop(model, op):
            continue
        where = flat.where(model, main, index)
        graphs = loop_graphs(model, op)
        if graphs is None:
            raise ConversionError(
                "does not fit the subgraphs that it runs", where=where, hint="The file is damaged: convert it again"
            )
        body = model.subgraphs[graphs[1]]
        if any(flat.kind_of(model, nested) in ("WHILE", "IF", "CALL_ONCE") for nested in body.operators):
            raise ConversionError(
                "is a loop with loops or conditions inside, which cannot be quantized here",
                where=where,
                hint="Move the inner loop out, or run the model in float32 with `quantize=False`",
            )
        loop = count_rounds(model, main, op)
        if loop is None:
            raise ConversionError(
                f"is a loop whose number of rounds depends on data, or is above {MOST_ROUNDS:,}, which cannot be "
                "quantized here",
                where=where,
                hint=_HINT,
            )
        found.append(loop)
    return found


def is_loop(model: ModelT, op: OperatorT) -> bool:
    return flat.kind_of(model, op) == LOOP


def drop_unused_graphs(model: ModelT) -> None:
    """Remove subgraphs that no loop runs any more."""
    loops = [op for op in model.subgraphs[0].operators if is_loop(model, op)]
    used = {n for op in loops for n in (op.builtinOptions.condSubgraphIndex, op.builtinOptions.bodySubgraphIndex)}
    order = {old: new for new, old in enumerate(sorted({0, *used}))}
    for op in loops:
        options = op.builtinOptions
        options.condSubgraphIndex, options.bodySubgraphIndex = (
            order[options.condSubgraphIndex],
            order[options.bodySubgraphIndex],
        )
    model.subgraphs = [model.subgraphs[n] for n in order]
