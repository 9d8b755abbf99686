"""`mcugen.json`: what an emitted project says about itself. Stable and versioned; read back as untrusted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

from mcugen.emit.style import FIRMWARE_NAME
from mcugen.errors import ProjectError
from mcugen.graph.types import Tensor
from mcugen.names import GOALS, INPUT_ROWS, PROTOCOLS, Goal, InputRows, Protocol
from mcugen.runtimes.program import Program, ProgramStep

SCHEMA = 1
"""Raised when a field changes its meaning or goes away. It stays the same within a minor version, whose patch versions
read each other's manifests: what a patch version adds must be optional here."""

MANIFEST_NAME = "mcugen.json"
MAX_MANIFEST_BYTES = 16 << 20

T = TypeVar("T")


@dataclass(frozen=True)
class TensorFacts:
    """An input or output. `scale` is 0 where the tensor is not quantized."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True)
class OpFacts:
    """One op of the planned graph; its number is its position in `Manifest.ops`.

    `kernels` names the C functions called, `why_not_faster` is empty where no faster variant exists for the core.
    """

    name: str
    kind: str
    kernels: tuple[str, ...]
    variant: str
    macs: int
    why_not_faster: str


@dataclass(frozen=True)
class Manifest:
    """The project's facts. Sizes are in bytes; `files` maps every emitted file to its SHA-256.

    `name` is the prefix of the model's C functions. Firmware of several models has the facts of the first here, and
    those of the others, which list no files of their own, in `others`.

    `optimize` is the plan's goal, `reserve` bytes by memory that are the user's. `rows`, `arena_limit`, `library`,
    `slot_bytes`, `names_kept` and `arena_exact` are as in `mcugen.runtimes.program.Program`.
    """

    mcugen: str
    model_name: str
    model_sha256: str
    board: str
    runtime: str
    library: str
    slot_bytes: int
    names_kept: bool
    arena_exact: bool
    command: str
    arena_bytes: int
    live_bound: int
    weight_bytes: int
    macs: int
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    labels: tuple[str, ...]
    protocol: Protocol
    optimize: Goal
    rows: InputRows
    arena_limit: int
    reserve: Mapping[str, int]
    ops: tuple[OpFacts, ...]
    files: Mapping[str, str]
    name: str = FIRMWARE_NAME
    others: tuple[Manifest, ...] = ()


def plan_facts(plan: Program) -> dict[str, Any]:
    """The fields of `Manifest` that a plan decides."""
    return {
        "runtime": plan.runtime,
        "library": plan.library,
        "slot_bytes": plan.slot_bytes,
        "names_kept": plan.names_kept,
        "arena_exact": plan.arena_exact,
        "model_name": plan.graph.name,
        "model_sha256": plan.graph.sha256,
        "arena_bytes": plan.arena_bytes,
        "live_bound": plan.live_bound,
        "weight_bytes": sum(plan.constant_sizes()),
        "macs": plan.macs,
        "optimize": plan.goal,
        "rows": plan.rows,
        "arena_limit": plan.arena_limit,
        "reserve": dict(plan.reserved),
        "inputs": tuple(_tensor_facts(t) for t in plan.input_tensors()),
        "outputs": tuple(_tensor_facts(t) for t in plan.output_tensors()),
        "ops": tuple(_op_facts(step) for step in plan.steps),
    }


def _tensor_facts(tensor: Tensor) -> TensorFacts:
    quantized = tensor.quant is not None and not tensor.quant.per_channel
    return TensorFacts(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype.value,
        scale=tensor.scale if quantized else 0.0,
        zero_point=tensor.zero_point if quantized else 0,
    )


def _op_facts(step: ProgramStep) -> OpFacts:
    return OpFacts(
        name=step.op.name,
        kind=step.op.kind,
        kernels=tuple(step.kernels.split("+")),
        variant=step.variant,
        macs=step.macs,
        why_not_faster=step.why_not_faster,
    )


def manifest_text(manifest: Manifest) -> str:
    """The manifest as JSON, the same for the same facts."""
    fields = asdict(manifest)
    fields["files"] = dict(sorted(manifest.files.items()))
    return json.dumps({"schema": SCHEMA, **fields}, indent=1, ensure_ascii=True) + "\n"


def parse_manifest(text: str, where: str) -> Manifest:
    """Read a manifest back, whoever wrote it.

    Args:
        where: the file's name, for messages.

    Raises:
        ProjectError: not JSON, another schema, or a field that is missing or of the wrong type or range.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProjectError(f"is not valid JSON: {error}", where=where, hint=_REGENERATE) from error
    top = _Fields(data, where, "")
    schema = top.integer("schema")
    if schema != SCHEMA:
        raise ProjectError(
            f"has schema {schema}, this mcugen reads schema {SCHEMA}",
            where=where,
            hint="Another version of mcugen generated it: generate the project again, or use that version",
        )
    return _read_facts(top)


