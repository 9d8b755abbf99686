"""What the plans of all runtimes have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.names import Goal, InputRows


class ProgramStep(Protocol):
    """One op that runs on the device, whatever runs it. Strings name what computes it, as reports show them."""

    @property
    def op(self) -> Op: ...
    @property
    def macs(self) -> int: ...
    @property
    def kernels(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def why_not_faster(self) -> str: ...


class Program(Protocol):
    """What every runtime decides about a model before its firmware is emitted.

    Attributes:
        graph: what an inference runs; its ops are those of the model file or of a graph made from it.
        steps: the ops that run, in order. An op's number on the device is its position here.
        runtime: "aot" or "tflm".
        goal: what was optimized for.
        stateful: inferences depend on those before them.
        verified_afresh: inferences are compared with the oracle's from a fresh start each: every sample is a whole
            sequence, or the runtime's kernels do not carry the state on as the oracle's do.
        warnings: what a person must know before using the firmware.
        arena_exact: the arena is as small as it can be; False where its size is an upper bound until a device says.
        static_bytes: RAM that the model's code needs beside arena and stack, with `app_bytes` and `train_bytes`.
        app_bytes: of these, what the way from a sensor to its input, and from its outputs to decisions, takes.
        train_bytes: of these, what learning takes: parameters, momentum, activations and gradients; 0 where nothing
            is learned.
        rows: how the input comes.
        arena_limit: bytes of the arena within which it was to be the fastest; 0 where there was no limit.
        ram_bytes: what of arena and weights lies in the board's RAM; less than the arena on boards of several memories.
        reserved: bytes by memory that are the user's own.
        slot_bytes: the largest model that can be sent to the running firmware; 0 where none can.
        names_kept: the firmware holds the model's names.
        library: the library that the project is built with; "" for none.
        build_flags, lib_deps: what the project's PlatformIO configuration says beyond the platform's own.
    """

    @property
    def graph(self) -> Graph: ...
    @property
    def steps(self) -> Sequence[ProgramStep]: ...
    @property
    def runtime(self) -> str: ...
    @property
    def goal(self) -> Goal: ...
    @property
    def stateful(self) -> bool: ...
    @property
    def verified_afresh(self) -> bool: ...
    @property
    def warnings(self) -> Sequence[str]: ...
    @property
    def arena_bytes(self) -> int: ...
    @property
    def ram_bytes(self) -> int: ...
    @property
    def live_bound(self) -> int: ...
    @property
    def arena_exact(self) -> bool: ...
    @property
    def static_bytes(self) -> int: ...
    @property
    def app_bytes(self) -> int: ...
    @property
    def train_bytes(self) -> int: ...
    @property
    def rows(self) -> InputRows: ...
    @property
    def arena_limit(self) -> int: ...
    @property
    def reserved(self) -> tuple[tuple[str, int], ...]: ...
    @property
    def slot_bytes(self) -> int: ...
    @property
    def names_kept(self) -> bool: ...
    @property
    def macs(self) -> int: ...
    @property
    def library(self) -> str: ...
    @property
    def build_flags(self) -> Sequence[str]: ...
    @property
    def lib_deps(self) -> Sequence[str]: ...
    def constant_sizes(self) -> list[int]:
        """Bytes of every constant array in flash."""

    def input_tensors(self) -> list[Tensor]: ...
    def output_tensors(self) -> list[Tensor]: ...
