"""Each rule of the small passes, on graphs made by hand: what goes, what stays, and what the result is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op, Quantization, Tensor
from mcugen.ops import builtin
from mcugen.ops.common import Pads
from mcugen.ops.keeping.control import ControlOptions
from mcugen.ops.weighted.conv_2d import Conv2DOptions
from mcugen.runtimes.aot.graph import passes
from mcugen.runtimes.aot.graph.fold_constants import fold_constants
from mcugen.runtimes.aot.graph.passes import fuse_activations, fuse_pads, optimize, remove_dead_code
from mcugen.runtimes.aot.graph.passes.know_shapes import know_shapes
from tests.plan.hand_made import KEPT, graph_of, op, tensor

QUANT, OTHER = Quantization((0.5,), (3,)), Quantization((0.25,), (3,))


def ops_of(graph: Graph) -> list[tuple[int, str, tuple[int, ...], tuple[int, ...]]]:
    return [(o.index, o.kind, o.inputs, o.outputs) for o in graph.ops]


# Dead code


def test_what_nothing_depends_on_goes_and_all_else_stays() -> None:
    """t1 and t6 are read, t2 is not; t3 is a state; t5 is an unread input; t7 is an output nobody computes."""
    ops = [
        op(0, [0, -1], [1]),
        op(1, [1], [2]),
        op(2, [2], [8]),
        op(3, [6], [3], "ASSIGN_VARIABLE"),
        op(4, [1], [9, 4], "SPLIT"),
    ]
    tensors = [tensor(i) for i in range(11)]
    tensors[3] = tensor(3, initial=KEPT)
    graph = remove_dead_code(graph_of(tensors, ops, inputs=[0, 5, 6], outputs=[4, 7]))
    assert [o.index for o in graph.ops] == [0, 3, 4]
    assert sorted(graph.tensors) == [0, 1, 3, 4, 5, 6, 7, 9]


def test_the_first_tensor_may_be_what_is_needed() -> None:
    ops = [op(0, [2], [0]), op(1, [0], [1])]
    graph = remove_dead_code(graph_of([tensor(i) for i in range(3)], ops, inputs=[2]))
    assert [o.index for o in graph.ops] == [0, 1]


# Computed shapes


def shaped(kind: str, operand: Tensor, output: Tensor) -> Graph:
    """t3 = an op of t0 and, as its shape, of t1, which another op computes. Both are read by a second such op."""
    first, second = ((1, 2, 0), (1, 2, 0, 0)) if kind == "TRANSPOSE_CONV" else ((0, 1), (0, 1, 2))
    ops = [op(0, [0], [1], "SHAPE"), op(1, first, [3], kind), op(2, second, [4], kind)]
    tensors = [tensor(0), operand, tensor(2), output, replace(output, id=4), tensor(5)]
    return graph_of(tensors, ops, outputs=[3, 4])


SHAPE = tensor(1, 2, DType.INT32)


@pytest.mark.parametrize(("kind", "position"), [("TRANSPOSE_CONV", 0), ("RESHAPE", 1)])
def test_a_computed_shape_becomes_a_constant(kind: str, position: int) -> None:
    before = shaped(kind, SHAPE, tensor(3, (5, 7)))
    graph = know_shapes(before)
    for made, given, number in zip(graph.ops[1:], before.ops[1:], (6, 7), strict=True):
        assert made.inputs == (*given.inputs[:position], number, *given.inputs[position + 1 :])
        found = graph.tensors[number]
        assert (found.id, found.name, found.shape, found.dtype, found.quant) == (
            number, f"{given.name}_shape", (2,), DType.INT32, None,
        )  # fmt: skip
        assert found.data is not None
        assert found.data.tolist() == [5, 7]
        assert found.data.dtype == np.int32
        assert not found.data.flags.writeable
    assert graph.ops[0] is before.ops[0]
    assert {i: graph.tensors[i] for i in range(6)} == before.tensors


@pytest.mark.parametrize(
    "graph",
    [
        shaped("ADD", SHAPE, tensor(3, (5, 7))),
        shaped("RESHAPE", tensor(1, 2, DType.INT32, data=np.array([5, 7], np.int32)), tensor(3, (5, 7))),
        shaped("RESHAPE", tensor(1, 2, DType.FLOAT32), tensor(3, (5, 7))),
        shaped("RESHAPE", tensor(1, 3, DType.INT32), tensor(3, (5, 7))),
        shaped("RESHAPE", tensor(1, (2, 1), DType.INT32), tensor(3, (5, 7))),
    ],
    ids=["an op of no shape", "a constant", "another type", "another rank", "a table"],
)
def test_what_says_no_shape_stays(graph: Graph) -> None:
    kept = know_shapes(graph)
    assert kept.ops == graph.ops
    assert kept.tensors == graph.tensors


@pytest.mark.parametrize(
    "made",
    [op(0, [0], [3], "RESHAPE"), op(0, [0, -1], [3], "RESHAPE"), op(0, [0, 1], [3, 2], "RESHAPE")],
    ids=["no operand", "an empty operand", "two outputs"],
)
def test_ops_without_one_shape_stay(made: Op) -> None:
    tensors = [tensor(0), SHAPE, tensor(2), tensor(3, (5, 7))]
    graph = graph_of(tensors, [made], outputs=[3])
    assert know_shapes(graph).ops == (made,)


# Constants


def folding(
    *,
    kind: str = "NEG",
    inputs: tuple[int, ...] = (0,),
    data: NDArray[Any] | None = None,
    outputs: tuple[int, ...] = (2,),
) -> Graph:
    """t1 = an op of a constant t0; t2 = the same of t1."""
    values = np.array([1.0, -2.0], np.float32)
    ops = [op(0, inputs, [1], kind), op(1, [1], [2], kind)]
    tensors = [tensor(0, 2, DType.FLOAT32, data=values), *(tensor(i, 2, DType.FLOAT32) for i in (1, 2, 3))]
    return graph_of(tensors, ops, inputs=[3], outputs=outputs)


@pytest.fixture
def neg(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the spec of NEG says can be changed; by default it evaluates, and takes all."""
    changes: dict[str, Any] = {
        "constraints": (),
        "evaluate": lambda graph, o: (-graph.tensor(o.inputs[-1]).data,),
        "reads_values": True,
    }
    spec = builtin()["NEG"][0]
    monkeypatch.setattr("mcugen.ops.spec_of", lambda graph, o: replace(spec, **changes) if o.kind == "NEG" else None)
    return changes