def _read_facts(top: _Fields) -> Manifest:
    return Manifest(
        mcugen=top.text("mcugen"),
        model_name=top.text("model_name"),
        model_sha256=top.matching("model_sha256", r"[0-9a-f]{64}"),
        board=top.matching("board", r"[a-z0-9][a-z0-9-]{0,30}"),
        runtime=top.matching("runtime", r"aot|tflm"),
        library=top.text("library"),
        slot_bytes=top.integer("slot_bytes"),
        names_kept=top.boolean("names_kept"),
        arena_exact=top.boolean("arena_exact"),
        command=top.text("command"),
        arena_bytes=top.integer("arena_bytes"),
        live_bound=top.integer("live_bound"),
        weight_bytes=top.integer("weight_bytes"),
        macs=top.integer("macs"),
        inputs=top.items("inputs", _read_tensor),
        outputs=top.items("outputs", _read_tensor),
        labels=top.texts("labels"),
        protocol=_read_protocol(top),
        optimize=_read_goal(top),
        rows=_read_rows(top),
        arena_limit=top.integer("arena_limit"),
        reserve=_read_reserve(top),
        ops=top.items("ops", _read_op),
        files=_read_files(top),
        name=top.matching("name", r"[a-z][a-z0-9_]{0,40}"),
        others=top.items("others", _read_facts),
    )


_REGENERATE = "Generate the project again: `api.generate(MODEL, board=BOARD, out=DIR)`"

_DTYPES = "float32|int8|uint8|int16|int32|bool"


def _read_tensor(fields: _Fields) -> TensorFacts:
    return TensorFacts(
        name=fields.text("name"),
        shape=fields.integers("shape"),
        dtype=fields.matching("dtype", _DTYPES),
        scale=fields.number("scale"),
        zero_point=fields.integer("zero_point", low=-(1 << 31)),
    )


def _read_op(fields: _Fields) -> OpFacts:
    return OpFacts(
        name=fields.text("name"),
        kind=fields.matching("kind", r"[A-Z0-9_]{1,64}|CUSTOM:.{1,400}"),
        kernels=fields.texts("kernels"),
        variant=fields.text("variant"),
        macs=fields.integer("macs"),
        why_not_faster=fields.text("why_not_faster"),
    )


def _read_goal(top: _Fields) -> Goal:
    text = top.text("optimize")
    for goal in GOALS:
        if text == goal:
            return goal
    raise top.error("optimize", f"is {_short(text)}, not one of {', '.join(GOALS)}")


def _read_rows(top: _Fields) -> InputRows:
    text = top.text("rows")
    for rows in INPUT_ROWS:
        if text == rows:
            return rows
    raise top.error("rows", f"is {_short(text)}, not one of {', '.join(INPUT_ROWS)}")


