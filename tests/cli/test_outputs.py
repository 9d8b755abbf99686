"""Where verbs write: links, pipes and devices as outputs, full disks, closed streams."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mcugen import outputs
from mcugen.errors import ProjectError
from mcugen.outputs import check_output, write_file, writing
from mcugen.project.folder import replace_folder
from tests import zoo

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.is_char_device(), reason="this system has no /dev/full")


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    real, link = tmp_path / "other" / "real", tmp_path / "link"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_file(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "other" / "absent")
    write_file(dangling, b"new")
    assert dangling.is_symlink()
    assert (tmp_path / "other" / "absent").read_bytes() == b"new"
    nowhere = tmp_path / "nowhere"
    nowhere.symlink_to(tmp_path / "no" / "folder")
    with pytest.raises(ProjectError, match="its folder does not exist"):
        write_file(nowhere, b"new")


def test_a_pipe_is_written_through(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_file(pipe, b"through")
    reader.join(30)
    assert read == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_through() -> None:
    """As root, replacing it would have turned it into a file."""
    host, device = os.openpty()
    name = os.ttyname(device)
    try:
        write_file(Path(name), b"through\n")
        assert os.read(host, 100).startswith(b"through")
        assert Path(name).is_char_device()
    finally:
        os.close(host)
        os.close(device)


def test_what_is_neither_file_nor_stream_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(ProjectError, match="is neither a file nor a stream"):
            check_output(tmp_path / "socket")
        with pytest.raises(ProjectError, match="is neither a file nor a stream"):
            write_file(tmp_path / "socket", b"x")
    with pytest.raises(ProjectError, match="is a folder"):
        write_file(tmp_path, b"x")


@needs_full
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"/dev/full: cannot be written: No space left on device\. Check the disk"):
        write_file(FULL, b"x")
    assert FULL.is_char_device()
    with pytest.raises(ProjectError, match="No space left"), writing("this"), FULL.open("w") as file:
        file.write("x")


def test_half_a_file_is_never_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"old")

    def refuse(self: Path, other: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(ProjectError, match="target: cannot be written: No space left on device"):
        write_file(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert target.read_bytes() == b"old"


def test_a_reader_that_has_gone_is_no_full_disk() -> None:
    with pytest.raises(BrokenPipeError, match="gone"), writing("somewhere"):
        raise BrokenPipeError("gone")


def test_a_linked_folder_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real, target_is_directory=True)
    replace_folder(link, {"a": b"1"}, [])
    replace_folder(link, {"b": b"2"}, [])
    assert link.is_symlink()
    assert sorted(path.name for path in real.iterdir()) == ["b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def mcugen(*arguments: str, shell: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own; `shell` redirects its streams."""
    words = [sys.executable, "-m", "mcugen", *arguments]
    if shell:
        words = ["sh", "-c", f'exec "$@" {shell}', "sh", *words]
    return subprocess.run(words, capture_output=True, text=True, timeout=120)


@needs_full
@pytest.mark.parametrize("arguments", [["boards"], ["boards", "--json"], ["--help"], ["--version"]])
def test_a_full_disk_behind_standard_output(arguments: list[str]) -> None:
    done = mcugen(*arguments, shell="> /dev/full")
    assert (done.returncode, done.stderr.count("\n")) == (2, 2), done.stderr
    assert "standard output: cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@needs_full
def test_a_full_disk_behind_both_streams() -> None:
    assert mcugen("boards", shell="> /dev/full 2> /dev/full").returncode == 2
    assert mcugen("inspect", "absent.tflite", "--json", shell="> /dev/full 2> /dev/full").returncode == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    """What the caller closed is no place to write to, for us and for the files we open."""
    path = zoo.path("sine")
    done = mcugen("quantize", str(path), "-o", str(tmp_path / "out.tflite"), shell=closed)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.tflite").read_bytes() == path.read_bytes()


def test_a_pipe_that_is_closed_early() -> None:
    done = mcugen("boards", "--json", shell="| head -c 10")
    assert done.returncode == 0  # the shell's, which is head's
    assert done.stdout == '{\n  "schem'
    assert done.stderr == ""


def test_results_go_to_a_stream_that_was_named(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(zoo.path("sine").read_bytes())
    host, device = os.openpty()
    os.close(host)
    done = mcugen("quantize", str(model), "-o", "/dev/null", "--json")
    os.close(device)
    assert json.loads(done.stdout)["out"] == "/dev/null"
    assert Path("/dev/null").is_char_device()


def test_standard_output_complains_once(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten = []
    monkeypatch.setattr(outputs, "forget_standard_output", lambda: forgotten.append(True))

    class Refusing:
        closed = False

        def writable(self) -> bool:
            return True

        def readable(self) -> bool:
            return False

        seekable = readable

        def write(self, data: bytes) -> int:
            if forgotten:
                return len(data)
            raise OSError(5, "Input/output error")

        def flush(self) -> None:
            pass

        def close(self) -> None:
            pass

    stream = outputs._StandardOutput(Refusing(), encoding="utf-8", write_through=True)  # type: ignore[type-var]
    with pytest.raises(ProjectError, match=r"^standard output: cannot be written: Input/output error"):
        stream.write("one")
    assert stream.write("two") == 3
    assert forgotten == [True]
