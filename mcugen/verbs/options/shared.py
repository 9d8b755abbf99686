"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from mcugen.emulators import emulators
from mcugen.names import Activations, Goal, Runtime
from mcugen.names import TaskName as TaskKind

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model: .keras, .h5, SavedModel folder, .pt2, .onnx, float or int8 .tflite.",
        show_default=False,
    ),
]
Target = Annotated[
    str,
    typer.Argument(metavar="DIR|MODEL", help="A project that mcugen generated, or a model.", show_default=False),
]
Board = Annotated[
    str,
    typer.Option(
        "--board",
        "-b",
        metavar="BOARD",
        help="See mcugen boards. A path to a .toml file works too.",
        show_default=False,
    ),
]
OptionalBoard = Annotated[
    Optional[str],  # noqa: UP045 (Typer reads it at run time, on Python 3.10 too)
    typer.Option(
        "--board", "-b", metavar="BOARD", help="See mcugen boards. A project knows its own.", show_default=False
    ),
]
Data = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--data",
        "-d",
        metavar="D",
        show_default=False,
        help="Calibration data for a float model: .npy, .npz, .csv, a folder of images, or 'random' (untrusted).",
    ),
]
EvalData = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--eval-data",
        metavar="X.npz",
        show_default=False,
        help="Samples with labels (x and y) to judge the model by. Default: those of --data, if it has some.",
    ),
]
EvalSamples = Annotated[
    int,
    typer.Option("--eval-samples", metavar="N", help="Judge by at most so many of them, drawn with a fixed seed."),
]
MetricName = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--metric",
        metavar="NAME",
        show_default=False,
        help="What counts: accuracy, top_3, top_5, macro_f1, auc; mean_absolute_error, mean_squared_error.",
    ),
]
TaskName = Annotated[
    Optional[TaskKind],  # noqa: UP045
    typer.Option(
        "--task",
        metavar="classification|regression",
        show_default=False,
        help="What the labels are, where they could be both.",
    ),
]
MaxDrop = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--max-drop",
        metavar="POINTS",
        show_default=False,
        help="Exit code 1 if quantization loses more of the metric, in percentage points.",
    ),
]
ActivationsName = Annotated[
    Activations,
    typer.Option(
        "--activations",
        metavar="int8|int16",
        help="What a quantized model computes with; weights are int8. int16 is more exact, and slower.",
    ),
]
NoQuantize = Annotated[
    bool,
    typer.Option("--no-quantize", help="Run a float model as it is, in float32, to compare it with int8."),
]
CustomOps = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--custom-op",
        metavar="NAME=K.c",
        show_default=False,
        help="A kernel of your own for the model's custom op NAME, with K.py beside it; may be repeated.",
    ),
]
OutDir = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--out", "-o", metavar="DIR", help="Where the project goes.", show_default=False),
]
Optimize = Annotated[
    Optional[Goal],  # noqa: UP045
    typer.Option(
        "--optimize",
        metavar="speed|size|ram",
        show_default=False,
        help="What the firmware is best at: speed (default), size of its code, or RAM.",
    ),
]
RuntimeName = Annotated[
    Optional[Runtime],  # noqa: UP045
    typer.Option(
        "--runtime",
        metavar="aot|tflm",
        show_default=False,
        help="Compiled ahead of time to C (default), or TensorFlow Lite Micro's interpreter.",
    ),
]
Tflm = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--tflm",
        metavar="DIR",
        envvar=None,
        show_default=False,
        help="Where TensorFlow Lite Micro is: a built checkout, or a library for PlatformIO. Default: MCUGEN_TFLM_DIR.",
    ),
]
BaudBoard = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--board",
        "-b",
        metavar="BOARD",
        help="The device's board, whose serial speed is tried first.",
        show_default=False,
    ),
]
BudgetBoard = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--board",
        "-b",
        metavar="BOARD",
        help="With --auto: the board whose flash and RAM are the limits. See mcugen boards.",
        show_default=False,
    ),
]
KeepNames = Annotated[
    bool,
    typer.Option("--keep-names", help="TFLM: leave names and metadata in the flatbuffer."),
]
ModelSlot = Annotated[
    int,
    typer.Option(
        "--model-slot",
        metavar="BYTES",
        min=0,
        show_default=False,
        help="TFLM: reserve twice as much RAM for models that mcugen push sends.",
    ),
]
Arena = Annotated[
    int,
    typer.Option("--arena", metavar="BYTES", min=0, show_default=False, help="TFLM: the arena's size, not computed."),
]
Labels = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--labels",
        metavar="FILE|A,B,…",
        show_default=False,
        help="Class names: a text file with one per line, or a list with commas.",
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Replace a generated project even if its files were changed by hand."),
]
Inputs = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--inputs",
        "-i",
        metavar="X.npy",
        show_default=False,
        help="Inputs, one sample per row: int8 as they are, floats are quantized. .npz for several inputs.",
    ),
]
Samples = Annotated[
    int,
    typer.Option("--samples", "-n", min=1, max=100_000, help="How many random inputs to verify with."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the random inputs.")]
Layers = Annotated[
    bool,
    typer.Option("--layers", help="Compare every intermediate tensor too, and name the first op that differs."),
]
Port = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--port",
        metavar="URL",
        show_default=False,
        help="A running device instead of the emulator: /dev/ttyACM0, socket://host:port, rfc2217://…",
    ),
]
DeployPort = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--port",
        metavar="URL",
        show_default=False,
        help="Serial port of the board: it is FLASHED. A URL (socket://host:port, rfc2217://…) is only connected to.",
    ),
]
Report = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--report",
        metavar="FILE.html",
        show_default=False,
        help="Write all that was found out as a page, and as JSON beside it.",
    ),
]
Emulator = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--emulator",
        metavar="|".join(emulators()),
        show_default=False,
        help="Emulator that runs the board. Default: qemu. Others may add scripts of their own to the project.",
    ),
]
Paced = Annotated[
    bool,
    typer.Option(
        "--paced",
        help="For slow boards: inferences go op by op, and each op may take a minute. Costs some "
        "instructions per op. Firmware with a watchdog is paced in any case.",
    ),
]
LinkerScript = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--linker-script",
        metavar="FILE.ld",
        show_default=False,
        help="Your chip's linker script, for the boards cortex-m…, which stand for any such chip.",
    ),
]
BoardPort = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--port",
        metavar="URL",
        show_default=False,
        help="The board's serial port: /dev/ttyACM0. Default: found by the board's USB ids.",
    ),
]
Probe = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--probe",
        metavar="ID",
        show_default=False,
        help="Serial number of the debug probe, where several are plugged in.",
    ),
]
FlashTool = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--tool",
        metavar="TOOL",
        show_default=False,
        help="platformio, openocd, pyocd, esptool, picotool or uf2. Default: the board's first that is installed.",
    ),
]
Lines = Annotated[bool, typer.Option("--lines", help="A line per inference, as where there is no terminal.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout; see docs/JSON.md.")]
