"""Devices in their threads: in order, brought back, given up, and left."""

from __future__ import annotations

import threading
import time

import pytest

from mcugen.device.faults import FaultError
from mcugen.device.link import ConnectionLostError
from mcugen.errors import DeviceError
from mcugen.monitor.types import GaveUpError, Message, Note, Opened, Reading
from mcugen.monitor.watch import watch
from tests.monitor.fakes import FakeDevice, feeding, watched


def kinds(messages: list[Message | None]) -> list[str]:
    return [m.kind if isinstance(m, Note) else type(m).__name__ for m in messages if m is not None]


def test_counts_and_closes() -> None:
    device = FakeDevice()
    messages = [m for m in watch([watched(device)], feeding(count=3)) if m is not None]
    assert kinds(messages) == ["Opened", "Reading", "Reading", "Reading"]
    assert [m.number for m in messages if isinstance(m, Reading)] == [1, 2, 3]
    assert device.closed == 1
    opened = messages[0]
    assert isinstance(opened, Opened)
    assert opened.facts.feed == "noise, seed 0"
    assert opened.facts.inputs[0].shape == (1, 8)


def test_all_are_open_before_the_first_inference() -> None:
    devices = [watched(FakeDevice(), name=f"fake {n}") for n in range(3)]
    found = kinds(list(watch(devices, feeding(count=2))))
    assert found[:3] == ["Opened"] * 3
    assert found.count("Reading") == 6


def test_a_lost_device_comes_back_with_the_same_sample() -> None:
    device = FakeDevice(lambda call: ConnectionLostError("the cable is out") if call == 3 else None, away=1)
    messages = [m for m in watch([watched(device, stateful=True)], feeding(count=4)) if m is not None]
    assert kinds(messages) == ["Opened", "Reading", "Reading", "lost", "back", "Reading", "Reading"]
    notes = [m for m in messages if isinstance(m, Note)]
    assert "the cable is out" in notes[0].text
    assert "reconnected" in notes[1].text
    assert "was reset" in notes[1].text
    assert device.forgotten == 1
    assert [m.sample.number for m in messages if isinstance(m, Reading)] == [0, 1, 2, 3]


def test_a_device_that_stays_away_is_given_up() -> None:
    device = FakeDevice(lambda call: ConnectionLostError("the cable is out") if call > 1 else None, away=1000)
    with pytest.raises(GaveUpError, match=r"the cable is out.*nobody answers") as caught:
        list(watch([watched(device)], feeding(count=3, patience=0.1)))
    assert "`patience=SECONDS`" in caught.value.hint
    assert device.closed == 1


def test_a_fault_is_told_and_the_device_is_reset() -> None:
    device = FakeDevice(lambda call: FaultError("a HardFault at main.c:7") if call == 2 else None)
    messages = list(watch([watched(device)], feeding(count=2)))
    assert kinds(messages) == ["Opened", "Reading", "lost", "back", "Reading"]
    assert device.resets == 1


def test_a_device_that_comes_back_with_a_stopped_program_is_reset() -> None:
    device = FakeDevice(lambda call: ConnectionLostError("gone") if call == 2 else None, stopped=True)
    assert kinds(list(watch([watched(device)], feeding(count=2)))) == ["Opened", "Reading", "lost", "back", "Reading"]
    assert device.resets == 1


def test_an_inference_that_always_faults_is_an_error() -> None:
    device = FakeDevice(lambda call: FaultError("a HardFault at main.c:7") if call > 1 else None)
    with pytest.raises(FaultError, match="HardFault"):
        list(watch([watched(device)], feeding(count=2)))
    assert device.calls == 4


def test_other_errors_of_the_device_end_it() -> None:
    device = FakeDevice(lambda _call: DeviceError("the model's inference failed"))
    with pytest.raises(DeviceError, match="inference failed"):
        list(watch([watched(device)], feeding(count=2)))


def test_profiles_leave_no_trace_in_models_with_state() -> None:
    for stateful, forgotten in ((True, 1), (False, 0)):
        device = FakeDevice()
        messages = list(watch([watched(device, stateful=stateful)], feeding(count=1, profile=True)))
        opened = next(m for m in messages if m is not None)
        assert isinstance(opened, Opened)
        assert [(op.kind, op.cost) for op in opened.facts.ops] == [("CONV_2D", 700), ("SOFTMAX", 300)]
        assert device.forgotten == forgotten


def test_leaving_ends_the_threads() -> None:
    device = FakeDevice()
    messages = watch([watched(device)], feeding(interval=0.01))
    for message in messages:
        if isinstance(message, Reading) and message.number == 5:
            break
    messages.close()
    assert device.closed == 1
    calls = device.calls
    time.sleep(0.05)
    assert device.calls == calls
    assert not [t for t in threading.enumerate() if t.name.startswith("watching")]
