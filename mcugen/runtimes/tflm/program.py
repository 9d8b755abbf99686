"""A model as the TFLM runtime runs it: the counterpart of the ahead-of-time runtime's plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from mcugen.boards.types import Board
from mcugen.errors import DoesNotFitError, ModelError
from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.names import DEFAULT_GOAL, Goal, InputRows
from mcugen.runtimes.tflm.adapter import Adapter, adapters
from mcugen.runtimes.tflm.arena import HostArena, arena_bound, arena_with_custom_ops, host_arena, round_up
from mcugen.runtimes.tflm.library import TFLM_DIR, Library, build_flags, choose_library, named_library
from mcugen.runtimes.tflm.refusals import check_cmsis_nn, refused, wrapping
from mcugen.runtimes.tflm.resolver import Registration, registrations
from mcugen.runtimes.tflm.sizes import code_bytes
from mcugen.runtimes.tflm.store import Store, model_store
from mcugen.runtimes.tflm.strip import Stripped, strip_proved
from mcugen.runtimes.tflm.view import View, count_macs, read_view
from mcugen.tflite.opened import OpenedModel, open_model

RUNTIME = "tflm"

PLAIN_FILE = "mcg_model_interface.cc"
"""What only the plain form of a model library has."""

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"

OBJECTS_BYTES = 640
OBJECT_BYTES_PER_OP = 72
"""RAM of the interpreter, its allocator and planner; and of an op in the resolver. Rounded up from measured ones."""


@dataclass(frozen=True)
class TflmOptions:
    """What a user can choose about the TFLM runtime.

    Attributes:
        tflm: where TensorFlow Lite Micro is, see `mcugen.runtimes.tflm.library`; None takes MCUGEN_TFLM_DIR.
        keep_names: leave the flatbuffer as it is.
        slot_bytes: the largest flatbuffer that `mcugen push` may send; 0 for a firmware whose model cannot be replaced.
        arena_bytes: the arena's size where it is known; 0 computes it.
        arena_exact: `arena_bytes` was found on a device.
        plain: resolver, arena and interpreter as TFLM's users write them, without guards.
        build_type: which build of a checkout, see `mcugen.runtimes.tflm.library.BUILD_TYPES`; "" for the best.
    """

    tflm: str | None = None
    keep_names: bool = False
    slot_bytes: int = 0
    arena_bytes: int = 0
    arena_exact: bool = False
    build_type: str = ""
    plain: bool = False


@dataclass(frozen=True, eq=False)
class TflmStep:
    """One op of the model's first subgraph. `kernels` is the registration that runs it."""

    op: Op
    macs: int
    kernels: str
    variant: str
    why_not_faster: str = ""