def _read_reserve(top: _Fields) -> dict[str, int]:
    """Bytes by memory."""
    reserve: dict[str, Any] = top.take("reserve", dict, "an object")
    for name, size in reserve.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,15}", name) or type(size) is not int or not 0 <= size < 1 << 32:
            raise top.error("reserve", f"has {_short(size)} for {_short(name)}, not bytes for the name of a memory")
    return reserve


def _read_protocol(top: _Fields) -> Protocol:
    text = top.text("protocol")
    for protocol in PROTOCOLS:
        if text == protocol:
            return protocol
    raise top.error("protocol", f"is {_short(text)}, not one of {', '.join(PROTOCOLS)}")


def _read_files(top: _Fields) -> dict[str, str]:
    files: dict[str, str] = top.take("files", dict, "an object")
    for path, digest in files.items():
        if not is_inside(path):
            raise top.error("files", f"names {_short(path)}, which is not a path inside the project")
        if type(digest) is not str or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise top.error("files", f"has no SHA-256 for {_short(path)}")
    return files


def is_inside(path: str) -> bool:
    """Whether a relative path with forward slashes stays inside its folder and is written plainly."""
    pure = PurePosixPath(path)
    plain = str(pure) == path and "\\" not in path and all(char >= " " for char in path)
    return plain and not pure.is_absolute() and ".." not in pure.parts and path not in ("", ".")


class _Fields:
    """One JSON object whose fields are taken out with their types checked."""

    def __init__(self, data: Any, where: str, path: str) -> None:
        self._where, self._path = where, path
        if type(data) is not dict:
            raise ProjectError(f"{path or 'the file'} is not a JSON object", where=where, hint=_REGENERATE)
        self._data: dict[str, Any] = data

    def error(self, key: str, what: str) -> ProjectError:
        return ProjectError(f"field {self._path}{key} {what}", where=self._where, hint=_REGENERATE)

    def take(self, key: str, kind: type, kind_name: str) -> Any:
        if key not in self._data:
            raise self.error(key, "is missing")
        value = self._data[key]
        if type(value) is not kind:
            raise self.error(key, f"is {_short(value)}, not {kind_name}")
        return value

    def has(self, key: str) -> bool:
        return key in self._data

    def text(self, key: str) -> str:
        value: str = self.take(key, str, "a string")
        return value

    def matching(self, key: str, pattern: str) -> str:
        value = self.text(key)
        if not re.fullmatch(pattern, value):
            raise self.error(key, f"is {_short(value)}, which is not allowed here; expected text of the form {pattern}")
        return value

    def boolean(self, key: str) -> bool:
        value: bool = self.take(key, bool, "true or false")
        return value

    def integer(self, key: str, low: int = 0) -> int:
        value: int = self.take(key, int, "an integer")
        if not low <= value < 1 << 63:
            raise self.error(key, f"is {value}, not an integer from {low} to 2^63 - 1")
        return value

    def number(self, key: str) -> float:
        value = self._data.get(key)
        # Integers of any length are legal in JSON; a float of theirs may not exist.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e38:
            raise self.error(key, f"is {_short(value)}, not a number from 0 up")
        return float(value)

    def texts(self, key: str) -> tuple[str, ...]:
        values: list[Any] = self.take(key, list, "a list")
        if any(type(value) is not str for value in values):
            raise self.error(key, "is not a list of strings")
        return tuple(values)

    def integers(self, key: str) -> tuple[int, ...]:
        values: list[Any] = self.take(key, list, "a list")
        if any(type(value) is not int or not 0 <= value < 1 << 31 for value in values):
            raise self.error(key, "is not a list of sizes")
        return tuple(values)

    def items(self, key: str, read: Callable[[_Fields], T]) -> tuple[T, ...]:
        values: Sequence[Any] = self.take(key, list, "a list")
        return tuple(read(_Fields(value, self._where, f"{self._path}{key}[{n}].")) for n, value in enumerate(values))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
