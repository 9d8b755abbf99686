"""Operators that a user brings along: a C kernel, and a Python file beside it (docs/CUSTOM_OPS.md)."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flatbuffers import flexbuffers
from numpy.typing import NDArray

from mcugen.custom import Call, TensorFacts, Use
from mcugen.errors import CustomOpError
from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.resources import kernel_headers

PREFIX = "CUSTOM:"
_MOST_SOURCE = 1 << 20
_HELP = "docs/CUSTOM_OPS.md describes the two files of a custom op"

_current: ContextVar[tuple[CustomOp, ...]] = ContextVar("custom_ops", default=())
_others_too: ContextVar[bool] = ContextVar("other_custom_ops", default=False)


@dataclass(frozen=True, eq=False)
class CustomOp:
    """A user's op.

    Attributes:
        name: as the model calls it.
        kernel: the C function, and the name of its header in the project.
        source: the kernel's C.
        prepare: checks a use and says how the kernel is called; ValueError refuses the use.
        reference: what the op computes, or None: then nothing but its own kernel knows.
        where: the Python file, for messages.
        stateful: it keeps something from one inference to the next.
        reset: makes the reference function forget that.
    """

    name: str
    kernel: str
    source: str
    prepare: Callable[[Use], Call]
    reference: Callable[[Use, list[NDArray[Any]]], Sequence[NDArray[Any]]] | None
    where: str
    stateful: bool = False
    reset: Callable[[], object] | None = None

    @property
    def kind(self) -> str:
        return PREFIX + self.name

    @property
    def spec(self) -> OpSpec:
        return OpSpec(
            kind=self.kind,
            lower=self._lower,
            constraints=(self._accepts,),
            parse=_parse,
            macs=lambda graph, op: self._call(graph, op).macs,
            types=("any",),
        )

    def _accepts(self, graph: Graph, op: Op) -> str | None:
        """What the op's own Python file demands."""
        try:
            call = self._call(graph, op)
            KernelCall(self.kernel, tuple(call.params.items()), (), ())
            _constants(call)
        except (ValueError, TypeError) as error:
            return str(error) or "its Python file refuses it"
        return None

    def _lower(self, graph: Graph, op: Op, _target: Target) -> Lowering:
        call = self._call(graph, op)
        return Lowering(
            (
                KernelCall(
                    kernel=self.kernel,
                    params=tuple(call.params.items()),
                    inputs=tuple(i for i in op.inputs if i >= 0),
                    outputs=op.outputs,
                    constants=_constants(call),
                    scratch_bytes=call.scratch_bytes,
                    source=self.source,
                ),
            )
        )

    def _call(self, graph: Graph, op: Op) -> Call:
        made = _guarded(self, lambda: self.prepare(use_of(graph, op)))
        if not isinstance(made, Call):
            raise CustomOpError("prepare does not return a Call", where=self.where, hint=_HELP)
        if not made.params:
            raise CustomOpError("the Call has no params: C has no empty structs", where=self.where, hint=_HELP)
        return made

    def forget(self) -> None:
        """Make the reference function begin afresh."""
        if self.reset is not None:
            _guarded(self, self.reset)

    def refer(self, graph: Graph, op: Op, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs by the reference function, checked.

        Raises:
            CustomOpError: there is none, or it fails, or gives other shapes or types than the model's.
        """
        assert self.reference is not None, self.name
        reference = self.reference
        given = _guarded(self, lambda: list(reference(use_of(graph, op), [np.array(a) for a in inputs])))
        outputs = []
        for tensor, value in zip((graph.tensor(i) for i in op.outputs), given, strict=True):
            array = np.asarray(value)
            if array.dtype != tensor.dtype.numpy or array.size != tensor.elements:
                raise CustomOpError(
                    f"reference gives {array.dtype}{list(array.shape)} for {tensor.dtype.value}{list(tensor.shape)}",
                    where=f"{self.where}, {op.where}",
                )
            outputs.append(array.reshape(tensor.shape))
        return outputs


def use_of(graph: Graph, op: Op) -> Use:
    """An op of a graph as its Python file sees it."""
    return Use(
        op.kind.removeprefix(PREFIX),
        tuple(_facts(graph.tensor(i)) for i in op.inputs if i >= 0),
        tuple(_facts(graph.tensor(i)) for i in op.outputs),
        options=flexbuffer_options(op.options),
        raw_options=op.options,
    )


def current() -> tuple[CustomOp, ...]:
    """The user's ops that are in use."""
    return _current.get()


def find(kind: str) -> CustomOp | None:
    """The user's op of a kind."""
    return next((op for op in current() if op.kind == kind), None)


def takes_others() -> bool:
    """Whether custom ops without a kernel here are taken as well."""
    return _others_too.get()


@contextmanager
def take_others(wanted: bool = True) -> Iterator[None]:
    """Within the context, models may hold custom ops that are written elsewhere: against TFLM's own interface."""
    token = _others_too.set(wanted)
    try:
        yield
    finally:
        _others_too.reset(token)


@contextmanager
def use_custom_ops(given: Sequence[str]) -> Iterator[None]:
    """Within the context, models may hold these ops.

    Args:
        given: NAME=path/kernel.c each; path/kernel.py beside it is imported.

    Raises:
        CustomOpError: a file that is missing or does not hold what it should.
    """
    loaded = tuple(load_custom_op(each) for each in given)
    names = [op.name for op in loaded]
    if len(set(names)) != len(names):
        raise CustomOpError("the same op is named twice", where="`custom_ops`")
    token = _current.set((*_current.get(), *loaded))
    try:
        yield
    finally:
        _current.reset(token)


def load_custom_op(given: str) -> CustomOp:
    """One op from NAME=path/kernel.c.

    Raises:
        CustomOpError: what is wrong with it.
    """
    name, found, path = given.partition("=")
    if not found or not name or not path.endswith(".c"):
        raise CustomOpError(f'"{given}" is not NAME=path/kernel.c', where="`custom_ops`", hint=_HELP)
    source = _read(Path(path))
    kernel = _kernel_name(source, Path(path))
    _check_includes(source, Path(path))
    beside = Path(path).with_suffix(".py")
    _read(beside)
    module = _import(beside)
    prepare, reference = getattr(module, "prepare", None), getattr(module, "reference", None)
    if not callable(prepare):
        raise CustomOpError("has no function prepare(use)", where=str(beside), hint=_HELP)
    if reference is not None and not callable(reference):
        raise CustomOpError("reference is no function", where=str(beside), hint=_HELP)
    reset = getattr(module, "reset", None)
    if reset is not None and not callable(reset):
        raise CustomOpError("reset is no function", where=str(beside), hint=_HELP)
    return CustomOp(
        name, kernel, source, prepare, reference, str(beside), bool(getattr(module, "STATEFUL", False)), reset
    )


def _kernel_name(source: str, path: Path) -> str:
    """The one function `mcg_custom_…` that takes a struct of its own name."""
    name = r"(mcg_custom_\w+)"
    found = re.findall(rf"\bstatic\s+(?:inline\s+)?void\s+{name}\s*\(\s*const\s+{name}_params\b", source)
    kernels = {function for function, struct in found if function == struct}
    if len(kernels) != 1:
        raise CustomOpError(
            f"contains {len(kernels)} kernels; exactly one is expected",
            where=str(path),
            hint="A kernel is static inline void mcg_custom_NAME(const mcg_custom_NAME_params *p, …). " + _HELP,
        )
    return str(kernels.pop())


def _check_includes(source: str, path: Path) -> None:
    """A kernel is one file; besides C's own headers, mcugen's are at hand."""
    for header in re.findall(r'#\s*include\s+"([^"]*)"', source):
        if header not in kernel_headers():
            what = f'includes "{header}", which is not among mcugen\'s kernels'
            raise CustomOpError(what, where=str(path), hint=_HELP)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_SOURCE:
            raise CustomOpError(f"is larger than {_MOST_SOURCE} bytes", where=str(path))
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise CustomOpError(f"cannot be read: {reason}", where=str(path), hint=_HELP) from None


def _import(path: Path) -> Any:
    """Runs the user's own Python file, which the user named."""
    spec = importlib.util.spec_from_file_location(f"mcugen_custom_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises
        raise CustomOpError(f"cannot be imported: {type(error).__name__}: {error}", where=str(path)) from error
    return module


def _guarded(op: CustomOp, run: Callable[[], Any]) -> Any:
    """Runs the user's code: ValueError is a refusal, anything else its author's mistake."""
    try:
        return run()
    except ValueError:
        raise
    except Exception as error:
        raise CustomOpError(f"{type(error).__name__}: {error}", where=op.where) from error


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> bytes:
    """The bytes of the op's options."""
    return b"" if raw is None else np.asarray(raw, np.uint8).tobytes()


def flexbuffer_options(raw: bytes) -> dict[str, Any]:
    """A FlexBuffer map; empty where the bytes are none."""
    try:
        value = flexbuffers.Loads(raw) if raw else {}
    except Exception:  # the bytes are another format, which only the op's own file knows
        return {}
    return value if isinstance(value, dict) else {}


def _facts(tensor: Tensor) -> TensorFacts:
    whole = tensor.quant is not None and not tensor.quant.per_channel
    return TensorFacts(
        tensor.name,
        tensor.shape,
        tensor.dtype.value,
        tensor.scale if whole else 0.0,
        tensor.zero_point if whole else 0,
        tensor.data if tensor.dtype is not DType.OTHER else None,
    )


def _constants(call: Call) -> tuple[Constant, ...]:
    for role in call.constants:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", role):
            raise ValueError(f'the constant "{role}" has no name for C')
    return tuple(Constant(role, np.ascontiguousarray(values)) for role, values in call.constants.items())
