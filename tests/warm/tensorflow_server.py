"""Runs the worker that converts models in copies of a process that has imported TensorFlow.

    python -m tests.warm.tensorflow_server SOCKET

The copies are confined as the worker is; TensorFlow was imported outside, which tests/guard does otherwise.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import h5py  # noqa: F401
import keras  # noqa: F401
import tensorflow as tf
import tf_keras  # noqa: F401

from mcugen.guard import enter
from tests.warm.copies import serve


def _convert(request: Mapping[str, Any], files: Sequence[int]) -> int:
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["mcugen.guard.enter", *request["arguments"]]
    enter.main()
    return 0


if __name__ == "__main__":
    tf.lite.TFLiteConverter  # noqa: B018 (imported when first looked at)
    serve(sys.argv[1], _convert, dies_with_client=False)
