"""A component of ESP-IDF's, with an example application."""

from __future__ import annotations

from mcugen.formats.package import VERSION, base_files, below, text, view
from mcugen.formats.types import Files, Format, Subject

_IDF = ">=5.0"


def _files(subject: Subject) -> Files:
    name = subject.name
    manifest = (
        f'version: "{VERSION}"\ndescription: "{view(subject)["sentence"]}"\nlicense: "Apache-2.0"\n'
        f'dependencies:\n  idf: "{_IDF}"\n'
    )
    project = (
        "cmake_minimum_required(VERSION 3.16)\n"
        "include($ENV{IDF_PATH}/tools/cmake/project.cmake)\nproject(first_inference)\n"
    )
    example = {
        "CMakeLists.txt": project,
        "main/CMakeLists.txt": f'idf_component_register(SRCS "main.c" REQUIRES {name})\n',
        "main/idf_component.yml": f'dependencies:\n  {name}:\n    version: "*"\n    override_path: "../../../"\n',
        "main/main.c": text("esp_main.c.j2", subject),
    }
    return {
        **base_files(subject, "esp-idf"),
        "CMakeLists.txt": text("esp_CMakeLists.txt.j2", subject),
        "idf_component.yml": manifest,
        "Kconfig": text("esp_Kconfig.j2", subject),
        **below("examples/first_inference", example),
    }


FORMAT = Format(
    "esp-idf",
    "an ESP-IDF component with an example application",
    _files,
    proved=(
        "run on the host: the component by its own CMakeLists.txt, and the example with stand-ins for FreeRTOS; "
        "idf-component-manager validates the manifests, kconfiglib reads the settings. Built with ESP-IDF 6.2-dev for "
        "its target linux and run there (tested where it is at hand); not built for a chip"
    ),
)
