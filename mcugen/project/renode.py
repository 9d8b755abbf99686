"""Files for Renode: a script that starts the firmware, the platform, and a Robot test for Renode's own runner."""

from __future__ import annotations

from mcugen.boards.emulators import require_renode
from mcugen.boards.types import Board
from mcugen.emit.templates import render
from mcugen.project.renode_syntax import syntax_errors

FOLDER = "renode"


def renode_files(board: Board) -> dict[str, str]:
    """Path in the project → text. Renode need not be installed: what can be checked without it is checked.

    Raises:
        BoardError: mcugen does not know Renode's model of the board.
    """
    require_renode(board)
    files = {
        f"{FOLDER}/{board.name}.resc": render("renode/board.resc.j2", board=board),
        f"{FOLDER}/{board.name}.repl": render("renode/board.repl.j2", board=board),
        f"{FOLDER}/firmware.robot": render("renode/firmware.robot.j2", board=board),
    }
    for path, text in files.items():
        if errors := syntax_errors(path, text):
            raise AssertionError(f"emitted {path} is wrong: {'; '.join(errors)}")
    return files
