"""Two files per model and the kernels, for any project."""

from __future__ import annotations

from mcugen.formats.package import base_files, text
from mcugen.formats.types import Files, Format, Subject


def _files(subject: Subject) -> Files:
    return {
        **base_files(subject, "c"),
        f"{subject.name}.mk": text("mk.j2", subject),
        "example/main.c": text("main.c.j2", subject),
        "example/Makefile": text("Makefile.j2", subject),
    }


FORMAT = Format(
    "c",
    "C files and a Makefile fragment, for any project",
    _files,
    proved=(
        "run: built with make for the host and for Cortex-M4F, and run there (in QEMU); every output equals the "
        "reference"
    ),
)
