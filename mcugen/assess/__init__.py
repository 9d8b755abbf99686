"""The assess stage: how right a quantized model is, with and without labels, and at which layer it loses accuracy."""

from mcugen.assess.average_precision import Boxes, Precision, mean_average_precision
from mcugen.assess.boxes import found_boxes
from mcugen.assess.evaluate import Evaluation, HostRuns, assess, load_evaluation, run_float, run_on_host, run_quantized
from mcugen.assess.layers import layer_noise
from mcugen.assess.task import drop_of, make_task, metric_names, score
from mcugen.assess.types import (
    Assessment,
    BeforeAfter,
    Flip,
    Flips,
    Gate,
    Histogram,
    LayerNoise,
    Layers,
    Metric,
    OnBoard,
    Outputs,
    Reading,
    Run,
    Score,
    Suspect,
    Task,
    Usefulness,
)

__all__ = [
    "Assessment",
    "BeforeAfter",
    "Boxes",
    "Evaluation",
    "Flip",
    "Flips",
    "Gate",
    "Histogram",
    "HostRuns",
    "LayerNoise",
    "Layers",
    "Metric",
    "OnBoard",
    "Outputs",
    "Precision",
    "Reading",
    "Run",
    "Score",
    "Suspect",
    "Task",
    "Usefulness",
    "assess",
    "drop_of",
    "found_boxes",
    "layer_noise",
    "load_evaluation",
    "make_task",
    "mean_average_precision",
    "metric_names",
    "run_float",
    "run_on_host",
    "run_quantized",
    "score",
]