def test_what_is_computed_from_constants_is_one(neg: dict[str, Any]) -> None:
    graph = fold_constants(folding(outputs=(3,)))
    assert graph.ops == ()
    for i, values in ((1, [-1.0, 2.0]), (2, [1.0, -2.0])):
        data = graph.tensor(i).data
        assert data is not None
        assert data.tolist() == values
        assert not data.flags.writeable


def test_outputs_of_the_model_are_not_folded(neg: dict[str, Any]) -> None:
    assert [o.index for o in fold_constants(folding(outputs=(2,))).ops] == [1]
    assert [o.index for o in fold_constants(folding(outputs=(1, 3))).ops] == [0, 1]


def test_absent_inputs_do_not_matter_and_variable_ones_do(neg: dict[str, Any]) -> None:
    assert fold_constants(folding(inputs=(-1, 0), outputs=(3,))).ops == ()
    assert [o.index for o in fold_constants(folding(inputs=(3, 0), outputs=(2,))).ops] == [0, 1]
    neg["reads_values"] = False
    assert [o.index for o in fold_constants(folding(inputs=(3, 0), outputs=(2,))).ops] == [1]


def test_a_variable_input_counts_whatever_its_number(neg: dict[str, Any]) -> None:
    graph = folding(outputs=(3,))
    variable = graph.with_(tensors={**graph.tensors, 0: replace(graph.tensor(0), data=None)})
    assert [o.index for o in fold_constants(variable).ops] == [0, 1]


def test_ops_that_cannot_be_evaluated_stay(neg: dict[str, Any]) -> None:
    assert len(fold_constants(folding(kind="OTHER", outputs=(3,))).ops) == 2
    assert len(fold_constants(folding(inputs=(), outputs=(3,))).ops) == 2
    neg["constraints"] = (lambda graph, o: "it is wrong" if o.index == 1 else None, lambda graph, o: None)
    assert [o.index for o in fold_constants(folding(outputs=(3,))).ops] == [1]
    neg["evaluate"] = None
    assert len(fold_constants(folding(outputs=(3,))).ops) == 2


