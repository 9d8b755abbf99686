"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from mcugen.emulators import emulators
from mcugen.names import Activations, Goal, Runtime
from mcugen.names import TaskName as TaskKind

MODEL = "Model and quantization"
ACCURACY = "Accuracy"
VERIFICATION = "Verification"
BOARD = "Board and device"
OUTPUT = "Output"
SEARCH = "Search for the best quantization (--auto)"
TFLM = "TensorFlow Lite Micro (--runtime tflm)"
ADVANCED = "Advanced"
"""The groups that --help shows options in; what a first user needs stands in none of them, before all others."""

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
        rich_help_panel=ACCURACY,
    ),
]
EvalSamples = Annotated[
    int,
    typer.Option(
        "--eval-samples",
        metavar="N",
        help="Judge by at most so many of them, drawn with a fixed seed.",
        rich_help_panel=ACCURACY,
    ),
]
MetricName = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--metric",
        metavar="NAME",
        show_default=False,
        help="What counts: accuracy, top_3, top_5, macro_f1, auc; mean_absolute_error, mean_squared_error.",
        rich_help_panel=ACCURACY,
    ),
]
TaskName = Annotated[
    Optional[TaskKind],  # noqa: UP045
    typer.Option(
        "--task",
        metavar="KIND",
        show_default=False,
        help="classification or regression: what the labels are, where they could be both.",
        rich_help_panel=ACCURACY,
    ),
]
MaxDrop = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--max-drop",
        metavar="POINTS",
        show_default=False,
        help="Exit code 1 if quantization loses more of the metric, in percentage points.",
        rich_help_panel=ACCURACY,
    ),
]
ActivationsName = Annotated[
    Activations,
    typer.Option(
        "--activations",
        metavar="int8|int16",
        help="What a quantized model computes with; weights are int8. int16 is more exact, and slower.",
        rich_help_panel=MODEL,
    ),
]
NoQuantize = Annotated[
    bool,
    typer.Option(
        "--no-quantize", help="Run a float model as it is, in float32, to compare it with int8.", rich_help_panel=MODEL
    ),
]
CustomOps = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--custom-op",
        metavar="NAME=K.c",
        show_default=False,
        help="A kernel of your own for the model's custom op NAME, with K.py beside it; may be repeated.",
        rich_help_panel=MODEL,
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
        rich_help_panel=MODEL,
    ),
]
RuntimeName = Annotated[
    Optional[Runtime],  # noqa: UP045
    typer.Option(
        "--runtime",
        metavar="aot|tflm",
        show_default=False,
        help="Compiled ahead of time to C (default), or TensorFlow Lite Micro's interpreter.",
        rich_help_panel=MODEL,
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
        rich_help_panel=TFLM,
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
    typer.Option("--keep-names", help="TFLM: leave names and metadata in the flatbuffer.", rich_help_panel=TFLM),
]
ModelSlot = Annotated[
    int,
    typer.Option(
        "--model-slot",
        metavar="BYTES",
        min=0,
        show_default=False,
        help="TFLM: reserve twice as much RAM for models that mcugen push sends.",
        rich_help_panel=TFLM,
    ),
]
Arena = Annotated[
    int,
    typer.Option(
        "--arena",
        metavar="BYTES",
        min=0,
        show_default=False,
        help="TFLM: the arena's size, not computed.",
        rich_help_panel=TFLM,
    ),
]
Labels = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--labels",
        metavar="FILE|A,B,…",
        show_default=False,
        help="Class names: a text file with one per line, or a list with commas.",
        rich_help_panel=OUTPUT,
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Replace a generated project even if its files were changed by hand.", rich_help_panel=OUTPUT
    ),
]
Inputs = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--inputs",
        "-i",
        metavar="X.npy",
        show_default=False,
        help="Inputs, one sample per row: int8 as they are, floats are quantized. .npz for several inputs.",
        rich_help_panel=VERIFICATION,
    ),
]
Samples = Annotated[
    int,
    typer.Option(
        "--samples",
        "-n",
        metavar="N",
        min=1,
        max=100_000,
        help="How many random inputs to verify with.",
        rich_help_panel=VERIFICATION,
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Seed of the random inputs.", rich_help_panel=VERIFICATION)
]
Layers = Annotated[
    bool,
    typer.Option(
        "--layers",
        help="Compare every intermediate tensor too, and name the first op that differs.",
        rich_help_panel=VERIFICATION,
    ),
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
        rich_help_panel=BOARD,
    ),
]
Paced = Annotated[
    bool,
    typer.Option(
        "--paced",
        help="For slow boards: inferences go op by op, and each op may take a minute. Costs some "
        "instructions per op. Firmware with a watchdog is paced in any case.",
        rich_help_panel=BOARD,
    ),
]
LinkerScript = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--linker-script",
        metavar="FILE.ld",
        show_default=False,
        help="Your chip's linker script, for the boards cortex-m…, which stand for any such chip.",
        rich_help_panel=BOARD,
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
        rich_help_panel=BOARD,
    ),
]
FlashTool = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--tool",
        metavar="TOOL",
        show_default=False,
        help="platformio, openocd, pyocd, esptool, picotool or uf2. Default: the board's first that is installed.",
        rich_help_panel=BOARD,
    ),
]
Lines = Annotated[bool, typer.Option("--lines", help="A line per inference, as where there is no terminal.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout; see docs/JSON.md.")]
SamplesOnDevice = Annotated[
    int,
    typer.Option(
        "--samples-on-device",
        metavar="N",
        help="How many of the samples run on the device, too.",
        rich_help_panel=ACCURACY,
    ),
]
CompareFloat = Annotated[
    bool,
    typer.Option(
        "--compare-float", help="Run the float32 form on the same emulated board, too.", rich_help_panel=ACCURACY
    ),
]
