"""`mcugen inspect --fallback`: the ops of a model that do not run, and what would work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mcugen import __version__
from mcugen.fallback import Missing
from mcugen.verbs._custom import takes_custom_ops


@dataclass(frozen=True)
class Fallback:
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
def find_fallbacks(model: object, *, quantize: bool = True, custom_ops: Sequence[str] = ()) -> Fallback:
    """Every op of a model that does not run, with what would work; nothing is quantized or planned.

    Args:
        model: a model file, a SavedModel folder, or a Keras object.
        quantize: False: a float model is to stay float32.
        custom_ops: kernels of the user's own.

    Raises:
        McugenError: the model cannot be read.
    """
    from mcugen.fallback import survey
    from mcugen.verbs._pipeline import naming, source_name

    with naming(model):
        name, count, missing = survey(model, quantize=quantize)
    return Fallback(name, source_name(model), count, missing)
