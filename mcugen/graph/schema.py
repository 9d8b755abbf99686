"""The generated TFLite schema classes, from whichever installed package carries them.

`tflite-micro` is the usual source (it is a dependency where it has a wheel); LiteRT and TensorFlow
carry the same generated module.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from mcugen.errors import ToolError

_CANDIDATES = (
    "tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
    "ai_edge_litert.schema_py_generated",
    "tensorflow.lite.python.schema_py_generated",
)


def load_schema() -> ModuleType:
    """The module with `Model`, `ModelT`, `BuiltinOperator`, `TensorType` and the rest.

    Raises:
        ToolError: no installed package carries the schema.
    """
    for name in _CANDIDATES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ToolError(
        "no installed package carries the TFLite schema",
        hint="Install one: pip install tflite-micro (Linux x86-64) or pip install ai-edge-litert",
    )
