"""Renode's files and how it is driven. Renode itself is not needed: a stand-in in PATH shows how it is called."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.boards.shipped import load_board, load_boards
from mcugen.device import open_device
from mcugen.device.emulated import EmulatedBoard
from mcugen.emulators.renode import renode_files
from mcugen.emulators.renode_syntax import syntax_errors
from mcugen.errors import BoardError, DeviceError, ToolError
from mcugen.project.project import load_project
from tests.cli.conftest import int8_model
from tests.device.build import build_double, double_answer

BOARD = "netduinoplus2"
"""Modelled by Renode, and by QEMU, which can stand in for it."""

RECORD = """\
#!{python}
import json, os, re, sys, time
commands = [sys.argv[n + 1] for n, argument in enumerate(sys.argv) if argument == "-e"]
port = next(int(command[6:]) for command in commands if command.startswith("$port="))
with open({log!r}, "w") as file:
    files = {{name: open(name, "rb").read(4).decode("latin-1") for name in os.listdir(".")}}
    json.dump({{"arguments": sys.argv[1:], "files": files, "pid": os.getpid(), "folder": os.getcwd()}}, file)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `renode` at the front of PATH; what it does after it noted its arguments is appended to it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "renode"
    path.write_text(RECORD.format(python=sys.executable, log=str(tmp_path / "called.json")))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return path


def then(fake: Path, code: str) -> None:
    fake.write_text(fake.read_text() + code)


