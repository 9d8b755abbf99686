"""An emulator is one file: what board files say of it, how it is started, what projects hold for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mcugen.emulators
from mcugen import api
from mcugen.boards.emulated import check_emulator, emulator_files
from mcugen.boards.read import read_board
from mcugen.boards.text import board_toml
from mcugen.device.emulated import EmulatedBoard
from mcugen.emulators import emulators
from mcugen.errors import BoardError
from mcugen.flow.doctor import doctor
from mcugen.resources import resource_dir

SOURCE = """
import sys
from dataclasses import dataclass

from mcugen.emulators.types import Emulator, Launch


@dataclass(frozen=True)
class Model:
    chip: str


def read(table, clock_hz):
    model = Model(table.matching("chip", "[a-z]+"))
    table.finish()
    return model


def launch(elf, board, model):
    echo = (
        "import socket, sys\\n"
        "server = socket.create_server(('127.0.0.1', int(sys.argv[1])))\\n"
        "peer, _ = server.accept()\\n"
        "peer.sendall(sys.argv[2].encode() + peer.recv(4))\\n"
        "peer.recv(1)\\n"
    )
    return Launch(lambda port: [sys.executable, "-c", echo, str(port), model.chip], "port", {}, 20.0)


EMULATOR = Emulator(
    name="simon",
    title="Simon",
    table="simon",
    read=read,
    summary=lambda model: model.chip,
    launch=launch,
    unmodelled="Simon says: one of {boards}",
    project_files=lambda board, model: {"simon/start.txt": f"{board.name} as {model.chip}"},
    program="simon-says",
    where="simon.example",
)
"""


@pytest.fixture
def simon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file of an emulator, where mcugen looks for emulators."""
    folder = tmp_path / "emulators"
    folder.mkdir()
    (folder / "simon.py").write_text(SOURCE)
    monkeypatch.setattr(mcugen.emulators, "__path__", [*mcugen.emulators.__path__, str(folder)])
    emulators.cache_clear()
    yield
    emulators.cache_clear()
    sys.modules.pop("mcugen.emulators.simon", None)


@pytest.mark.usefixtures("simon")
def test_a_new_emulator_runs_boards_whose_files_name_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text((resource_dir("boards") / "mps2-an386.toml").read_text() + '\n[simon]\nchip = "emfour"\n')
    board = read_board(path)
    check_emulator(board, "simon", None)
    assert emulator_files(board, "simon") == {"simon/start.txt": "mine as emfour"}
    assert '[simon]\nchip = "emfour"' in board_toml(board)
    elf = tmp_path / "firmware.elf"
    elf.write_bytes(b"\x7fELF")
    with EmulatedBoard(elf, board, "simon") as running:
        running.transport.write(b"ping")
        answer = b""
        while len(answer) < 10:
            answer += running.transport.read(5.0)
        assert answer == b"emfourping"
    assert "simon-says" in [finding.name for finding in doctor()]
    assert "simon" in api.boards().to_dict()["boards"][0]


@pytest.mark.usefixtures("simon")
def test_boards_that_it_does_not_model_are_refused() -> None:
    with pytest.raises(BoardError, match=r"Simon does not model this board.*Simon says: one of"):
        check_emulator(read_board(resource_dir("boards") / "mps2-an386.toml"), "simon", None)


def test_an_unknown_emulator_is_refused() -> None:
    board = read_board(resource_dir("boards") / "mps2-an386.toml")
    with pytest.raises(BoardError, match=r"no emulator is called 'simon'.*qemu or .*renode"):
        check_emulator(board, "simon", None)
