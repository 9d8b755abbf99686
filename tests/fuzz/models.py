"""Mutated models: whatever a file says, it is taken and computed right, or refused with a reason."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mcugen.convert.inspect_source import inspect_model
from mcugen.errors import McugenError
from mcugen.graph.types import DType, Graph
from mcugen.ops.base import Target
from mcugen.oracle import Oracle, make_inputs
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize, remove_dead_code
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.supported import missing_ops
from mcugen.runtimes.tflm.view import read_view
from mcugen.tflite.opened import open_model
from mcugen.tflite.schema import pack_model, unpack_model
from tests import zoo
from tests.conformance.suite import ALIVE, GENERATORS, claimed, draw_case
from tests.kernels.single_op import build_graph, inputs_of

SANITIZED = ("-O1", "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")
ADDRESSES = (*SANITIZED, "-fsanitize=address", "-g")
_WATCHED = 0.1
"""Part of what is compared that the sanitizer for addresses watches as well, which takes ten times as long."""
TARGETS = (Target(), Target("cortex-m3", ("mla",)), Target("cortex-m4", ("dsp",)))
SMALL_ZOO = ("sine", "speech", "svdf", "lstm", "ds_cnn_16x8", "wake_word", "transformer")


class Outcome(IntEnum):
    """What comparing an accepted mutant came to."""

    EQUAL = 0
    REFUSED_LATER = 1
    UNDEFINED = 2
    DIFFERS = 3
    BROKEN = 4


@dataclass
class Campaign:
    """What a campaign found: how many models were tried, taken and compared, and every fault with its seed."""

    tried: int = 0
    taken: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    samples: list[bytes] = field(default_factory=list)


@cache
def seeds() -> tuple[bytes, ...]:
    """Small models of every op and type that there are, and whole ones of the zoo."""
    singles = [
        build_graph([*case.nodes, *(() if inputs_of(case.nodes) else (ALIVE,))], case.outputs)
        for kind, types in claimed().items()
        if kind in GENERATORS
        for dtype in types
        for case in (draw_case(kind, dtype, 0), draw_case(kind, dtype, 1))
    ]
    return (*singles, *(zoo.model(name) for name in SMALL_ZOO))


def mutant(rng: random.Random) -> bytes:
    """One model with one to four faults, some of them in its raw bytes."""
    data = rng.choice(seeds())
    if rng.random() < 0.15:
        return _flipped(data, rng)
    model = unpack_model(data)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        with suppress(IndexError, ValueError, TypeError):  # nothing there to be changed
            rng.choice(_MUTATORS)(model, rng)
    try:
        return pack_model(model)
    except Exception:  # the schema's own packer refuses some values: the original with damaged bytes then
        return _flipped(data, rng)


def attack(seed: int, count: int, *, compare: float = 0.0) -> Campaign:
    """Try `count` mutants.

    Args:
        compare: the part of the accepted ones that is compiled, run under the sanitizer, and compared with the oracle.
    """
    found = Campaign()
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        data = mutant(rng)
        found.tried += 1
        taken, fault = _read(data, TARGETS[number % len(TARGETS)])
        found.taken += taken
        if taken and not fault and rng.random() < compare:
            target = rng.choice(TARGETS)
            with tempfile.TemporaryDirectory(prefix="mcugen-fuzz-") as folder:
                is_watched = rng.random() < _WATCHED
                outcome = watched(data, target, Path(folder)) if is_watched else compared(data, target)
            found.compared[outcome] += 1
            fault = outcome if outcome.startswith(("DIFFERS", "BROKEN", "signal")) else ""
        if fault:
            found.faults.append(f"seed {seed}, mutant {number}: {fault}")
            found.samples.append(data)
    return found


def _read(data: bytes, target: Target) -> tuple[bool, str]:
    """Whether the ahead-of-time runtime takes it; anything but an error of mcugen's, of each reader of models."""
    taken = False
    for reader, run in (
        ("", lambda: make_plan(optimize(read_graph(data)), target)),
        ("TFLM: ", lambda: read_view(data)),
        ("convert: ", lambda: inspect_model(open_model(data))),
    ):
        try:
            run()
            taken = taken or not reader
        except McugenError:
            continue
        except Exception as error:
            return taken, f"{reader}{_where(error)}"
    return taken, ""


def _where(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} ({str(error)[:80]}) in {Path(frame.filename).name}:{frame.lineno}"


