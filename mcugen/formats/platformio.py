"""A library of PlatformIO's."""

from __future__ import annotations

import json

from mcugen.formats.package import VERSION, base_files, below, text, view
from mcugen.formats.types import Files, Format, Subject
from mcugen.formats.views import library_flags


def _files(subject: Subject) -> Files:
    files = base_files(subject, "platformio")
    top = {path: files.pop(path) for path in ("LICENSE", "README.md")}
    flags = list(dict.fromkeys(flag for part in subject.parts for flag in library_flags(part.program)))
    manifest = {
        "name": subject.name,
        "version": VERSION,
        "description": view(subject)["sentence"],
        "keywords": ["machine learning"],
        "license": "Apache-2.0",
        "headers": [f"{part.name}.h" for part in subject.parts],
        "frameworks": "*",
        "platforms": "*",
        "build": {"flags": flags},
        "examples": [{"name": "first_inference", "base": "examples/first_inference", "files": ["main.c"]}],
    }
    return {
        **top,
        **below("src", files),
        "library.json": json.dumps(manifest, indent=2) + "\n",
        "examples/first_inference/main.c": text("main.c.j2", subject),
    }


FORMAT = Format(
    "platformio",
    "a PlatformIO library",
    _files,
    proved=("run on the host: the example, with the library's own flags; PlatformIO reads and validates the manifest"),
)
