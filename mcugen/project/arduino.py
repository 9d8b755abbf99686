"""What a project for PlatformIO's Arduino framework has in place of start-up code: the port over `Serial`."""

from __future__ import annotations

from mcugen.boards.types import Board
from mcugen.emit.templates import render
from mcugen.project.bsp import library_json
from mcugen.resources import resource_dir
from mcugen.runtimes.program import Program

ARDUINO = "lib/mcg_arduino"


def arduino_files(board: Board, program: Program, banner: str) -> dict[str, str]:
    """Path in the project → text of platformio.ini, the sketch, the port and the script that stamps the firmware.

    Args:
        banner: first line of generated files.
    """
    source = resource_dir("firmware") / "arduino"
    return {
        "platformio.ini": render("arduino/platformio.ini.j2", banner=banner, board=board, program=program),
        "src/main.cpp": render("arduino/main.cpp.j2", banner=banner),
        "scripts/mcg_build.py": (source / "mcg_build.py").read_text(encoding="utf-8"),
        f"{ARDUINO}/mcg_port_arduino.cpp": (source / "mcg_port_arduino.cpp").read_text(encoding="utf-8"),
        f"{ARDUINO}/mcg_arduino_config.h": render("arduino/mcg_arduino_config.h.j2", board=board),
        f"{ARDUINO}/library.json": library_json(
            "mcg_arduino", f"The harness's port over Serial of {board.name}", {"mcg_harness": "*"}
        ),
    }
