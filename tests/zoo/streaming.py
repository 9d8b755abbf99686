"""A streaming wake word: a network over time whose past lives in resource variables, as microWakeWord exports them.

The network is built with its states as inputs and outputs, quantized like any other, and only then are these turned
into variables. CONCATENATION and slices share their scale, so a state comes back with the scale it went with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert import convert
from mcugen.oracle.oracle import Oracle
from mcugen.tflite.schema import pack_model, unpack_model
from tests.convert.float_models import S
from tests.zoo.layers import Net

_FEATURES, _CHANNELS, _ROWS = 10, 16, 3
_STATE, _KEPT = "state", "kept"
_CALIBRATION_STEPS = 40
_RESOURCE = S.TensorType.RESOURCE
_UINT8 = S.TensorType.UINT8


def wake_word() -> bytes:
    """Int8 [1, 3, 10] in, uint8 [1, 1] out; five variables that CALL_ONCE sets to the zero point."""
    tflite, states = _float_model()
    return _with_variables(convert(tflite, _stream(tflite, states)).tflite, len(states))


def _stream(tflite: bytes, states: dict[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Calibration data: what the states are while features come in."""
    rng = np.random.default_rng(13)
    steps: dict[str, list[NDArray[np.float32]]] = {name: [] for name in ("features", *states)}
    values = [np.zeros(shape, np.float32) for shape in states.values()]
    with Oracle(tflite) as oracle:
        for _ in range(_CALIBRATION_STEPS):
            given = [rng.normal(size=(1, _ROWS, _FEATURES)).astype(np.float32), *values]
            for seen, value in zip(steps.values(), given, strict=True):
                seen.append(value[0])
            values = [np.array(value) for value in oracle.run(given)[1:]]
    return {name: np.stack(seen) for name, seen in steps.items()}


