"""`mcugen new`: a `mcugen.toml` with model, data and board, so that the next command is `mcugen deploy`."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import as_options
from mcugen.verbs.options.settings import FILE

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.progress import Progress

OUT = "firmware"
MODELS = ("*.keras", "*.h5", "*.tflite", "*.onnx", "*.pt2")
DATA = ("*.npz", "*.npy", "*.csv")
FIRST_BOARD = "mps2-an386"
"""Emulated, so that a first try needs no hardware."""


@dataclass(frozen=True, repr=False)
class Created(Brief):
    """The written file, and what it says."""

    file: Path
    model: str
    data: str | None
    board: str
    out: str
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "mcugen.new/1",
            "mcugen": __version__,
            "file": str(self.file),
            "model": self.model,
            "data": self.data,
            "board": self.board,
            "out": self.out,
        }


def new(
    model: str | Path,
    *,
    board: str,
    data: str | None = None,
    out: str | Path = OUT,
    force: bool = False,
    progress: Progress | None = None,
) -> Created:
    """Write `mcugen.toml` into the current folder; commands of the command line read it there.

    Args:
        model: the model's file or folder.
        board: any name that :func:`mcugen.api.deploy` takes; "auto" is written as the board that is plugged in.
        data: calibration data, "random", or None for a model that needs none.
        out: folder of the project that commands will write.
        force: replace an existing file.

    Raises:
        ProjectError: the model or data does not exist, or there is a file already.
        BoardError: see :func:`mcugen.flow.boards.named_board`.
    """
    from mcugen.outputs import write_file

    file = _free(force)
    values = {"model": _existing(str(model)), "data": _given(data), "board": _board(board), "out": str(out)}
    lines = [
        f"{key} = {json_text.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value is not None
    ]
    head = "# Read by mcugen in this folder; what is typed wins. Keys are parameters of mcugen.api.\n"
    write_file(file, (head + "\n".join(lines) + "\n").encode())
    return Created(file, str(values["model"]), values["data"], str(values["board"]), str(out))


def _free(force: bool) -> Path:
    from mcugen.errors import ProjectError

    file = Path(FILE)
    if file.exists() and not force:
        raise ProjectError("exists already", where=FILE, hint="Edit it, or replace it with `force=True`")
    return file


def _existing(path: str) -> str:
    from mcugen.errors import ProjectError

    if not path or not Path(path).exists():
        raise ProjectError(
            "there is no such file", where=path or "the model", hint=f"{FILE} names files from its folder"
        )
    return path


def _given(data: str | None) -> str | None:
    return data if data in (None, "random") else _existing(str(data))


def _board(name: str) -> str:
    from mcugen.flow.boards import named_board

    return name if name.endswith(".toml") and named_board(name) else named_board(name).name


def command(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="The model's file or folder.", show_default=False)
    ] = None,
    data: options.Data = None,
    board: Annotated[
        str | None,
        typer.Option(
            "--board", "-b", metavar="BOARD", help="Board (see mcugen boards), or 'auto'.", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the project.")] = Path(OUT),
    force: options.Force = False,
    json: options.Json = False,
) -> int:
    """Write mcugen.toml: model, data and board, so that the next command is just `mcugen deploy`."""
    from mcugen.errors import ProjectError
    from mcugen.ui.terminal import Terminal

    terminal = Terminal(json, as_options)
    _free(force)
    asks = sys.stdin.isatty() and terminal.err.is_terminal and not json
    if not asks and (model is None or board is None):
        missing = [name for name, value in (("MODEL", model), ("--board", board)) if value is None]
        were = "was" if len(missing) == 1 else "were"
        raise ProjectError(
            f"{' and '.join(missing)} {were} not given, and there is no terminal to ask at",
            hint="mcugen new MODEL --data DATA --board BOARD",
        )
    if model is None:
        model = _ask(terminal.err, "Which model? A file or folder", _first(MODELS), _existing)
        if data is None and board is None:
            question = "Which data? A few hundred typical inputs, 'random' to try, or nothing for an int8 model"
            data = _ask(terminal.err, question, _first(DATA), lambda text: _given(text or None) or "") or None
    if board is None:
        board = _ask(terminal.err, "Which board? A name, or 'auto' for the one that is plugged in", FIRST_BOARD, _board)
    result = new(model, board=board, data=data, out=out, force=force)
    return terminal.show(result, lambda console: _show(console, result))


def _first(patterns: tuple[str, ...]) -> str:
    """A file of the current folder to suggest; "" if there is none."""
    return next((str(path) for pattern in patterns for path in sorted(Path().glob(pattern))), "")


def _ask(console: Console, question: str, suggested: str, check: Callable[[str], str]) -> str:
    """What a person answers, asked again until it can be used."""
    from mcugen.errors import McugenError
    from mcugen.ui.terminal import print_error

    while True:
        console.print(f"{question}{f' [{suggested}]' if suggested else ''}: ", end="")
        answer = input().strip() or suggested
        try:
            return check(answer)
        except McugenError as error:
            print_error(
                console, what=as_options(error.what), where=as_options(error.where), hint=as_options(error.hint)
            )


def _show(console: Console, result: Created) -> None:
    from mcugen.ui.terminal import grid, say_verdict

    rows = [("model", result.model), ("data", result.data or "none"), ("board", result.board), ("project", result.out)]
    console.print(grid([*rows, ("next", "mcugen deploy")]))
    say_verdict(console, True, f"wrote {result.file}")