def called(tmp_path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((tmp_path / "called.json").read_text())
    return found


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    path = tmp_path / "any name.elf"
    path.write_bytes(b"\x7fELF")
    return path


@pytest.mark.parametrize("name", [name for name, board in load_boards().items() if board.model("renode")])
def test_every_boards_files_are_sound(name: str) -> None:
    board = load_board(name)
    model = board.model("renode")
    files = renode_files(board, model)
    assert [Path(path).suffix for path in files] == [".resc", ".repl", ".robot"]
    assert model.platform in files[f"renode/{name}.repl"]
    assert f"connector Connect sysbus.{model.uart} mcg_link" in files[f"renode/{name}.resc"]


FILES = renode_files(load_board(BOARD), load_board(BOARD).model("renode"))
RESC = FILES[f"renode/{BOARD}.resc"]
ROBOT = FILES["renode/firmware.robot"]
REPL = FILES[f"renode/{BOARD}.repl"]


@pytest.mark.parametrize(
    ("path", "text", "old", "new", "says"),
    [
        ("a.resc", RESC, 'mach create "netduinoplus2"', "mach create netduinoplus2", "not a command as it should be"),
        ("a.resc", RESC, 'mach create "netduinoplus2"', "", "there is no machine yet"),
        ("a.resc", RESC, "$port?=4321", "", "$port is not set"),
        ("a.resc", RESC, "sysbus LoadELF", "sysbus LoadElf", "not a command as it should be"),
        ("a.resc", RESC, 'macro reset\n"""', "macro reset", "the macro's text has no end"),
        ("a.resc", RESC, "runMacro $reset", "runMacro $rest", "$rest is not set"),
        ("a.resc", RESC, "usart1 mcg_link", "usart1 link", "nothing is called link"),
        ("a.repl", REPL, 'stm32f4.repl"', "stm32f4.repl", "neither a comment nor using"),
        ("a.repl", REPL, "using", "// using", "no platform is used"),
        ("a.robot", ROBOT, "*** Test Cases ***", "*** Tests ***", "no such section: Tests"),
        ("a.robot", ROBOT, "Execute Command  ", "Execute Commands  ", "not a keyword: Execute Commands"),
        ("a.robot", ROBOT, "Execute Command    ", "Execute Command ", "not a keyword: Execute Command $port"),
        ("a.robot", ROBOT, "${done}=", "${don}=", "${done} is not set"),
        ("a.robot", ROBOT, "Library  ", "Librari  ", "not a setting"),
    ],
)
def test_the_checker_finds_mistakes(path: str, text: str, old: str, new: str, says: str) -> None:
    assert old in text
    assert syntax_errors(path, text) == []
    assert says in "; ".join(syntax_errors(path, text.replace(old, new, 1)))


def test_robot_itself_takes_the_test(tmp_path: Path) -> None:
    """A dry run: all of the syntax, and every keyword with its number of arguments, but nothing runs."""
    robot = pytest.importorskip("robot")
    keywords = "*** Keywords ***\n"
    keywords += "".join(f"{name}\n    No Operation\n" for name in ("Setup", "Teardown", "Test Teardown"))
    keywords += "Execute Command\n    [Arguments]    ${command}\n    No Operation\n"
    (tmp_path / "keywords.robot").write_text(keywords)
    (tmp_path / "firmware.robot").write_text(ROBOT)
    variable = f"RENODEKEYWORDS:{tmp_path / 'keywords.robot'}"
    options = {"dryrun": True, "variable": variable, "output": None, "log": None, "report": None, "console": "none"}
    assert robot.run(str(tmp_path / "firmware.robot"), **options) == 0
    (tmp_path / "firmware.robot").write_text(ROBOT.replace("Execute Command  ", "Execute Commands  "))
    assert robot.run(str(tmp_path / "firmware.robot"), **options) != 0


def test_how_it_is_called_and_that_it_is_ended(fake: Path, elf: Path, tmp_path: Path) -> None:
    # It takes a while until the port is open.
    then(fake, "import socket\ntime.sleep(0.5)\ns = socket.create_server(('127.0.0.1', port))\n")
    then(fake, "c, _ = s.accept()\nc.sendall(c.recv(9))\ntime.sleep(60)\n")
    renode = EmulatedBoard(elf, load_board(BOARD), "renode")
    try:
        renode.transport.write(b"\x00\xff\r\n")  # telnet would change these
        assert renode.transport.read(10) == b"\x00\xff\r\n"
        arguments = called(tmp_path)["arguments"]
        assert isinstance(arguments, list)
        assert arguments[:2] == ["--disable-gui", "--plain"]
        assert arguments[4:] == ["-e", "$elf=@firmware.elf", "-e", f"include @{BOARD}.resc"]
        files = called(tmp_path)["files"]
        assert isinstance(files, dict)
        assert set(files) == {f"{BOARD}.resc", f"{BOARD}.repl", "firmware.robot", "firmware.elf"}
        assert files["firmware.elf"] == "\x7fELF"
        renode.check(0)
    finally:
        renode.stop()
    renode.stop()
    pid, folder = called(tmp_path)["pid"], called(tmp_path)["folder"]
    assert isinstance(pid, int)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not Path(str(folder)).exists()


def test_its_death_is_reported_with_its_words(fake: Path, elf: Path) -> None:
    then(fake, "sys.exit('Could not find the platform')\n")
    with pytest.raises(DeviceError, match="ended with exit code 1: Could not find the platform"):
        EmulatedBoard(elf, load_board(BOARD), "renode")


def test_a_port_that_never_opens(fake: Path, elf: Path, tmp_path: Path) -> None:
    then(fake, "print('There was an error executing command', flush=True)\ntime.sleep(60)\n")
    with pytest.raises(DeviceError, match="did not open the UART's port within 1 s: There was an error executing"):
        EmulatedBoard(elf, load_board(BOARD), "renode", start_seconds=1)
    pid = called(tmp_path)["pid"]
    assert isinstance(pid, int)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_without_renode_nothing_pretends_to_run(elf: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"nothing ran.*github\.com/renode/renode/releases"):
        open_device(elf, load_board(BOARD), emulator="renode")


def test_what_does_not_go_together(elf: Path) -> None:
    with pytest.raises(BoardError, match=r"Renode does not model this board.*netduinoplus2"):
        open_device(elf, load_board("mps2-an386"), emulator="renode")
    with pytest.raises(BoardError, match="QEMU does not model this board"):
        open_device(elf, load_board("nrf52840-dk"), emulator="qemu")
    with pytest.raises(BoardError, match="`emulator` cannot be combined with socket://localhost:1"):
        open_device(elf, load_board(BOARD), emulator="renode", port="socket://localhost:1")


QEMU = """
os.execvp("qemu-system-arm", ["qemu-system-arm", "-M", "netduinoplus2", "-nodefaults", "-display", "none",
    "-icount", "shift=5,sleep=off", "-serial", f"tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on",
    "-kernel", "firmware.elf"])
"""


@pytest.mark.emulator
def test_a_firmware_behind_its_socket(fake: Path, tmp_path: Path) -> None:
    then(fake, QEMU)
    board = load_board(BOARD)
    elf = build_double(board, tmp_path)
    x = np.arange(64, dtype=np.int8).reshape(1, 64)
    with open_device(elf, board, emulator="renode") as device:
        np.testing.assert_array_equal(device.run([x])[0][0], double_answer(x))
        device.reset()
        np.testing.assert_array_equal(device.run([x])[0][0], double_answer(x))


@pytest.mark.emulator
def test_from_a_model_to_a_verdict(fake: Path, tmp_path: Path) -> None:
    then(fake, QEMU)
    model = tmp_path / "model.tflite"
    model.write_bytes(int8_model())
    proof = api.deploy(str(model), board=BOARD, out=tmp_path / "out", emulator="renode", samples=2)
    assert proof.verdict.bit_exact
    assert called(tmp_path)["arguments"]
    for path, text in FILES.items():
        assert (tmp_path / "out" / path).read_text() == text
        assert path in proof.ready.project.manifest.files
    assert load_project(tmp_path / "out").board.model("renode") == load_board(BOARD).model("renode")


def test_generate_writes_the_files(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(int8_model())
    api.generate(str(model), board="nrf52840-dk", out=tmp_path / "out", emulator="renode")
    assert sorted(path.name for path in (tmp_path / "out" / "renode").iterdir()) == [
        "firmware.robot",
        "nrf52840-dk.repl",
        "nrf52840-dk.resc",
    ]
    with pytest.raises(BoardError, match="Renode does not model this board"):
        api.verify(str(model), board="mps2-an386", emulator="renode")
    with pytest.raises(BoardError, match="cannot be combined"):
        api.deploy(str(model), board=BOARD, out=tmp_path / "no", emulator="renode", probe="1234")
    assert not (tmp_path / "no").exists()