@pytest.mark.parametrize("made", [np.zeros(3, np.float32), np.zeros((2, 1), np.float32), np.zeros(2, np.float64)])
def test_an_evaluation_of_another_shape_or_type_is_a_mistake(neg: dict[str, Any], made: NDArray[Any]) -> None:
    neg["evaluate"] = lambda graph, o: (made,)
    with pytest.raises(AssertionError, match=r'^op 0 NEG "layer0": evaluate gave float'):
        fold_constants(folding(outputs=(3,)))


# Activations


def conv_options(**changes: Any) -> Conv2DOptions:
    return replace(Conv2DOptions(Pads(0, 0, 0, 0), 1, 1, 1, 1, "NONE"), **changes)


def activated(
    *,
    kind: str = "RELU",
    producer: str = "CONV_2D",
    fused: str = "NONE",
    source: Tensor | None = None,
    made: Tensor | None = None,
    more: tuple[Op, ...] = (),
    outputs: tuple[int, ...] = (2,),
) -> Graph:
    """t0 → convolution → t1 → activation → t2, and another op before and behind them."""
    ops = [
        op(1, [4], [3], "TANH"),
        op(3, [0], [1], producer, conv_options(activation=fused)),
        op(5, [1], [2], kind),
        op(7, [2], [5], "TANH"),
        *more,
    ]
    tensors = [tensor(i, quant=QUANT) for i in range(7)]
    tensors[1], tensors[2] = source or tensors[1], made or tensors[2]
    return graph_of(tensors, ops, inputs=[0, 4], outputs=outputs)


@pytest.mark.parametrize("kind", ["RELU", "RELU6"])
def test_an_activation_becomes_its_producers(kind: str) -> None:
    graph = fuse_activations(activated(kind=kind))
    assert ops_of(graph) == [(1, "TANH", (4,), (3,)), (3, "CONV_2D", (0,), (2,)), (7, "TANH", (2,), (5,))]
    assert [getattr(o.options, "activation", None) for o in graph.ops] == [None, kind, None]


def test_floats_need_no_quantization() -> None:
    source, made = (tensor(i, dtype=DType.FLOAT32) for i in (1, 2))
    assert len(fuse_activations(activated(source=source, made=made)).ops) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "TANH"},
        {"producer": "TANH"},
        {"fused": "RELU"},
        {"made": tensor(2, quant=OTHER)},
        {"made": tensor(2, dtype=DType.INT16, quant=QUANT)},
        {"source": tensor(1), "made": tensor(2)},
        {"source": tensor(1, dtype=DType.INT16), "made": tensor(2, dtype=DType.INT16)},
        {"outputs": (1, 2)},
        {"more": (op(9, [1], [6], "TANH"),)},
    ],
)
def test_other_activations_stay(changes: dict[str, Any]) -> None:
    graph = activated(**changes)
    assert ops_of(fuse_activations(graph)) == ops_of(graph)


def test_an_activation_of_a_model_input_stays_and_the_next_is_fused() -> None:
    ops = [op(0, [0], [1], "RELU"), op(1, [1], [2], "CONV_2D", conv_options()), op(2, [2], [3], "RELU")]
    graph = fuse_activations(graph_of([tensor(i, quant=QUANT) for i in range(4)], ops))
    assert ops_of(graph) == [(0, "RELU", (0,), (1,)), (1, "CONV_2D", (1,), (3,))]


# Padding


AMOUNTS = np.array([[0, 0], [1, 2], [3, 4], [0, 0]], np.int32)
IMAGE = (1, 4, 4, 2)


def image(i: int, **more: Any) -> Tensor:
    return tensor(i, IMAGE, **{"quant": QUANT, **more})


def amounts(values: NDArray[Any] = AMOUNTS) -> Tensor:
    return tensor(5, values.shape, DType.INT32, data=values)


def value(number: float, dtype: DType = DType.INT8, quant: Quantization | None = QUANT) -> Tensor:
    return tensor(6, 1, dtype, quant=quant, data=np.array([number], dtype.numpy))


