"""Damaged files of every other format that mcugen reads: one sentence for each."""

from __future__ import annotations

import io
import json
import random
import shutil
import struct
import traceback
import wave
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mcugen.boards.linker_script import with_linker_script
from mcugen.boards.read import read_board
from mcugen.boards.shipped import load_board
from mcugen.builder.identity import build_id
from mcugen.convert.data import load_samples
from mcugen.convert.early import stated_inputs
from mcugen.convert.sources import identify
from mcugen.errors import McugenError
from mcugen.flow.inputs import read_inputs
from mcugen.flow.labels import read_labels
from mcugen.guard.torch_archive import check_archive
from mcugen.monitor.known import read_ranges
from mcugen.monitor.record import read_recording
from mcugen.project.project import load_project
from mcugen.resources import resource_dir
from mcugen.runtimes.aot.graph import read_graph
from mcugen.tflite.types import TensorSpec
from mcugen.tune.state import State
from tests import zoo

WORDS = (
    *(b"0", b"-1", b"99999999999999999999", b"1e400", b"nan", b"inf", b"-inf", b"null", b"true", b"[]", b"{}", b'""'),
    *(b"\0", b"\xff\xfe", b"'", b'"', b"\\", b"[" * 3000, b"{" * 3000, b"056", b"0x", b"1e-400", b"\n\n", b"#", b"="),
)


@dataclass(frozen=True)
class Format:
    """A kind of file: a sound one, and what reads it."""

    name: str
    file: str
    content: bytes
    read: Callable[[Path], object]


@dataclass
class Campaign:
    """What a campaign found."""

    tried: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def formats(folder: Path) -> list[Format]:
    """Every format, with sound files; `folder` is for those that are a folder."""
    from tests.monitor.test_record import record, some_messages

    graph = read_graph(zoo.model("speech"))
    spec = TensorSpec("x", tuple(graph.tensor(graph.inputs[0]).shape), "float32")
    samples = zoo.samples("speech", 12, seed=1)
    image = _image()
    record(folder / "recording.csv", some_messages())
    project = _project(folder)
    manifest = (project / "mcugen.json").read_bytes()
    program = _zip({"m/models/model.json": b'{"a": [1, {"target": "x"}]}', "m/version": b"3"})
    made = [
        Format("npy", "x.npy", _npy(samples), lambda path: load_samples(path, [spec])),
        Format("npz", "x.npz", _npz(samples, False), lambda path: load_samples(path, [spec])),
        Format("packed npz", "x.npz", _npz(samples, True), lambda path: load_samples(path, [spec])),
        Format("csv", "x.csv", _csv(samples), lambda path: load_samples(path, [spec])),
        Format("labelled csv", "x.csv", _labelled_csv(samples), lambda path: load_samples(path, [spec])),
        Format("sounds", "a.wav", _sound(), _read_sounds),
        Format("keras inputs", "model.keras", _keras(), _stated),
        Format("inputs", "x.npz", _npz(samples, True), lambda path: read_inputs(path, graph)),
        Format("images", "image.png", image, _read_images),
        Format("recording", "r.csv", (folder / "recording.csv").read_bytes(), lambda path: list(read_recording(path))),
        Format("labels", "labels.txt", b"one\ntwo\nthree\n", lambda path: read_labels(str(path))),
        Format("board", "own.toml", _board_file(), read_board),
        Format("linker script", "own.ld", _script(), _read_script),
        Format("manifest", "mcugen.json", manifest, lambda path: _read_project(path, project)),
        Format("ranges", "ranges.json", b'{"ranges": [{"name": "x", "minimum": -1.5, "maximum": 2}]}', read_ranges),
        Format("search", "s.search", _search(), lambda path: State(path, "key")),
        Format("elf", "firmware.elf", _elf(), build_id),
        Format("model", "model.tflite", zoo.model("sine"), lambda path: read_graph(path.read_bytes())),
        Format("keras zip", "model.keras", _zip({"config.json": b"{}", "model.weights.h5": b"x"}), identify),
        Format("pt2", "model.pt2", program, check_archive),
    ]
    return made


