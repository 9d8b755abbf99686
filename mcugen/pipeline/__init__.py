"""From sensor to decision: a front end, a model and a decision, as a pipeline file names them.

Training takes its rows from the very front end that is deployed::

    from mcugen import pipeline

    app = pipeline.read_pipeline("pipeline.toml")
    rows = app.rows(samples)       # (n, …): what the model is trained on
    windows = app.windows(samples) # (n, rows, …): the same, cut as the device does
"""

from __future__ import annotations

from mcugen.pipeline.read import is_pipeline_file, read_pipeline
from mcugen.pipeline.types import Pipeline

__all__ = ["Pipeline", "is_pipeline_file", "read_pipeline"]
