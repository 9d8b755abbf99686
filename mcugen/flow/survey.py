"""`mcugen inspect --fallback`: the ops of a model that do not run, and alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcugen import __version__
from mcugen.errors import UnsupportedOpError
from mcugen.flow.custom_ops import takes_custom_ops
from mcugen.flow.within import takes_trust
from mcugen.ops.advice import ways
from mcugen.runtimes.aot.supported import Missing, missing_ops
from mcugen.text import Brief
from mcugen.tflite.opened import OpenedModel


def survey(source: object, *, quantize: bool = True) -> tuple[str, int, tuple[Missing, ...]]:
    """(the model's name, its number of ops, those that are missing) of a model file or object.

    Args:
        source: as :func:`mcugen.convert.convert` takes it.
        quantize: a float model is to become int8; False: it stays float32.

    Raises:
        ModelError, ConversionError, ToolError: the model cannot be read, or not converted to `.tflite`.
    """
    from mcugen.convert.inspect_source import inspect_model
    from mcugen.convert.load import load_tflite
    from mcugen.convert.plain import plain_float
    from mcugen.convert.quantizer import without_rule
    from mcugen.convert.sources import identify
    from mcugen.flow.first_layers import behind_front_end
    from mcugen.outputs import temporary_folder
    from mcugen.runtimes.aot.graph import read_graph

    with temporary_folder() as folder:
        behind = behind_front_end(source, folder, None, "needed", None)
        found = identify(behind.source)
        model = load_tflite(found).model
    try:
        inspection = inspect_model(model)
    except UnsupportedOpError:
        quantize = False  # an op of TensorFlow's or a custom one: nothing can be said about its int8 form
    else:
        quantize = quantize and inspection.form != "quantized"
    count = len(model.main.operators)
    if not quantize:
        return found.name, count, missing_ops(read_graph(model, found.name))
    plain = plain_float(model, inspection, for_int8=True).model
    return found.name, count, tuple(_unquantizable(plain, i) for i in without_rule(plain.schema))


def _unquantizable(model: OpenedModel, index: int) -> Missing:
    from mcugen.tflite import fields as flat

    op = model.main.operators[index]
    kind, name = flat.kind_of(model.schema, op), flat.layer_of_op(model.main, op)
    return Missing(index, kind, name, "it has no int8 form here", "", ways(kind, quantizing=True))


@dataclass(frozen=True, repr=False)
class Fallback(Brief):
    """What of a model does not run ahead of time. `exit_code` is 1 if there is anything."""

    name: str
    source: str
    ops: int
    missing: tuple[Missing, ...]

    @property
    def exit_code(self) -> int:
        return 1 if self.missing else 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "mcugen.fallback/1",
            "mcugen": __version__,
            "model": {"name": self.name, "source": self.source, "ops": self.ops},
            "missing": [asdict(missing) for missing in self.missing],
        }


@takes_custom_ops
@takes_trust
def find_fallbacks(
    model: object,
    *,
    quantize: bool = True,
    custom_ops: Sequence[str] = (),
    trust_model: bool = False,
    custom_objects: str | Path | None = None,
    input_shape: str | Sequence[str] | None = None,
    signature: str | None = None,
) -> Fallback:
    """Every op of a model that does not run, with alternatives; nothing is quantized or planned.

    Args:
        model: a model file, a SavedModel folder, or a Keras object.
        quantize: False: a float model is to stay float32.
        custom_ops: kernels of the user's own.

    Raises:
        McugenError: the model cannot be read.
    """
    from mcugen.flow.model import naming, source_name

    with naming(model):
        name, count, missing = survey(model, quantize=quantize)
    return Fallback(name, source_name(model), count, missing)