def attack(folder: Path, seed: int, count: int) -> Campaign:
    """Damage `count` files and read each."""
    found, known = Campaign(), formats(folder)
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        kind = rng.choice(known)
        path = folder / "damaged" / kind.file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(damaged(kind.content, rng))
        found.tried[kind.name] += 1
        try:
            kind.read(path)
        except McugenError as error:
            found.refused[kind.name] += 1
            if "\n" in str(error).strip():
                found.faults.append(f"seed {seed}, file {number} ({kind.name}): more than a line: {str(error)[:200]!r}")
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} ({str(error)[:80]}) in {Path(frame.filename).name}:{frame.lineno}"
            found.faults.append(f"seed {seed}, file {number} ({kind.name}): {what}")
        shutil.rmtree(path.parent)
    return found


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content with one to four faults."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1)
        what = rng.randrange(7)
        if what == 0 and data:
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif what == 1:
            del data[at:]
        elif what == 2:
            del data[at : at + rng.randrange(1, 40)]
        elif what == 3:
            data[at:at] = rng.choice(WORDS)
        elif what == 4:
            data[at : at + rng.randrange(1, 12)] = rng.choice(WORDS)
        elif what == 5:
            data[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 24)))
        else:
            start = rng.randrange(len(data) + 1)
            data[at:at] = data[start : start + rng.randrange(1, 200)]
    return bytes(data)


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _npz(array: Any, packed: bool) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, x=array, y=np.arange(len(array)) % 3)
    return file.getvalue()


def _csv(array: Any) -> bytes:
    rows = np.asarray(array, np.float64).reshape(len(array), -1)[:3]
    lines = [",".join(f"{value:.4g}" for value in row) for row in rows]
    return "\n".join([",".join(f"c{n}" for n in range(rows.shape[1])), *lines]).encode()


def _labelled_csv(array: Any) -> bytes:
    rows = np.asarray(array, np.float64).reshape(len(array), -1)[:4]
    names = ("up", "down", '"st\nop"', "up")
    lines = [",".join(f"{value:.4g}" for value in row) + f",{name}" for row, name in zip(rows, names, strict=True)]
    return "\n".join([",".join([*(f"c{n}" for n in range(rows.shape[1])), '"act\nivity"']), *lines]).encode()


def _sound() -> bytes:
    """Forty samples of 16 bits."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(range(80)))
    return file.getvalue()


def _read_sounds(path: Path) -> object:
    return load_samples(path.parent, [TensorSpec("x", (1, 40), "float32")])


def _keras() -> bytes:
    settings = {"name": "x", "batch_shape": [None, 3], "dtype": "float32"}
    layers = [{"class_name": "InputLayer", "config": settings, "inbound_nodes": []}]
    model = {"class_name": "Functional", "config": {"layers": layers, "input_layers": ["x", 0, 0]}}
    return _zip({"config.json": json.dumps(model).encode(), "model.weights.h5": b"x"})


def _stated(path: Path) -> object:
    """A damaged configuration states nothing, which is no error; a damaged archive is one."""
    return stated_inputs(identify(path))


def _image() -> bytes:
    """A PNG of 8 × 8 grey pixels, packed by ourselves so that its parts are plain to see."""

    def part(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pixels = zlib.compress(b"".join(b"\0" + bytes(range(n, n + 8)) for n in range(8)))
    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", pixels) + part(b"IEND", b"")


def _read_images(path: Path) -> object:
    return load_samples(path.parent, [TensorSpec("x", (1, 8, 8, 1), "float32")])


def _board_file() -> bytes:
    return (resource_dir("boards") / "mps2-an386.toml").read_bytes()


def _script() -> bytes:
    return (
        b"MEMORY { FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 128K\n"
        b" RAM (xrw) : ORIGIN = 0x20000000, LENGTH = 020000 }\n"
        b"SECTIONS { .text : { *(.text) } > FLASH\n .data : { _sdata = .; *(.data) _edata = .; } > RAM AT> FLASH\n"
        b" _sidata = LOADADDR(.data); .bss : { _sbss = .; *(.bss) _ebss = .; } > RAM }\n_estack = 0x20002000;\n"
    )


def _read_script(path: Path) -> object:
    return with_linker_script(load_board("cortex-m4"), path)


def _project(folder: Path) -> Path:
    from mcugen import api

    api.generate(zoo.path("sine"), board="mps2-an386", out=folder / "project")
    return folder / "project"


def _read_project(manifest: Path, project: Path) -> object:
    """The project with another manifest."""
    copy = manifest.parent / "project"
    copy.mkdir()
    for path in project.iterdir():
        if path.name != "mcugen.json":
            (copy / path.name).symlink_to(path)
    shutil.copy(manifest, copy / "mcugen.json")
    return load_project(copy)


def _search() -> bytes:
    trial = b'{"choices": {"activations": "int8", "wide": []}, "cost": null}'
    return b'{"schema": "mcugen.search/1", "search": "key", "trial": ' + trial + b"}\n"


def _elf() -> bytes:
    head = b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0, 0, 52, 0, 52, 32, 0, 40, 2, 1)
    names = b"\0.shstrtab\0"
    sections = bytes(40) + struct.pack("<10I", 1, 3, 0, 0, 132, len(names), 0, 0, 1, 0)
    return head + sections + names


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()
