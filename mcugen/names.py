"""The names that options take. A module of its own, so that the command line needs nothing heavy to know them."""

from __future__ import annotations

from typing import Literal, get_args

Runtime = Literal["aot", "tflm"]
"""What a quantized model computes with."""

FrontEnds = Literal["never", "refused", "needed", "always"]
"""Whether a Keras model's first layers become a front end; "needed": where they are no ops of the model; "refused":
where they are no ops, the model is refused."""

Activations = Literal["int8", "int16"]
"""Types of activations in a quantized model. Weights are int8 with both."""

Goal = Literal["balanced", "speed", "size", "ram"]
"""What a plan is best at: speed that takes hardly any flash and no RAM, speed even where it takes more of both, little
code, or a small arena."""

DEFAULT_GOAL: Goal = "balanced"

GOALS: tuple[Goal, ...] = get_args(Goal)

InputRows = Literal["whole", "pushed"]
"""How a firmware gets its input: written as a whole before an inference, or brought row by row while it runs."""

INPUT_ROWS: tuple[InputRows, ...] = get_args(InputRows)

ReferenceName = Literal["auto", "tflite-micro", "mcugen", "both"]
"""What a device is compared with: TensorFlow Lite Micro's interpreter, mcugen's own reference, or both."""

Protocol = Literal["mcugen", "mlperf"]
"""What a firmware speaks over its UART: docs/PROTOCOL.md, or the protocol of the MLPerf Tiny benchmark."""

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

TaskName = Literal["classification", "regression"]
"""What the labels of samples are: class indices, or real values that the outputs should have."""
