"""What `verify` and `deploy` find out: sizes, cost and verdict of one firmware on one device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from mcugen import __version__
from mcugen.assess import Assessment, BeforeAfter, Layers
from mcugen.boards.types import Board
from mcugen.builder import Firmware
from mcugen.cost.estimate import NOT_ASKED, Estimate, OpCost, instructions_only
from mcugen.cost.limit import TimeLimit
from mcugen.device.device import Device
from mcugen.errors import DeviceError
from mcugen.flow.learning import TrainVerdict
from mcugen.flow.memories import memory_facts
from mcugen.flow.ready import Ready
from mcugen.flow.signals import SignalVerdict
from mcugen.oracle.changes import Change
from mcugen.progress import Share, part_of
from mcugen.runtimes.program import Program, ProgramStep
from mcugen.runtimes.tflm.program import TflmProgram
from mcugen.verify import Verdict

UNTRUSTED = "quantized with random data: sizes, cost and bit-exactness are valid, accuracy is meaningless"


@dataclass(frozen=True)
class Cost:
    """What an inference costs on the device.

    Attributes:
        unit: "instructions" on an emulator, "cycles" on hardware.
        init: cost of `mcg_model_init()`.
        invoke: cost of `mcg_model_invoke()` with the first input, after a warm call.
        per_op: cost of every op of the plan, measured between the hooks of a separate run.
        stack: bytes of stack used, measured by painting.
    """

    unit: str
    init: int
    invoke: int
    per_op: tuple[int, ...]
    stack: int


def measure(device: Device, sample: Sequence[NDArray[Any]], progress: Share | None = None) -> Cost:
    """Run one input on the device and read its counters. The input is sent for each of them.

    Raises:
        DeviceError: the device failed.
    """
    if device.cost_unit != "instructions":  # caches and branch predictors have seen no inference yet
        device.run(sample, on_progress=part_of(progress, 0, 4))
    _, invoke = device.run(sample, on_progress=part_of(progress, 1, 4))
    per_op = tuple(device.profile(sample))
    stack = max(device.init_stack, device.stack_used(sample))
    return Cost(device.cost_unit, device.init_cost, invoke, per_op, stack)


@dataclass(frozen=True, eq=False)
class Proof:
    """The result of `verify` and `deploy`.

    Attributes:
        measured, judged: cost and verdict; None where nothing ran, since `deploy` was to leave the board alone.
        inputs: where the verified inputs came from.
        notes: what was done to them.
        input_warnings: what makes them or the device doubtful.
        project: folder of the emitted project; None if it was temporary.
        emulated: the device was an emulator.
        assessment: how right the model is on samples, if there were any to judge it by.
        layers: noise per layer between the float and the quantized model, where asked for.
        against_float: this firmware beside the float32 one, where asked for.
        estimated: cycles, time and energy of an inference, and how they are known.
        limit: whether the time keeps to a limit, where one was set.
        changes: what the reference computes otherwise than the TFLM that the firmware is to be equal to, in the first
            op that differs: then a difference proves nothing.
        follows: which TFLM that is, as part of a sentence.
        training: whether a device learns as the reference does, where that was asked for.
        signal: of a pipeline file, whether all that a signal led to is the reference's.
    """

    verb: Literal["verify", "deploy"]
    ready: Ready
    measured: Cost | None
    judged: Verdict | None
    inputs: str
    notes: tuple[str, ...] = ()
    project: str | None = None
    emulated: bool = True
    input_warnings: tuple[str, ...] = ()
    assessment: Assessment | None = None
    layers: Layers | None = None
    against_float: BeforeAfter | None = None
    estimated: Estimate | None = None
    limit: TimeLimit | None = None
    changes: tuple[Change, ...] = ()
    follows: str = ""
    signal: SignalVerdict | None = None
    training: TrainVerdict | None = None

    def __repr__(self) -> str:
        sizes = f"flash {self.firmware.flash.total:,} B, RAM {self.firmware.ram.total:,} B"
        done = "nothing ran" if self.judged is None else "passed" if self.judged.passed else "differs from the oracle"
        cost = f", {self.measured.invoke:,} {self.measured.unit}" if self.measured is not None else ""
        return f"<Proof {self.plan.graph.name} on {self.board.name}: {done}; {sizes}{cost}>"

    @property
    def exit_code(self) -> int:
        """1 if the device differs from the oracle, too much accuracy was lost, or an inference takes too long."""
        wrong = self.judged is not None and not self.judged.passed
        wrong = wrong or (self.signal is not None and not self.signal.passed)
        wrong = wrong or (self.training is not None and not self.training.passed)
        slow = self.limit is not None and not self.limit.passed
        return 1 if wrong or slow or (self.assessment is not None and not self.assessment.passed) else 0

    @property
    def cost(self) -> Cost:
        """What an inference costs.

        Raises:
            DeviceError: nothing ran on a device.
        """
        if self.measured is None:
            raise self._nothing_ran("cost")
        return self.measured

    @property
    def verdict(self) -> Verdict:
        """Whether the device gave the oracle's results.

        Raises:
            DeviceError: nothing ran on a device.
        """
        if self.judged is None:
            raise self._nothing_ran("verdict")
        return self.judged

    def _nothing_ran(self, what: str) -> DeviceError:
        return DeviceError(
            f"nothing ran, so there is no {what}",
            where=f"board {self.board.name}",
            hint=f"Flash the board: `api.flash({self.project!r})`, then `api.verify({self.project!r}, port=PORT)`",
        )

    @property
    def board(self) -> Board:
        return self.ready.board

    @property
    def plan(self) -> Program:
        return self.ready.plan

    @property
    def firmware(self) -> Firmware:
        return self.ready.firmware

    @property
    def trusted(self) -> bool:
        """False if the model was quantized with random data."""
        return self.ready.model.trusted

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person must know besides the verdict."""
        report = self.ready.model.report
        found = list(report.warnings) if report else []
        if not self.trusted and not found:
            found.append(UNTRUSTED)  # a project's model, whose report is not read back
        found.extend(self.input_warnings)
        found.extend(self.plan.warnings)
        if self.ready.changed:
            found.append(f"the project was changed since it was generated: {', '.join(self.ready.changed)}")
        if self.board.framework is not None:
            found.append(f"the stack was not measured or counted as RAM: it is {self.board.framework.name}'s")
        if self.judged is None:
            return (*found, "nothing ran on a device, so nothing is proved about this firmware")
        found.extend(
            f"{op} has no reference function: it was compared with its own kernel, run on this computer"
            for op in self.judged.unverified
        )
        moves = self.signal is not None and self.signal.output_moves
        if not self.judged.output_moves and not moves:
            found.append("the output was the same for all inputs: the model may be broken")
        if self.assessment is not None and self.assessment.warning:
            found.append(self.assessment.warning)
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of docs/JSON.md. `cost`, `verify` and the used stack are null where nothing ran."""
        model, flash, ram = self.ready.model, self.firmware.flash, self.firmware.ram
        return {
            "schema": f"mcugen.{self.verb}/1",
            "mcugen": __version__,
            "model": {
                "name": model.graph.name,
                "sha256": model.graph.sha256,
                "source": model.source,
                "bytes": len(model.data),
                "ops": len(self.plan.steps),
                "macs": self.plan.macs,
            },
            "board": self.board.name,
            "emulated": self.emulated,
            "runtime": self.ready.runtime,
            "toolchain": self.firmware.toolchain,
            "trusted": self.trusted,
            "flash": {
                "code": flash.code,
                "weights": flash.weights,
                "harness": flash.harness,
                "total": flash.total,
                "available": self.board.flash_bytes,
            },
            "ram": {
                "arena": ram.arena,
                "static": ram.static,
                "stack": self.measured.stack if self.measured is not None else None,
                "total": ram.total,
                "stack_reserved": ram.stack,
                "available": self.board.ram_bytes,
            },
            "cost": self._cost_facts(),
            "time_limit": self.limit.to_dict() if self.limit else None,
            "verify": self._verify_facts(),
            "quantization": model.report.to_dict() if model.report else None,
            "accuracy": self.assessment.to_dict() if self.assessment else None,
            "sqnr": self.layers.to_dict() if self.layers else None,
            "against_float": self.against_float.to_dict() if self.against_float else None,
            "tflm": tflm_facts(self.plan),
            "memories": memory_facts(self.plan, dict(self.firmware.memories)),
            "signal": self.signal_facts(),
            "training": self.training.to_dict() if self.training else None,
            "project": self.project,
            "warnings": list(self.warnings),
        }

    def signal_facts(self) -> dict[str, Any] | None:
        """What the JSON says about a signal; None where none was pushed."""
        if self.signal is None:
            return None
        load = self.load
        return {**self.signal.to_dict(), "load": round(load, 6) if load is not None else None}

    @property
    def load(self) -> float | None:
        """The part of the board's time that a signal takes which comes as fast as its rate; None where nobody knows.

        Instructions are taken for as many cycles each as those of an inference.
        """
        signal, found = self.signal, self.estimated
        each = signal.cost_per_second if signal is not None else None
        if signal is None or each is None or found is None or found.cycles is None:
            return None
        if signal.unit == "instructions":
            if self.measured is None or not self.measured.invoke:
                return None
            each *= found.cycles.nominal / self.measured.invoke
        elif signal.unit != "cycles":
            return None
        return each / self.board.clock_hz

    def _verify_facts(self) -> dict[str, Any] | None:
        if self.judged is None:
            return None
        return {
            **self.judged.to_dict(),
            "reference_changes": [{"op": c.kind, "type": c.dtype, "what": c.what} for c in self.changes],
            "inputs": self.inputs,
            "notes": list(self.notes),
        }

    def _cost_facts(self) -> dict[str, Any] | None:
        """What was measured, and what was estimated; the latter alone where nothing ran."""
        cost, found = self.measured, self.estimated
        if cost is None and (found is None or found.instructions is None):
            return None
        estimates = found.per_op if found is not None else ()
        ops = []
        for number, step in enumerate(self.plan.steps):
            estimated = estimates[number] if estimates else None
            counted = estimated.instructions if estimated is not None else None
            own = cost.per_op[number] if cost is not None else counted or 0
            ops.append(_op_facts(number, step, own, estimated))
        facts = (found or instructions_only(self.board, NOT_ASKED)).to_dict()
        instructions = facts.pop("instructions")
        return {
            "unit": cost.unit if cost is not None else "instructions",
            "init": cost.init if cost is not None else None,
            "invoke": cost.invoke if cost is not None else instructions,
            **facts,
            "per_op": ops,
        }


def tflm_facts(plan: Program) -> dict[str, Any] | None:
    """What the JSON says about the TFLM runtime; None for the other."""
    if not isinstance(plan, TflmProgram):
        return None
    return {
        "library": plan.library,
        "flatbuffer": len(plan.flatbuffer.data),
        "saved": plan.flatbuffer.saved,
        "registered_ops": len(plan.registrations),
        "int8_only": [r.kind for r in plan.registrations if r.int8],
        "int16_only": [r.kind for r in plan.registrations if r.only and not r.int8],
        "arena_exact": plan.arena_exact,
        "slot": plan.slot_bytes,
    }


def _op_facts(number: int, step: ProgramStep, cost: int, estimated: OpCost | None) -> dict[str, Any]:
    return {
        "op": number,
        "index": step.op.index,
        "kind": step.op.kind,
        "name": step.op.name,
        "kernels": step.kernels,
        "variant": step.variant,
        "why_not_faster": step.why_not_faster,
        "macs": step.macs,
        "cost": cost,
        "cost_per_mac": cost_per_mac(cost, step.macs),
        "cycles": estimated.cycles.whole() if estimated else None,
        "time_ms": estimated.time_ms.rounded(4) if estimated and estimated.time_ms else None,
    }


def cost_per_mac(cost: int, macs: int) -> float | None:
    """Instructions or cycles per multiply-accumulate, to three decimals; None without any."""
    return round(cost / macs, 3) if macs else None
