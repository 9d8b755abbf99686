"""`mcugen quantize`: any model to a full int8 `.tflite`, or one with int16 activations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.verbs import _options as options

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.activations import Activations
    from mcugen.ui.terminal import Progress
    from mcugen.verbs._pipeline import Model


@dataclass(frozen=True, eq=False)
class Quantized:
    """A quantized model and where it was written (None: nowhere)."""

    model: Model
    out: Path | None
    exit_code: int = 0

    @property
    def tflite(self) -> bytes:
        """The int8 model."""
        return self.model.data

    def to_dict(self) -> dict[str, Any]:
        model = self.model
        return {
            "schema": "mcugen.quantize/1",
            "mcugen": __version__,
            "model": {
                "name": model.graph.name,
                "sha256": model.graph.sha256,
                "source": model.source,
                "bytes": len(model.data),
            },
            "out": str(self.out) if self.out else None,
            "trusted": model.trusted,
            "quantization": model.report.to_dict() if model.report else None,
        }


def quantize(
    model: object,
    *,
    data: Any = None,
    activations: Activations = "int8",
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Quantized:
    """Convert a model to full int8 with int8 input and output, or to int16 activations, input and output.

    Args:
        model: a model file, a SavedModel folder, or a Keras object.
        data: calibration data, see :func:`mcugen.convert.convert`.
        activations: "int8" or "int16" (with int8 weights, by TensorFlow's quantizer).
        out: file to write; without it the model is only returned.

    Raises:
        McugenError: the model or the data cannot be used, or `out` cannot be written.
    """
    from mcugen.verbs._files import check_output, write_atomic
    from mcugen.verbs._pipeline import load_model

    path = Path(out) if out is not None else None
    if path is not None:
        read = [item for item in (model, data) if isinstance(item, str | Path)]
        check_output(path, inputs=read)
    loaded = load_model(model, data, progress, activations=activations)
    if path is not None:
        write_atomic(path, loaded.data)
    return Quantized(loaded, path)


def command(
    model: options.Model,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT.tflite", help="The int8 model.", show_default=False)],
    data: options.Data = None,
    activations: options.ActivationsName = "int8",
    json: options.Json = False,
) -> int:
    """Convert a model to a full int8 .tflite, or one with int16 activations."""
    from mcugen.ui.terminal import Terminal

    terminal = Terminal(json)
    with terminal.progress() as progress:
        result = quantize(model, data=data, activations=activations, out=out, progress=progress)
    return terminal.show(result, lambda console: _render(console, result))


def _render(console: Console, result: Quantized) -> None:
    from mcugen.ui.quantization import show_report
    from mcugen.ui.terminal import say_verdict
    from mcugen.ui.text import size

    report = result.model.report
    if report is not None:
        show_report(console, report)
    what = "int16 activations, int8 weights" if report is not None and report.activations == "int16" else "full int8"
    say_verdict(console, True, f"wrote {result.out}: {what}, {size(len(result.tflite))}")
