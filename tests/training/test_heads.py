"""Heads that were learned: to a file and back, kept in flash, and killed emulators that keep the old one or the new."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.boards.slots import head_store
from mcugen.device.connecting import open_device
from mcugen.device.device import Device
from mcugen.device.training import TrainingDevice
from mcugen.errors import DeviceError, DoesNotFitError, McugenError
from mcugen.flow.heads import HeadFile, read_head_file
from mcugen.flow.project import open_project
from tests.conftest import ROOT
from tests.schemas import check
from tests.zoo import float_model, samples

pytestmark = pytest.mark.emulator

MEMORY_BYTES = 16 << 20
KILLS = 8


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built project whose last layer learns."""
    folder = tmp_path_factory.mktemp("heads") / "project"
    given = {"x": samples("ds_cnn", 40, seed=4), "y": np.arange(40) % 12}
    proof = api.deploy(
        float_model("ds_cnn"), board="mps2-an386", data=given, trainable="words", train=1, samples=1, out=folder
    )
    assert proof.exit_code == 0
    return folder


def opened(folder: Path, memory: Path) -> Device:
    """The project's firmware in an emulator whose memory beside the chip's, flash for heads included, is a file."""
    _, _, board, plan = open_project(folder)
    kept = f"memory-backend-file,id=kept,size={MEMORY_BYTES},mem-path={memory},share=on"
    arguments = ("-machine", "memory-backend=kept", "-object", kept)
    elf = folder / ".pio" / "build" / board.name / "firmware.elf"
    return open_device(elf, board, model_sha256=plan.graph.sha256, arguments=arguments)


def new_memory(folder: Path) -> Path:
    memory = folder / "memory"
    with memory.open("wb") as file:
        file.truncate(MEMORY_BYTES)
    return memory


