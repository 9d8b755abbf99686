"""An Arduino library: its folder, and the zip that the IDE takes."""

from __future__ import annotations

from mcugen.formats.package import VERSION, archive, base_files, below, text
from mcugen.formats.types import Files, Format, Subject


def _files(subject: Subject) -> Files:
    files = base_files(subject, "arduino")
    top = {path: files.pop(path) for path in ("LICENSE", "README.md")}
    example = "first_inference"  # a sketch's folder and file have one name
    library = {
        **top,
        **below("src", files),
        "library.properties": text("library.properties.j2", subject),
        "keywords.txt": _keywords(subject),
        f"examples/{example}/{example}.ino": text("arduino.ino.j2", subject),
    }
    return {**below(subject.name, library), f"{subject.name}-{VERSION}.zip": archive(library, subject.name)}


def _keywords(subject: Subject) -> str:
    """What the IDE colours: a name, one tab, its kind."""
    lines = []
    for part in subject.parts:
        functions = ["init", "reset", "invoke"]
        functions += [f"input{n}" for n, _ in enumerate(part.program.input_tensors())]
        functions += [f"output{n}" for n, _ in enumerate(part.program.output_tensors())]
        lines += [f"{part.name}\tKEYWORD1", *(f"{part.name}_{function}\tKEYWORD2" for function in functions)]
        lines.append(f"{part.name.upper()}_ARENA_BYTES\tLITERAL1")
    return "\n".join(lines) + "\n"


FORMAT = Format(
    "arduino",
    "an Arduino library, and its zip for the IDE",
    _files,
    proved=(
        "run on the host: the library from its zip and the sketch, with a stand-in for Arduino's `Serial`; the "
        "library's rules are checked line by line. Built, not run, with Arduino's own builder and the core STM32duino "
        "2.10.1 for a Nucleo-F446RE (tested where these are at hand)"
    ),
)
