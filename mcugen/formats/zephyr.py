"""A Zephyr module with a sample."""

from __future__ import annotations

import json

from mcugen.formats.package import base_files, below, text
from mcugen.formats.types import Files, Format, Subject


def _files(subject: Subject) -> Files:
    name = subject.name
    sample = {
        "CMakeLists.txt": (
            "cmake_minimum_required(VERSION 3.20.0)\n"
            "list(APPEND EXTRA_ZEPHYR_MODULES ${CMAKE_CURRENT_SOURCE_DIR}/../..)\n"
            "find_package(Zephyr REQUIRED HINTS $ENV{ZEPHYR_BASE})\n"
            "project(first_inference C)\ntarget_sources(app PRIVATE src/main.c)\n"
        ),
        "prj.conf": f"CONFIG_{name.upper()}=y\nCONFIG_PRINTK=y\nCONFIG_MAIN_STACK_SIZE=8192\n"
        + ("CONFIG_FPU=y\n" if _has_fpu(subject) else ""),
        "src/main.c": text("main.c.j2", subject),
        "sample.yaml": _sample(subject),
    }
    return {
        **base_files(subject, "zephyr"),
        "zephyr/module.yml": f"name: {name}\nbuild:\n  cmake: .\n  kconfig: Kconfig\nsamples:\n  - samples\n",
        "CMakeLists.txt": text("zephyr_CMakeLists.txt.j2", subject),
        "Kconfig": text("zephyr_Kconfig.j2", subject),
        **below("samples/first_inference", sample),
    }


def _has_fpu(subject: Subject) -> bool:
    return any("_f32" in step.kernels for part in subject.parts for step in part.program.steps)


def _sample(subject: Subject) -> str:
    """What twister runs, and waits for on the console."""
    name, lines = subject.name, [f"{part.name} output 0:" for part in subject.parts]
    return (
        f"sample:\n  name: {name}\n  description: First inference\n"
        f"tests:\n  sample.{name}.first_inference:\n    tags: {name}\n    platform_allow:\n      - mps2/an386\n"
        "    integration_platforms:\n      - mps2/an386\n    harness: console\n    harness_config:\n"
        "      type: multi_line\n      ordered: true\n      regex:\n"
        + "".join(f"        - {json.dumps(line)}\n" for line in lines)
    )


FORMAT = Format(
    "zephyr",
    "a Zephyr module with a sample",
    _files,
    proved=(
        "run on the host: the module by its own CMakeLists.txt, with stand-ins for Zephyr's functions, and the "
        "sample; module.yml is valid by Zephyr's own schema (tested where that is at hand), sample.yaml has the "
        "keys that twister's allows, kconfiglib reads the settings. Not built with Zephyr"
    ),
)
