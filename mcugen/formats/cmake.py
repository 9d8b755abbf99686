"""A CMake package: for `add_subdirectory` and for `find_package`."""

from __future__ import annotations

from mcugen.formats.package import base_files, text
from mcugen.formats.types import Files, Format, Subject


def _files(subject: Subject) -> Files:
    return {
        **base_files(subject, "cmake"),
        "CMakeLists.txt": text("CMakeLists.txt.j2", subject),
        f"{subject.name}Config.cmake": text("Config.cmake.j2", subject),
        f"{subject.name}ConfigVersion.cmake": text("ConfigVersion.cmake.j2", subject),
        "example/main.c": text("main.c.j2", subject),
    }


FORMAT = Format(
    "cmake",
    "a CMake package, for add_subdirectory and find_package",
    _files,
    proved=(
        "run: built with CMake by `add_subdirectory` and by `find_package`, for the host and for Cortex-M4F, and "
        "run there (in QEMU); every output equals the reference"
    ),
)
