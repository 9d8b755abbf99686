"""`mcugen push`: another model into a running firmware, without flashing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import command_for

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.device.protocol import Hello
    from mcugen.flow.model import Model
    from mcugen.progress import Progress
    from mcugen.runtimes.tflm.strip import Stripped


@dataclass(frozen=True, eq=False, repr=False)
class Pushed(Brief):
    """A model that a device runs now, and `keeps` over a reset or not. `hello` is what it says since."""

    model: Model
    flatbuffer: Stripped
    hello: Hello
    port: str
    keeps: bool
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        graph = self.model.graph
        return {
            "schema": "mcugen.push/1",
            "mcugen": __version__,
            "model": {
                "name": graph.name,
                "sha256": graph.sha256,
                "source": self.model.source,
                "bytes": len(self.model.data),
                "ops": len(graph.ops),
            },
            "trusted": self.model.trusted,
            "port": self.port,
            "board": self.hello.board,
            "runtime": self.hello.runtime,
            "flatbuffer": len(self.flatbuffer.data),
            "saved": self.flatbuffer.saved,
            "slot": self.hello.slot_bytes,
            "keeps": self.keeps,
            "quantization": self.model.report.to_dict() if self.model.report else None,
        }


def push(
    model: object,
    *,
    port: str,
    board: str | None = None,
    data: Any = None,
    quantize: bool = True,
    keep_names: bool = False,
    progress: Progress | None = None,
) -> Pushed:
    """Replace the model of a running firmware that was generated with `--runtime tflm --model-slot BYTES`.

    The device checks length, CRC, SHA-256, soundness, sizes, inputs and outputs, ops and arena before it switches, and
    runs one inference; if anything is wrong, the old model stays. After a reset the new model runs if the board has
    flash for it, otherwise the firmware's own.

    Args:
        model: a model file, a SavedModel folder, or a Keras object.
        port: URL of the running device.
        board: board name, for the baud rate of a serial port.
        data: calibration data for a float model.
        quantize: False runs a float model in float32.
        keep_names: send the flatbuffer as it is.

    Raises:
        McugenError: the model cannot be used, or the device refuses it, or its first inference does not come to an end
            within the time that any inference may take.
    """
    from mcugen.device.connecting import connect
    from mcugen.flow.boards import named_board
    from mcugen.flow.model import load_model
    from mcugen.flow.pushed import check_interface
    from mcugen.progress import no_progress
    from mcugen.runtimes.tflm.resolver import check_supported
    from mcugen.runtimes.tflm.strip import Stripped, strip_proved
    from mcugen.runtimes.tflm.view import read_view

    report = progress or no_progress
    chosen = named_board(board) if board is not None else None
    loaded = load_model(model, data, report, "tflm", quantize=quantize, front_ends="refused")
    view = read_view(loaded.opened, loaded.graph.name)
    check_supported(view)
    flatbuffer = Stripped(loaded.opened, 0, False) if keep_names else strip_proved(loaded.opened, view)
    report("connecting", -1.0)
    with connect(port, board=chosen) as device:
        check_interface(loaded.graph, device.inputs, device.outputs, port)
        report("sending", -1.0)
        device.push_model(flatbuffer.data, loaded.graph.sha256)
        return Pushed(loaded, flatbuffer, device.hello, port, device.stored().keeps)


def _render(console: Console, result: Pushed) -> None:
    from mcugen.flow.proof import UNTRUSTED
    from mcugen.text import number, plain, size
    from mcugen.ui.terminal import grid, say_note, say_verdict

    sent = len(result.flatbuffer.data)
    rows = [
        ("model", f"{result.model.graph.name} · {len(result.model.graph.ops)} ops"),
        ("sent", f"{size(sent)} of {number(result.hello.slot_bytes)} that the slot holds"),
    ]
    if result.flatbuffer.saved:
        saved = number(result.flatbuffer.saved)
        rows.append(("left out", f"{saved} B of names and metadata, outputs proved unchanged"))
    console.print(grid(rows))
    if not result.model.trusted:
        say_note(console, UNTRUSTED)
    until = " from now on, and after a reset" if result.keeps else " until its next reset"
    say_verdict(console, True, f"{plain(result.hello.board)} at {plain(result.port)} runs it{until}")


command = command_for(
    push,
    "Replace the model of a running TFLM firmware, without flashing.",
    _render,
    port=Annotated[
        str,
        typer.Option(
            "--port",
            metavar="URL",
            show_default=False,
            help="The running device: /dev/ttyACM0, socket://host:port, rfc2217://…",
        ),
    ],
    board=options.BaudBoard,
)
