"""Recognises what was given as a model."""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mcugen.convert.cut import CutModel
from mcugen.errors import ModelError
from mcugen.reading import parsing
from mcugen.tflite.opened import OpenedModel
from mcugen.tflite.schema import IDENTIFIER

_MAX_BYTES = 1 << 30
_ACCEPTED = "mcugen takes .keras, .h5, a SavedModel folder, a frozen .pb, .pt2, .onnx, and float32 or int8 .tflite"
_EXPORT = "Export it: torch.export.save(torch.export.export(model.eval(), (x,)), 'model.pt2')"


@dataclass(frozen=True, eq=False)
class Source:
    """A recognised source: `data` for a `.tflite`, `path` for what a framework loads, `model` for an object.

    `opened` is the `.tflite` where it was given open. `cut`: the first layers are left out.
    """

    kind: Literal[
        "tflite",
        "keras",
        "keras h5",
        "saved_model",
        "frozen graph",
        "checkpoint",
        "keras object",
        "pytorch",
        "pytorch object",
        "onnx",
        "onnx object",
    ]
    name: str
    data: bytes = b""
    path: Path | None = None
    model: Any = None
    opened: OpenedModel | None = None
    cut: CutModel | None = None


def identify(source: object) -> Source:
    """Recognise a path, the bytes of a `.tflite`, or the object of a framework, by content and not by ending.

    Raises:
        ModelError: not there, empty, too large, or a file of another kind (which one is said).
    """
    if isinstance(source, (bytes, bytearray)):
        return Source("tflite", "model", data=bytes(source))
    if isinstance(source, OpenedModel):
        return Source("tflite", "model", data=source.data, opened=source)
    if isinstance(source, CutModel):
        return Source("keras", source.name, path=source.path, cut=source)
    if isinstance(source, (str, os.PathLike)):
        return _identify_path(Path(source))
    family = {c.__module__.split(".")[0] for c in type(source).__mro__}
    if family & {"keras", "tf_keras"} and callable(getattr(source, "save", None)):
        return Source("keras object", _clean(str(getattr(source, "name", "model"))), model=source)
    if "torch" in family and type(source).__name__ != "ScriptModule":
        return Source("pytorch object", _clean(type(source).__name__), model=source)
    if "onnx" in family and callable(getattr(source, "SerializeToString", None)):
        return Source("onnx object", "model", model=source)
    raise ModelError(f"an object of type {type(source).__name__} is not a model", hint=_ACCEPTED)


def _identify_path(path: Path) -> Source:
    where = str(path)
    if not path.exists():
        raise ModelError("there is no such file", where=where, hint="Check the path of the model")
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return Source("saved_model", _clean(path.resolve().name), path=path)
        raise ModelError(
            "this folder is not a SavedModel (saved_model.pb is missing)",
            where=where,
            hint="Save the model with model.export(folder), or pass a model file",
        )
    if not path.is_file():
        raise ModelError("this is neither a file nor a folder", where=where)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ModelError(f"the file cannot be read ({error.strerror})", where=where) from None
    if size == 0:
        raise ModelError("the file is empty", where=where, hint="Export or copy it again")
    if size > _MAX_BYTES:
        raise ModelError(f"the file has {size >> 20} MB, more than any board here can hold", where=where)
    name = _clean(path.stem)
    if head[4:8] == IDENTIFIER:
        return Source("tflite", name, data=path.read_bytes(), path=path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return Source("keras h5", name, path=path)
    if head.startswith(b"PK\x03\x04"):
        return _identify_zip(path, name)
    if head.startswith(b"\x08") and (path.suffix.lower() == ".onnx" or b"pytorch" in head[:64] or b"onnx" in head[:64]):
        return Source("onnx", name, path=path)
    if head.startswith(b"\x0a") and path.suffix.lower() == ".pb":
        return Source("frozen graph", name, path=path)
    if head.startswith(b"\x0a") and path.suffix.lower() == ".meta" and path.with_suffix(".index").is_file():
        return Source("checkpoint", name, path=path)
    raise ModelError(f"this is {_foreign(path, head)}", where=where, hint=_ACCEPTED)


def _identify_zip(path: Path, name: str) -> Source:
    damaged = ModelError("the archive is truncated or corrupted", where=str(path), hint="Export or copy it again")
    with parsing(lambda _: damaged), zipfile.ZipFile(path) as archive:
        members = archive.namelist()
    if "config.json" in members and any(m.startswith("model.weights") for m in members):
        return Source("keras", name, path=path)
    if any(m.endswith("/models/model.json") for m in members):
        return Source("pytorch", name, path=path)
    hint = _ACCEPTED
    if any("/code/" in m for m in members):
        kind, hint = "a TorchScript program", _EXPORT
    elif any(m.endswith("/data.pkl") or m == "data.pkl" for m in members):
        kind, hint = "a PyTorch pickle, which may run code when it is loaded", _EXPORT
    elif "serialized_exported_program.json" in members:
        kind, hint = "a program of an older PyTorch", f"{_EXPORT} with PyTorch 2.8 or newer"
    elif any(m.endswith("saved_model.pb") for m in members):
        kind = "a zipped SavedModel: unpack it and give the folder"
    elif members and all(m.endswith(".npy") for m in members):
        kind = "a NumPy .npz archive (data, not a model)"
    else:
        kind = "a zip archive without a model"
    raise ModelError(f"this is {kind}", where=str(path), hint=hint)


def _foreign(path: Path, head: bytes) -> str:
    suffix = path.suffix.lower()
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the model itself: fetch it with git lfs pull"
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page, not a model: the download went wrong"
    if suffix == ".onnx":
        return "not an ONNX model: truncated, corrupted, or another format"
    if suffix in (".pt", ".pth", ".pt2") or head[:1] == b"\x80":
        return "a Python pickle or PyTorch file"
    if head.startswith(b"\x93NUMPY"):
        return "a NumPy array (data, not a model)"
    if head.startswith(b"GGUF"):
        return "a GGUF model"
    if suffix == ".pb":
        return "a part of a SavedModel: give the SavedModel's folder"
    if suffix in (".meta", ".index") or ".data-" in suffix:
        return "a part of a TensorFlow checkpoint: give its .meta file, with .index and .data files beside it"
    if suffix == ".safetensors":
        return "a safetensors file: weights without a model"
    if head.lstrip()[:1] == b"{":
        return "a JSON file"
    if suffix in (".tflite", ".lite"):
        return "not a .tflite model (the TFL3 identifier is missing): truncated, corrupted, or another format"
    return "not a model format that mcugen knows"


def _clean(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)[:80].strip("._") or "model"