def padded(
    *tensors: Tensor,
    kind: str = "PAD",
    inputs: tuple[int, ...] = (0, 5),
    consumers: tuple[Op, ...] = (),
    outputs: tuple[int, ...] = (2,),
) -> Graph:
    """t0 → PAD → t1 → convolution with weights t7 → t2, between two others. The tensors replace these."""
    default = {i: image(i) for i in range(5)}
    default |= {5: amounts(), 6: value(3), 7: tensor(7, (2, 3, 3, 2), data=np.ones((2, 3, 3, 2), np.int8))}
    default |= {9: tensor(9), 10: tensor(10)}
    ops = [
        op(1, [9], [10], "TANH"),
        op(3, inputs, [1], kind),
        *(consumers or [op(5, [1, 7], [2], "CONV_2D", conv_options(pads=Pads(10, 20, 30, 40)))]),
        op(90, [2], [4], "TANH"),
    ]
    return graph_of(list((default | {t.id: t for t in tensors}).values()), ops, inputs=[0, 9], outputs=outputs)


def is_fused(graph: Graph) -> bool:
    done = fuse_pads(graph)
    if not any(o.index == 3 for o in done.ops):
        return True
    assert ops_of(done) == ops_of(graph)
    return False


def test_a_pad_becomes_the_convolutions() -> None:
    graph = fuse_pads(padded())
    assert ops_of(graph) == [(1, "TANH", (9,), (10,)), (5, "CONV_2D", (0, 7), (2,)), (90, "TANH", (2,), (4,))]
    assert graph.ops[1].options.pads == Pads(11, 22, 33, 44)


def test_a_pad_becomes_that_of_every_convolution() -> None:
    consumers = (
        op(5, [1, 7], [2], "CONV_2D", conv_options()),
        op(6, [1, 7, -1], [3], "DEPTHWISE_CONV_2D", conv_options()),
    )
    graph = fuse_pads(padded(consumers=consumers))
    assert [o.inputs for o in graph.ops[1:3]] == [(0, 7), (0, 7, -1)]
    assert [o.options.pads for o in graph.ops[1:3]] == [Pads(1, 2, 3, 4)] * 2
    graph = padded(consumers=(*consumers, op(7, [1], [8], "TANH")))
    assert not is_fused(graph.with_(tensors={**graph.tensors, 8: image(8)}))


FLOATS = [image(i, dtype=DType.FLOAT32, quant=None) for i in range(2)]
WEIGHTS = np.ones((2, 3, 3, 2), np.float32)


def float_weights(number: float) -> Tensor:
    values = WEIGHTS.copy()
    values[1, 2, 0, 1] = number
    return tensor(7, values.shape, DType.FLOAT32, data=values)