def _float_model() -> tuple[bytes, dict[str, tuple[int, ...]]]:
    net = Net(12)
    states: dict[str, tuple[int, ...]] = {}
    kept: list[int] = []
    features = net.input((1, _ROWS, _FEATURES), "features")

    def remembered(x: int, rows: int) -> int:
        """`rows` rows of the past before x; the last rows of both are the next inference's past."""
        number = len(states)
        _, new, _, channels = net.shape(x)
        past = net.input((1, rows, 1, channels), f"{_STATE}{number}")
        states[f"{_STATE}{number}"] = net.shape(past)
        window = net.concat([past, x], 1, name=f"window{number}")
        kept.append(_rows(net, window, new, new + rows, f"{_KEPT}{number}"))
        return window

    x = net.reshape(features, (1, _ROWS, 1, _FEATURES), name="as_image")
    x = net.conv(remembered(x, 2), _CHANNELS, (5, 1), same=False, name="first")
    x = net.depthwise(remembered(x, 2), (3, 1), activation="NONE", same=False, name="block0")
    x = net.conv(x, _CHANNELS, (1, 1), name="block0/pointwise")
    for block, sizes in enumerate(((5, 9), (7, 11)), 1):
        window = remembered(x, sizes[1] - 1)
        half = (1, sizes[1], 1, _CHANNELS // 2)
        inputs = [window, net.constant([half[3]] * 2, np.int32), net.constant(3, np.int32)]
        halves = net.ops("SPLIT_V", inputs, [half, half], f"split{block}", S.SplitVOptionsT(numSplits=2))
        parts = []
        for part, size in zip(halves, sizes, strict=True):
            last = _rows(net, part, sizes[1] - size, sizes[1], f"block{block}/last{size}")
            parts.append(net.depthwise(last, (size, 1), activation="NONE", same=False, name=f"block{block}/{size}"))
        x = net.concat(parts, 3, name=f"mix{block}")
        x = net.conv(x, _CHANNELS, (1, 1), name=f"block{block}/pointwise")
    x = net.depthwise(remembered(x, 12), (13, 1), activation="NONE", same=False, name="block3")
    x = net.conv(x, _CHANNELS, (1, 1), name="block3/pointwise")
    return net.build(net.sigmoid(net.dense(x, 1, gain=8, name="word")), *kept), states


def _rows(net: Net, x: int, start: int, end: int, name: str) -> int:
    _, rows, width, channels = net.shape(x)
    bounds = ([0, start, 0, 0], [1, end, width, channels], [1, 1, 1, 1])
    assert end <= rows
    inputs = [x, *(net.constant(bound, np.int32) for bound in bounds)]
    return net.op("STRIDED_SLICE", inputs, (1, end - start, width, channels), name, S.StridedSliceOptionsT())


def _with_variables(tflite: bytes, count: int) -> bytes:
    """The quantized network's states as variables, and its output in uint8."""
    model = unpack_model(tflite)
    main = model.subgraphs[0]
    inputs, outputs = [int(n) for n in main.inputs], [int(n) for n in main.outputs]
    named = {main.tensors[n].name.decode(): n for n in inputs}
    states, kept = [named[f"{_STATE}{n}"] for n in range(count)], outputs[1:]
    for before, after in zip(states, kept, strict=True):
        was, becomes = (main.tensors[n].quantization for n in (before, after))
        if (was.scale[0], was.zeroPoint[0]) != (becomes.scale[0], becomes.zeroPoint[0]):
            raise AssertionError("a state does not come back with the scale that it went with")
    handles = [_add_tensor(main, _RESOURCE, (), f"handle{n}") for n in range(count)]
    first = [_op(model, "CALL_ONCE", [], [], S.CallOnceOptionsT(initSubgraphIndex=1))]
    first += [_op(model, "VAR_HANDLE", [], [h], _variable(n)) for n, h in enumerate(handles)]
    reads = {s: _op(model, "READ_VARIABLE", [h], [s]) for h, s in zip(handles, states, strict=True)}
    assigns = {k: _op(model, "ASSIGN_VARIABLE", [h, k]) for h, k in zip(handles, kept, strict=True)}
    body = []
    for op in main.operators:  # read just before, assigned just after, as microWakeWord does
        body += [reads.pop(int(i)) for i in op.inputs if int(i) in reads]
        body.append(op)
        body += [assigns.pop(int(i)) for i in op.outputs if int(i) in assigns]
    assert not reads
    assert not assigns
    score = main.tensors[outputs[0]].quantization
    y = _add_tensor(main, _UINT8, (1, 1), "probability")
    main.tensors[y].quantization = S.QuantizationParametersT(scale=score.scale, zeroPoint=score.zeroPoint + 128)
    main.operators = [*first, *body, _op(model, "QUANTIZE", [outputs[0]], [y])]
    main.inputs, main.outputs = [named["features"]], [y]
    model.subgraphs.append(_start(model, [main.tensors[n] for n in states]))
    return pack_model(model)


def _start(model: Any, states: list[Any]) -> Any:
    """The subgraph that CALL_ONCE runs: every variable is real zero."""
    start = S.SubGraphT(tensors=[], operators=[], inputs=[], outputs=[], name="start")
    for number, state in enumerate(states):
        zeros = np.full([int(n) for n in state.shape], state.quantization.zeroPoint[0], np.int8)
        value = _add_tensor(start, state.type, zeros.shape, f"zeros{number}")
        start.tensors[value].quantization = state.quantization
        start.tensors[value].buffer = len(model.buffers)
        model.buffers.append(S.BufferT(data=zeros.reshape(-1).view(np.uint8)))
        handle = _add_tensor(start, _RESOURCE, (), f"handle{number}")
        start.operators.append(_op(model, "VAR_HANDLE", [], [handle], _variable(number)))
        start.operators.append(_op(model, "ASSIGN_VARIABLE", [handle, value]))
    return start


def _variable(number: int) -> Any:
    return S.VarHandleOptionsT(container="", sharedName=f"{_STATE}{number}")


def _add_tensor(subgraph: Any, dtype: int, shape: tuple[int, ...], name: str) -> int:
    subgraph.tensors.append(S.TensorT(shape=np.array(shape, np.int32), type=dtype, buffer=0, name=name))
    return len(subgraph.tensors) - 1


def _op(model: Any, kind: str, inputs: list[int], outputs: list[int] | None = None, options: Any = None) -> Any:
    number = getattr(S.BuiltinOperator, kind)
    codes = [code.builtinCode for code in model.operatorCodes]
    if number not in codes:
        model.operatorCodes.append(
            S.OperatorCodeT(builtinCode=number, deprecatedBuiltinCode=min(number, 127), version=1)
        )
        codes.append(number)
    op = S.OperatorT(opcodeIndex=codes.index(number), inputs=_ids(inputs), outputs=_ids(outputs or []))
    if options is not None:
        op.builtinOptions = options
        op.builtinOptionsType = getattr(S.BuiltinOptions, type(options).__name__[:-1])
    return op


def _ids(values: list[int]) -> NDArray[np.int32]:
    return np.array(values, np.int32)
