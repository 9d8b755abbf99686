"""The assess stage: how right a quantized model is, with and without labels, and at which layer it loses accuracy."""

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
    Run,
    Score,
    Suspect,
    Task,
)

__all__ = [
    "Assessment",
    "BeforeAfter",
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
    "Run",
    "Score",
    "Suspect",
    "Task",
    "assess",
    "drop_of",
    "layer_noise",
    "load_evaluation",
    "make_task",
    "metric_names",
    "run_float",
    "run_on_host",
    "run_quantized",
    "score",
]