def some_head(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).normal(size=size // 4).astype("<f4").tobytes()


def test_a_head_goes_to_a_file_and_back(learner: Path, tmp_path: Path) -> None:
    _, model, _, _ = open_project(learner)
    assert model.head is not None
    file = tmp_path / "deployed.head"
    pulled = api.head("pull", learner, file=file)
    assert check(pulled.to_dict())["fingerprint"] == f"{model.head.net.fingerprint:08x}"
    found = read_head_file(file)
    assert found.data == model.head.net.initial.astype("<f4").tobytes()
    pushed = api.head("push", learner, file=file, keep=True)
    assert check(pushed.to_dict())["kept"] is True


def test_files_that_are_no_heads_of_this_model(learner: Path, tmp_path: Path) -> None:
    _, model, _, _ = open_project(learner)
    assert model.head is not None
    good = HeadFile(model.head.net.fingerprint, some_head(1, model.head.net.head_bytes)).encoded()
    other = HeadFile(model.head.net.fingerprint ^ 1, some_head(1, model.head.net.head_bytes)).encoded()
    for name, content, words in (
        ("none", None, "none: cannot be read"),
        ("text", b"something else entirely", "text: is no head"),
        ("short", good[:-1], "short: is damaged"),
        ("bit", good[:-1] + bytes([good[-1] ^ 4]), "bit: is damaged"),
        ("other", other, "other: is the head of another network"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(McugenError, match=words):
            api.head("push", learner, file=tmp_path / name)
    with pytest.raises(McugenError, match="`keep`: is about a head that is pushed"):
        api.head("pull", learner, file=tmp_path / "x", keep=True)
    with pytest.raises(McugenError, match='`action`: is "move"'):
        api.head("move", learner, file=tmp_path / "x")


def test_what_is_kept_outlives_the_emulator(learner: Path, tmp_path: Path) -> None:
    memory = new_memory(tmp_path)
    with opened(learner, memory) as device:
        learned = TrainingDevice(device)
        deployed = learned.read_head()
        learned.write_head(some_head(1, len(deployed)))
    with opened(learner, memory) as device:
        learned = TrainingDevice(device)
        assert learned.read_head() == deployed, "nothing was kept"
        learned.write_head(some_head(2, len(deployed)))
        learned.keep_head()
    with opened(learner, memory) as device:
        learned = TrainingDevice(device)
        assert learned.read_head() == some_head(2, len(deployed))
        learned.reset()
        assert learned.read_head() == deployed


def test_an_emulator_killed_while_it_keeps_a_head_has_the_old_one_or_the_new(learner: Path, tmp_path: Path) -> None:
    """Killed ever closer to the moment of the answer; tests/store kills at every single operation."""
    memory = new_memory(tmp_path)
    early, late = 0.0, 0.05
    with opened(learner, memory) as device:
        learned = TrainingDevice(device)
        size = len(learned.read_head())
        learned.write_head(some_head(0, size))
        learned.keep_head()
    kept, seen = some_head(0, size), set()
    for number in range(1, KILLS + 1):
        with opened(learner, memory) as device:
            learned = TrainingDevice(device)
            assert learned.read_head() == kept
            learned.write_head(some_head(number, size))
            delay = 0.0 if number == 1 else (early + late) / 2
            killer = threading.Thread(target=_kill_later, args=(emulator_of(memory), delay))
            killer.start()
            try:
                learned.keep_head()
                answered = True
            except DeviceError:
                answered = False
            killer.join()
        with opened(learner, memory) as device:
            found = TrainingDevice(device).read_head()
        assert found in (kept, some_head(number, size))
        assert not answered or found == some_head(number, size)
        seen.add(answered)
        early, late = (early, delay) if answered else (max(early, delay), late)
        kept = found
    assert False in seen, "no kill came in time"


def _kill_later(emulator: int, seconds: float) -> None:
    time.sleep(seconds)
    os.kill(emulator, signal.SIGKILL)


def emulator_of(memory: Path) -> int:
    """The process of the emulator that this memory belongs to."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        if command.split(b"\0")[0].endswith(b"qemu-system-arm") and str(memory).encode() in command:
            return int(entry.parent.name)
    raise AssertionError("no emulator has this memory")


def test_a_head_that_a_slot_has_no_room_for_is_refused() -> None:
    board = load_board("mps2-an386")
    store = head_store(board, 1000)
    assert store is not None
    assert (store.address, store.slot_bytes, store.driver) == (0x21200000, 1 << 20, "ram")
    with pytest.raises(DoesNotFitError, match=r"what is learned has 1,048,576 bytes, and a slot"):
        head_store(board, 1 << 20)
    assert head_store(load_board("netduinoplus2"), 1000) is None


REAL = {
    # Board, its flash without what is reserved, and the reserved: whole sectors or pages at its end.
    "stm32f4-discovery": ("size = 1_048_576", "size = 786_432", "origin = 0x080C0000\nsize = 262_144"),
    "nrf52840-dk": ("size = 1_048_576", "size = 1_015_808", "origin = 0x000F8000\nsize = 32_768"),
    "pico": ("size = 2_097_152", "size = 2_064_384", "origin = 0x101F8000\nsize = 32_768"),
}


@pytest.mark.parametrize("name", REAL)
def test_a_head_is_kept_by_the_flash_of_real_chips(name: str, tmp_path: Path) -> None:
    """Built, as no such chip is here: what writes flash that the program runs from must lie in RAM."""
    whole, rest, reserved = REAL[name]
    text = (ROOT / "boards" / f"{name}.toml").read_text()
    assert text.count(whole) == 1
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(whole, rest).replace("[uart]", f"[memory.head]\n{reserved}\n\n[uart]", 1))
    given = {"x": samples("ds_cnn", 40, seed=4), "y": np.arange(40) % 12}
    out = tmp_path / "project"
    built = api.deploy(float_model("ds_cnn"), board=str(file), data=given, trainable="words", flash=False, out=out)
    assert built.exit_code == 0
    elf = next((out / ".pio" / "build").rglob("firmware.elf"))
    listed = subprocess.run(["arm-none-eabi-nm", str(elf)], capture_output=True, text=True, check=True).stdout
    symbols = {line.split()[2]: int(line.split()[0], 16) for line in listed.splitlines() if len(line.split()) == 3}
    assert {"mcg_store_write", "mcg_flash_erase", "mcg_flash_write", "mcg_head_restore"} <= set(symbols)
    if name == "pico":
        assert symbols["change"] >> 28 == 2, "while the ROM writes, nothing can be read from flash"