@dataclass(frozen=True, eq=False)
class TflmProgram:
    """Everything that emit needs. A `Program`.

    Attributes:
        graph: the model's first subgraph, which an inference runs.
        flatbuffer: what goes into the firmware.
        arena_exact: the arena's size was found on a device, not computed.
        store: the flash that holds the slots for other models; None where they are in RAM, or where there are none.
        adapters: the user's ops whose kernels are in use, by kind.
        arena_given: the user set the arena's size, so that it is not made larger.
        plain: see `TflmOptions`. Nothing then notices an arena that is too small, so no smaller one is looked for.
    """

    view: View
    graph: Graph
    steps: tuple[TflmStep, ...]
    registrations: tuple[Registration, ...]
    flatbuffer: Stripped
    tflm: Library
    arena_bytes: int
    arena_exact: bool
    slot_bytes: int
    names_kept: bool
    store: Store | None = None
    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    arena_given: bool = False
    plain: bool = False

    runtime = RUNTIME
    rows: ClassVar[InputRows] = "whole"
    arena_limit = 0
    reserved: ClassVar[tuple[tuple[str, int], ...]] = ()
    goal: ClassVar[Goal] = DEFAULT_GOAL

    @property
    def stateful(self) -> bool:
        """The model keeps something from one inference to the next."""
        return self.view.stateful

    @property
    def verified_afresh(self) -> bool:
        return self.graph.sequences or self._forgets

    @property
    def _forgets(self) -> bool:
        """CMSIS-NN's LSTM begins every inference with zeros, TFLM's own kernel, and that for float32, with what the one
        before left."""
        return self.tflm.optimised and any(
            op.kind == LSTM and _is_quantized(graph, op) for graph, op in self.view.ops()
        )

    @property
    def _stubs(self) -> list[str]:
        """Custom ops whose code the user has yet to write."""
        users = (registration for registration in self.registrations if registration.is_users)
        return [registration.custom_name for registration in users if registration.kind not in self.adapters]

    @property
    def warnings(self) -> Sequence[str]:
        found = []
        if self._forgets:
            found.append(
                "the LSTM begins every inference with zeros in CMSIS-NN's kernels, but with what the inference before "
                "left in TensorFlow Lite Micro's own: call mcg_model_init() between sequences, then both are equal"
            )
        if self.tflm.optimised and (wrap := list(wrapping(self.view))):
            found.append(
                f"{', '.join(op.where for op in wrap[:4])}{', …' if len(wrap) > 4 else ''}: a state that leaves int8 "
                "goes round in CMSIS-NN's kernel, where the reference stops at its ends: verify with inputs as loud as "
                "those that will come"
            )
        if not self.arena_given and not self.arena_exact and (stubs := self._stubs):
            found.append(
                f"the arena holds the model's tensors; if {', '.join(stubs)} asks for memory of its own when you have "
                "written it, set a larger one with `arena=BYTES`"
            )
        if self.tflm.variant is None:  # whose kernels it has is not known
            found += [
                f"where the library has CMSIS-NN's kernels, the model does not start: {op.where}: no {refusal.what}"
                for op, refusal in refused(self.view)
            ]
        if self.flatbuffer.data and not self.flatbuffer.proved and not self.names_kept:
            found.append("the flatbuffer was not stripped: the host cannot run the custom ops, so cannot prove it")
        return found

    @property
    def ram_bytes(self) -> int:
        return self.arena_bytes

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.steps)

    app_bytes = 0
    train_bytes = 0

    @property
    def static_bytes(self) -> int:
        """RAM beside arena and stack: TFLM's objects, and slots for other models."""
        slots = 0 if self.store else 2 * self.slot_bytes
        return OBJECTS_BYTES + OBJECT_BYTES_PER_OP * len(self.registrations) + slots

    @property
    def code_bytes(self) -> int:
        """Estimate of the code in flash, good to about 10 %."""
        return code_bytes(
            self.registrations,
            optimised=self.tflm.optimised,
            m55=self.tflm.variant is not None and self.tflm.variant.arch == "cortex-m55",
            resources=self.view.resources > 0,
            replaceable=self.slot_bytes > 0,
        )

    @property
    def library(self) -> str:
        return self.tflm.name

    @property
    def build_flags(self) -> Sequence[str]:
        return build_flags(self.tflm, f"${{sysenv.{TFLM_DIR}}}")

    @property
    def lib_deps(self) -> Sequence[str]:
        return (self.tflm.lib_deps,) if self.tflm.lib_deps else ()

    def constant_sizes(self) -> list[int]:
        """Bytes of constants in flash: the flatbuffer."""
        return [len(self.flatbuffer.data)]

    @property
    def live_bound(self) -> int:
        """Largest sum of the bytes of tensors that are alive at once; no arena can be smaller."""
        return _live_bound(self.graph)

    def input_tensors(self) -> list[Tensor]:
        return [self.graph.tensor(i) for i in self.graph.inputs]

    def output_tensors(self) -> list[Tensor]:
        return [self.graph.tensor(i) for i in self.graph.outputs]

    def with_arena(self, arena_bytes: int) -> TflmProgram:
        """The same with the arena size that a device needs."""
        return replace(self, arena_bytes=arena_bytes, arena_exact=True)


@dataclass(frozen=True, eq=False)
class Prepared:
    """What is derived from a model once, for all boards.

    Attributes:
        host: what the host's interpreter needs; None where it was not asked.
    """

    view: View
    flatbuffer: Stripped
    host: HostArena | None


def prepare(model: bytes | OpenedModel, name: str, options: TflmOptions) -> Prepared:
    """Read a model, strip it, and find out how large an arena the host's interpreter needs.

    Raises:
        ModelError: the file is no model, or TFLM refuses it.
        UnsupportedOpError: an op that TFLM does not have.
        ToolError: `tflite-micro` is not installed.
    """
    opened = open_model(model)
    view = read_view(opened, name)
    found = registrations(view)
    flatbuffer = Stripped(opened, 0, False) if options.keep_names else strip_proved(opened, view)
    if options.arena_bytes:
        return Prepared(view, flatbuffer, None)
    own = {registration.kind for registration in found if registration.is_users}
    if not own:
        return Prepared(view, flatbuffer, host_arena(flatbuffer.opened))
    scratch = sum(call.scratch_bytes for adapter in adapters(view).values() for call in adapter.calls)
    return Prepared(view, flatbuffer, arena_with_custom_ops(flatbuffer.opened, view, own, scratch))