def compared(data: bytes, target: Target, seconds: int = 60) -> str:
    """Run an accepted model's C with the undefined-behaviour sanitizer, and compare it with the oracle.

    In a process of its own: the sanitizer ends it.
    """
    child = os.fork()
    if child == 0:
        code = Outcome.BROKEN
        try:
            signal.alarm(seconds)
            with suppress(OSError):
                quiet = os.open(os.devnull, os.O_WRONLY)
                os.dup2(quiet, 1)
                os.dup2(quiet, 2)
            code = _compare(data, target)
        except BaseException:
            code = Outcome.BROKEN
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return "too slow" if name == "SIGALRM" else f"signal {name} for {'+'.join(target.kernels) or 'portable'}"
    code = Outcome(os.WEXITSTATUS(status))
    kernels = "+".join(target.kernels) or "portable"
    return (
        code.name if code in (Outcome.EQUAL, Outcome.REFUSED_LATER, Outcome.UNDEFINED) else f"{code.name} for {kernels}"
    )


def watched(data: bytes, target: Target, folder: Path) -> str:
    """The same in a process of its own that the sanitizer for addresses watches as well, which takes seconds."""
    path = folder / "watched.tflite"
    path.write_bytes(data)
    library = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    options = "detect_leaks=0:exitcode=99"
    environment = {**os.environ, "LD_PRELOAD": library.stdout.strip(), "ASAN_OPTIONS": options}
    command = [sys.executable, "-m", "tests.fuzz.one", str(path), str(TARGETS.index(target))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", timeout=300)
    if done.returncode in tuple(Outcome):
        return Outcome(done.returncode).name
    lines = [line for line in done.stderr.splitlines() if "ERROR: AddressSanitizer" in line]
    return f"signal or address: exit {done.returncode} {lines[:1] or done.stderr[-200:]}"


def _compare(data: bytes, target: Target, flags: Sequence[str] = SANITIZED) -> Outcome:
    read = read_graph(data)
    if _is_undefined(read):
        return Outcome.UNDEFINED
    graph = optimize(read)
    plan = make_plan(graph, target)
    try:
        with HostModel(plan, flags=flags) as host:
            samples = make_inputs(graph, 3)
            got = []
            for sample in samples:
                if graph.sequences:
                    host.reset()
                got.append(host.run(list(sample)))
        with Oracle(data, afresh=graph.sequences) as oracle:
            wanted = [oracle.run(sample) for sample in samples]
    except McugenError:  # TFLM, or we ourselves when C is written
        return Outcome.REFUSED_LATER
    for ours, theirs in zip(got, wanted, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            if a.dtype == np.float32:
                if not np.allclose(a.reshape(b.shape), b, rtol=1e-3, atol=1e-4, equal_nan=True):
                    return Outcome.DIFFERS
            elif not np.array_equal(a.reshape(b.shape), b):
                return Outcome.DIFFERS
    return Outcome.EQUAL


def _is_undefined(graph: Graph) -> bool:
    """The reference reads or writes beyond its tensors, in an op that nothing needs; or divides by a computed zero."""
    needed = {op.index for op in remove_dead_code(graph).ops}
    wrong = {missing.index for missing in missing_ops(graph)}
    divides = any(op.kind == "DIV" and graph.output_of(op).dtype is DType.INT8 for op in graph.ops)
    return bool(wrong - needed) or divides


def _flipped(data: bytes, rng: random.Random) -> bytes:
    broken = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        value = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        broken[rng.randrange(8, len(broken))] = value
    return bytes(broken[: rng.randrange(len(broken))] if rng.random() < 0.05 else broken)


INTEGERS = (-(2**31), -3, -2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 16, 100, 255, 256, 1000, 65536, 2**31 - 1)
FLOATS = (0.0, 1e-45, 1e-38, 1e-30, 1e-9, 1e-3, 0.5, 1.0, 2.0, 127.0, 1e6, 1e30, 3e38, -1.0, float("inf"), float("nan"))


def _tensor(model: Any, rng: random.Random) -> Any:
    return rng.choice(rng.choice(model.subgraphs).tensors)


def _operator(model: Any, rng: random.Random) -> Any:
    return rng.choice(rng.choice(model.subgraphs).operators)


def _shape(model: Any, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    shape = [int(d) for d in tensor.shape if tensor.shape is not None] or [1]
    what = rng.randrange(4)
    if what == 0:
        shape[rng.randrange(len(shape))] = rng.choice(INTEGERS)
    elif what == 1:
        shape.insert(rng.randrange(len(shape) + 1), rng.choice((1, 1, 2, 3)))
    elif what == 2:
        shape.pop(rng.randrange(len(shape)))
    else:
        rng.shuffle(shape)
    tensor.shape = np.array(shape, np.int64).astype(np.int32)


def _type(model: Any, rng: random.Random) -> None:
    _tensor(model, rng).type = rng.choice((0, 1, 2, 3, 4, 6, 7, 9, 17, 5, 100))


def _quantization(model: Any, rng: random.Random) -> None:
    quantization = _tensor(model, rng).quantization
    if quantization is None or quantization.scale is None or not len(quantization.scale):
        raise IndexError
    scale = np.array(quantization.scale, np.float32)
    what = rng.randrange(5)
    if what == 0:
        scale[rng.randrange(len(scale))] = rng.choice(FLOATS)
    elif what == 1:
        scale = (scale * np.float32(10.0 ** rng.uniform(-6, 6))).astype(np.float32)
    elif what == 2:
        scale = np.concatenate([scale, scale]) if rng.random() < 0.5 else scale[:0]
    elif what == 3 and quantization.zeroPoint is not None and len(quantization.zeroPoint):
        zeros = np.array(quantization.zeroPoint, np.int64)
        zeros[rng.randrange(len(zeros))] = rng.choice((-129, -128, -1, 0, 1, 5, 127, 128, 255, 2**40))
        quantization.zeroPoint = zeros
    else:
        quantization.quantizedDimension = rng.choice(INTEGERS)
    quantization.scale = scale


def _data(model: Any, rng: random.Random) -> None:
    buffer = rng.choice(model.buffers)
    if buffer.data is None or not len(buffer.data):
        raise IndexError
    data = bytearray(np.asarray(buffer.data, np.uint8).tobytes())
    for _ in range(rng.randint(1, 8)):
        if len(data) >= 4 and rng.random() < 0.5:
            at = rng.randrange(len(data) // 4) * 4
            data[at : at + 4] = struct.pack("<i", rng.choice(INTEGERS))
        else:
            data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.1:
        data = data[: rng.randrange(len(data))]
    buffer.data = np.frombuffer(bytes(data), np.uint8)


def _option(model: Any, rng: random.Random) -> None:
    options = _operator(model, rng).builtinOptions
    if options is None:
        raise IndexError
    name = rng.choice(sorted(vars(options)))  # IndexError where it has none
    value = getattr(options, name)
    if isinstance(value, bool):
        setattr(options, name, not value)
    elif isinstance(value, int):
        setattr(options, name, rng.choice((-1, 0, 1, 2, 3, 4, 5, 7, 64)))
    elif isinstance(value, float):
        setattr(options, name, rng.choice(FLOATS))
    else:
        raise IndexError


def _no_options(model: Any, rng: random.Random) -> None:
    operator = _operator(model, rng)
    operator.builtinOptions, operator.builtinOptionsType = None, 0


def _edge(model: Any, rng: random.Random) -> None:
    graph = rng.choice(model.subgraphs)
    operator = rng.choice(graph.operators)
    edges = rng.choice(("inputs", "outputs"))
    values = [int(i) for i in getattr(operator, edges)]
    what = rng.randrange(3)
    if what == 0:
        values[rng.randrange(len(values))] = rng.choice((-1, *range(len(graph.tensors)), len(graph.tensors)))
    elif what == 1:
        values.pop(rng.randrange(len(values)))
    else:
        values.append(rng.randrange(-1, len(graph.tensors)))
    setattr(operator, edges, np.array(values, np.int32))


def _variable(model: Any, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    tensor.isVariable = not tensor.isVariable


def _constant(model: Any, rng: random.Random) -> None:
    """An input of an op becomes a constant, or a constant an input."""
    tensor = _tensor(model, rng)
    count = int(np.prod(tensor.shape)) if tensor.shape is not None else 1
    if tensor.buffer or not 0 < count < 10_000:
        tensor.buffer = 0
        return
    buffer = type(model.buffers[0])()
    buffer.data = np.frombuffer(rng.randbytes(count * rng.choice((1, 1, 2, 4))), np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)
    for graph in model.subgraphs:
        graph.inputs = np.array([i for i in graph.inputs if graph.tensors[int(i)] is not tensor], np.int32)


def _interface(model: Any, rng: random.Random) -> None:
    graph = model.subgraphs[0]
    which = rng.choice(("inputs", "outputs"))
    values = [int(i) for i in getattr(graph, which)]
    values[rng.randrange(len(values))] = rng.randrange(-1, len(graph.tensors) + 1)
    setattr(graph, which, np.array(values * rng.choice((1, 1, 2)), np.int32))


def _code(model: Any, rng: random.Random) -> None:
    code = rng.choice(model.operatorCodes)
    code.builtinCode = rng.choice((code.builtinCode, rng.randrange(0, 210)))
    code.deprecatedBuiltinCode = min(127, code.builtinCode)
    code.version = rng.choice((1, 2, 3, 100))


def _order(model: Any, rng: random.Random) -> None:
    graph = rng.choice(model.subgraphs)
    rng.shuffle(graph.operators)


_MUTATORS: tuple[Callable[[Any, random.Random], None], ...] = (
    *(_shape, _shape, _type, _quantization, _quantization, _quantization, _data, _data, _option, _option),
    *(_no_options, _edge, _edge, _variable, _constant, _interface, _code, _order),
)


def corpus() -> Iterator[Path]:
    """Models that once broke mcugen."""
    yield from sorted((Path(__file__).parent / "corpus").glob("*.tflite"))
