"""Models that were sent to a device: told apart from other builds, and given up where they never come to an end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mcugen.device import connecting
from mcugen.device.device import Device, WrongFirmwareError
from mcugen.device.link import ConnectionLostError
from mcugen.device.protocol import Command
from mcugen.device.session import Session
from mcugen.errors import DeviceError, ModelError, ProjectError
from mcugen.flow.pushed import with_pushed
from mcugen.runtimes.tflm.emit import emit_tflm
from tests import zoo
from tests.tflm.support import program
from tests.tflm.test_firmware import retrained

OWN, SENT = "aa" * 32, "bb" * 32


class FakeDevice:
    """What a device says of itself."""

    def __init__(self, model: str, build: str, slot: int) -> None:
        self.hello = SimpleNamespace(board="mps2-an386", models=1, model_sha256=model, build_id=build, slot_bytes=slot)

    def select_model(self, sha256: str) -> None:
        if sha256 != self.hello.model_sha256:
            raise WrongFirmwareError("the device runs another model", where="x")


@pytest.mark.parametrize(
    ("model", "build", "slot", "says"),
    [
        (OWN, "b1", 4096, ""),
        (SENT, "b1", 4096, r"runs this firmware, but a model that was sent to it .*`pushed=MODEL`"),
        (SENT, "b2", 4096, "runs another model"),
        (SENT, "b1", 0, "runs another model"),
        (OWN, "b2", 4096, "runs another firmware"),
    ],
)
def test_another_model_and_another_build_are_told_apart(
    model: str, build: str, slot: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "build_id", lambda _elf: "b1")
    device: Any = FakeDevice(model, build, slot)
    board: Any = SimpleNamespace(name="mps2-an386")
    if not says:
        connecting._check_identity(device, Path("x"), board, OWN)
        return
    with pytest.raises(WrongFirmwareError, match=says):
        connecting._check_identity(device, Path("x"), board, OWN)


def ready(**options: int) -> Any:
    made = program("sine", **options)
    folder = SimpleNamespace(name="p")
    return _Ready(made, SimpleNamespace(folder=folder), None)


class _Ready:
    def __init__(self, plan: Any, project: Any, model: Any) -> None:
        self.plan, self.project, self.model = plan, project, model
        from mcugen.boards.shipped import load_board

        self.board = load_board("mps2-an386")


def test_the_model_that_was_sent_takes_the_place_of_the_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.tflite"
    path.write_bytes(retrained(zoo.model("sine")))
    monkeypatch.setattr("mcugen.flow.pushed.replace", lambda old, **new: SimpleNamespace(**{**vars(old), **new}))
    own = ready(slot_bytes=50_000)
    sent = with_pushed(own, path, "socket://x:1", "")
    assert sent.plan.graph.sha256 == sent.model.graph.sha256 != own.plan.graph.sha256
    assert sent.plan.slot_bytes == 50_000
    assert sent.plan.arena_exact  # the firmware's arena is what it is
    assert with_pushed(own, None, None, "") is own


def test_what_cannot_have_been_sent_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.tflite"
    path.write_bytes(zoo.model("speech"))
    with pytest.raises(ProjectError, match="Pass its `port`"):
        with_pushed(ready(slot_bytes=50_000), path, None, "")
    with pytest.raises(ProjectError, match="cannot be replaced"):
        with_pushed(ready(), path, "socket://x:1", "")
    with pytest.raises(ModelError, match=r"the model's input is int8\[1, 490\], the firmware's int8\[1, 1\]"):
        with_pushed(ready(slot_bytes=50_000), path, "socket://x:1", "")


def test_a_first_inference_that_never_ends_is_said() -> None:
    class Hanging:
        hello = SimpleNamespace(slot_bytes=4096, max_payload=1024)

        def ask(self, command: Command, *_given: object, **_more: object) -> object:
            if command is Command.LOAD_MODEL:
                raise ConnectionLostError("no answer within 1 s", where="x")
            return b""

        error = Session.error
        _name = "x"

    device = Device.__new__(Device)
    device._session, device._timeout = cast(Any, Hanging()), 1.0
    with pytest.raises(DeviceError, match=r"first inference did not come to its end within 1 s.*Reset the device"):
        device.push_model(bytes(100), SENT)


def test_the_device_itself_checks_sizes_and_tries_a_model_before_it_keeps_it() -> None:
    text = emit_tflm(program("sine", slot_bytes=4096))["mcg_model.cc"]
    assert "CheckTensor(model, *tensor, compressed)" in text
    taking = text[text.index("int TakeOn(") :]
    assert taking.index("kTrialAt") < taking.index("Try(flatbuffer)") < taking.index("Keep(bytes")
    assert "MCG_MODEL_DID_NOT_FINISH" in text[text.index("void Restore()") :]
    in_ram = emit_tflm(program("sine", "mps3-an547", slot_bytes=4096))["mcg_model.cc"]
    assert "Try(flatbuffer)" in in_ram
    assert "kTrialAt" not in in_ram