def make_program(
    model: bytes | OpenedModel,
    name: str,
    board: Board,
    options: TflmOptions | None = None,
    *,
    library: str | None = None,
    prepared: Prepared | None = None,
) -> TflmProgram:
    """Everything that is decided about a model before its firmware is emitted.

    Args:
        model: a `.tflite` that TFLM can run.
        library: name of the library that a project was generated with; without it the best one is chosen.
        prepared: what `prepare` returned for the model with these options.

    Raises:
        ModelError: the file is no model, or TFLM refuses it.
        UnsupportedOpError: an op that TFLM does not have, or CMSIS-NN does not run.
        DoesNotFitError: the slots for another model are larger than the board's RAM.
        ToolError: `tflite-micro` is not installed, or what the user named is no TensorFlow Lite Micro.
    """
    options = options or TflmOptions()
    chosen = named_library(library) if library else choose_library(board, options.tflm, options.build_type)
    known = prepared or prepare(model, name, options)
    view, flatbuffer = known.view, known.flatbuffer
    found = registrations(view, newest=chosen.newest)
    if chosen.variant is not None and chosen.variant.optimised:
        check_cmsis_nn(view)
    arena = round_up(options.arena_bytes)
    if known.host is not None:
        arena = arena_bound(view, known.host, optimised=chosen.optimised, mve="mve" in board.features)
    own = adapters(view)
    if own and options.slot_bytes:
        names = ", ".join(kind.removeprefix("CUSTOM:") for kind in own)
        raise ModelError(
            f"the parameters of custom ops ({names}) are compiled in, which a model that is sent does not bring along",
            where="`model_slot`",
            hint="Omit it, or write the op against TensorFlow Lite Micro's own interface: omit `custom_ops`",
        )
    if options.plain and options.slot_bytes:
        raise ModelError(
            "a model that can be replaced needs the checks that the plain form leaves out",
            where="`plain`",
            hint="Omit `plain` or `model_slot`",
        )
    store = model_store(board) if options.slot_bytes else None
    _check_slot(options.slot_bytes, len(flatbuffer.data), board, store)
    graph = view.main
    if options.slot_bytes and any(graph.tensor(i).units is not None for i in graph.inputs):
        raise ModelError(
            "the input's features come in units of their own, which a model that is sent does not hold",
            where="`model_slot`",
            hint="Omit it, or train the model on scaled features and scale them in your own code",
        )
    kinds = {registration.kind: registration for registration in found}
    steps = tuple(_step(graph, op, kinds[op.kind], chosen) for op in graph.ops)
    return TflmProgram(
        view,
        graph,
        steps,
        found,
        flatbuffer,
        chosen,
        arena,
        options.arena_exact,
        options.slot_bytes,
        options.keep_names,
        store,
        own,
        arena_given=options.arena_bytes > 0 and library is None,
        plain=options.plain,
    )


def _is_quantized(graph: Graph, op: Op) -> bool:
    source = graph.input_of(op, 0)
    return source is not None and source.dtype in (DType.INT8, DType.INT16)


def _step(graph: Graph, op: Op, registration: Registration, library: Library) -> TflmStep:
    kernels = registration.custom_name or f"Register_{op.kind}{registration.only.suffix if registration.only else ''}"
    variant = "cmsis-nn" if library.variant and library.variant.optimised else "tflm"
    return TflmStep(op, count_macs(graph, op), kernels, variant)


def _check_slot(slot_bytes: int, model_bytes: int, board: Board, store: Store | None) -> None:
    if slot_bytes and slot_bytes < model_bytes:
        raise DoesNotFitError(
            f"a slot of {slot_bytes:,} bytes cannot hold this model's {model_bytes:,}",
            hint=f"Pass `model_slot={model_bytes}` or more",
        )
    if store is not None and slot_bytes > store.capacity:
        raise DoesNotFitError(
            f"a slot of {slot_bytes:,} bytes does not fit the {store.capacity:,} that the board's flash has",
            where=f"board {board.name}",
            hint="Choose a smaller `model_slot`, or reserve more in the board's file (memory.model_slot)",
        )
    if store is None and 2 * slot_bytes > board.ram.size:
        raise DoesNotFitError(
            f"two slots of {slot_bytes:,} bytes for models do not fit the board's {board.ram.size:,} bytes of RAM",
            where=f"board {board.name}",
            hint="A model is replaced through RAM: choose a smaller `model_slot`, or a board with more",
        )


def _live_bound(graph: Graph) -> int:
    last: dict[int, int] = {}
    for number, op in enumerate(graph.ops):
        for i in (*op.inputs, *op.outputs):
            last[i] = number
    for i in graph.outputs:
        last[i] = len(graph.ops)
    alive = {i for i in graph.inputs if i in last}
    bound = 0
    for number, op in enumerate(graph.ops):
        alive |= set(op.outputs)
        bound = max(bound, sum(_arena_share(graph.tensor(i)) for i in alive))
        alive = {i for i in alive if last[i] > number}
    return bound


def _arena_share(tensor: Tensor) -> int:
    return 0 if tensor.is_const or tensor.dtype is DType.OTHER else tensor.nbytes