@pytest.mark.parametrize(
    ("graph", "fused"),
    [
        (padded(kind="PADV2"), True),
        (padded(kind="PADV2", inputs=(0, 5, 6)), True),
        (padded(value(4), kind="PADV2", inputs=(0, 5, 6)), False),
        (padded(value(0), kind="PADV2", inputs=(0, 5, 6)), False),
        (padded(value(3, quant=OTHER), kind="PADV2", inputs=(0, 5, 6)), False),
        (padded(value(3, DType.INT16), kind="PADV2", inputs=(0, 5, 6)), False),
        (padded(tensor(6, 1, quant=QUANT), kind="PADV2", inputs=(0, 5, 6)), False),
        (padded(*FLOATS, float_weights(2), value(0, DType.FLOAT32, None), kind="PADV2", inputs=(0, 5, 6)), True),
        (padded(*FLOATS, float_weights(2), value(1, DType.FLOAT32, None), kind="PADV2", inputs=(0, 5, 6)), False),
        (padded(*FLOATS, float_weights(2), value(-1, DType.FLOAT32, None), kind="PADV2", inputs=(0, 5, 6)), False),
        (padded(kind="MIRROR_PAD"), False),
        (padded(inputs=(0,)), False),
        (padded(inputs=(0, -1)), False),
        (padded(inputs=(-1, 5)), False),
        (padded(amounts(AMOUNTS[:3])), False),
        (padded(amounts(np.zeros((5, 2), np.int32))), False),
        (padded(replace(amounts(), data=None)), False),
        (padded(amounts(np.array([[1, 0], [1, 2], [3, 4], [0, 0]], np.int32))), False),
        (padded(amounts(np.array([[0, 1], [1, 2], [3, 4], [0, 0]], np.int32))), False),
        (padded(amounts(np.array([[0, 0], [1, 2], [3, 4], [1, 0]], np.int32))), False),
        (padded(amounts(np.array([[0, 0], [1, 2], [3, 4], [0, 1]], np.int32))), False),
        (padded(amounts(np.array([[0, 0], [-1, 2], [3, 4], [0, 0]], np.int32))), False),
        (padded(amounts(np.array([[0, 0], [1, 2], [3, -1], [0, 0]], np.int32))), False),
        (padded(amounts(np.array([[0, 0], [-1, -2], [-3, -4], [0, 0]], np.int32))), False),
        (padded(amounts(np.zeros((4, 2), np.int32))), True),
        (padded(image(0, data=np.zeros(IMAGE, np.int8))), False),
        (padded(image(0, dtype=DType.INT16)), False),
        (padded(image(0, quant=OTHER)), False),
        (padded(image(0, quant=None), image(1, quant=None)), False),
        (padded(*FLOATS), True),
        (padded(*FLOATS, float_weights(2)), True),
        (padded(*FLOATS, float_weights(np.inf)), False),
        (padded(*FLOATS, float_weights(np.nan)), False),
        (padded(*FLOATS, tensor(7, WEIGHTS.shape, DType.FLOAT32)), False),
        (padded(tensor(7, WEIGHTS.shape)), True),
        (padded(outputs=(1, 2)), False),
        (padded(consumers=(op(5, [1], [2], "AVERAGE_POOL_2D"),)), False),
        (padded(consumers=(op(5, [0, 1], [2], "CONV_2D", conv_options()),)), False),
    ],
)
def test_which_pads_become_a_convolutions(graph: Graph, fused: bool) -> None:
    assert is_fused(graph) is fused


# All of them


def test_a_pad_that_stays_does_not_keep_the_next_one() -> None:
    graph = padded(consumers=(op(4, [1, 5], [3], "PAD"), op(5, [3, 7], [2], "CONV_2D", conv_options())))
    assert [o.index for o in fuse_pads(graph).ops] == [1, 3, 5, 90]


def test_passes_run_in_order_on_the_graphs_of_ops_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    def noting(name: str) -> Any:
        def run(graph: Graph) -> Graph:
            seen.append((name, graph.name))
            return graph.with_(notes=(*graph.notes, name))

        return run

    monkeypatch.setattr(passes, "CLEARING", (noting("a"),))
    monkeypatch.setattr(passes, "PASSES", (noting("a"), noting("b")))
    monkeypatch.setattr(passes, "missing_ops", lambda graph: ())
    inner = [replace(graph_of([tensor(0), tensor(1)], [op(0, [0], [1])]), name=name) for name in ("then", "else")]
    control = ControlOptions(("then", "else"), (inner[0], inner[1]))
    ops = [op(0, [0], [1], "IF", control), op(1, [1], [2], "TANH")]
    graph = optimize(replace(graph_of([tensor(i) for i in range(3)], ops), name="main"))
    assert seen == [(name, of) for of in ("main", "then", "else") for name in ("a", "b")]
    assert graph.notes == ("a", "b")
    assert ops_of(graph) == [(0, "IF", (0,), (1,)), (1, "TANH", (1,), (2,))]
    done = graph.ops[0].options
    assert (done.roles, [g.name for g in done.graphs]) == (("then", "else"), ["then", "else"])
    assert [g.notes for g in done.graphs] == [("a", "b")] * 2


def test_a_graph_with_an_op_that_breaks_its_rules_is_only_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planner refuses it; no other pass has to expect what is in it."""
    seen: list[str] = []

    def noting(name: str) -> Any:
        return lambda graph: (seen.append(name), graph)[1]

    monkeypatch.setattr(passes, "CLEARING", (noting("a"),))
    monkeypatch.setattr(passes, "PASSES", (noting("a"), noting("b")))
    graph = graph_of([tensor(0), tensor(1)], [op(0, [0], [1], "NO_SUCH_OP")])
    assert optimize(graph) is graph
    assert seen == ["a"]
