"""Numbers to categories: which bucket a value lies in, or which of some tokens it is.

As a number, or as ones and zeros. What Keras' Discretization and CategoryEncoding compute. In integers but for the
comparison with boundaries, which is exact.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from mcugen.frontends.emitting import COMMON_HEADERS, config_text, const_array, state_size_check
from mcugen.frontends.types import Array, EmittedFrontEnd, FrontEnd, FrontEndSpec, Rows, Signal, Streaming
from mcugen.toml_table import Table

OUTPUTS = ("index", "one_hot", "multi_hot", "count")
_MOST_TOKENS = 4096
_MOST = 3e38


@dataclass(frozen=True)
class Categories:
    """`boundaries` are float32 and ascending; none where a value is itself the number of its category.

    Attributes:
        tokens: how many categories there are.
        output: "index": a number per column; "one_hot": ones and zeros per column; "multi_hot" and "count": one for
            all columns, which categories there are, or how often.
    """

    signal: Signal
    boundaries: tuple[float, ...]
    tokens: int
    output: str

    def rows(self) -> Rows:
        channels = self.signal.channels
        if self.output == "index":
            return Rows((channels,), "uint8" if self.tokens <= 256 else "uint16", 1, 1)
        apart = self.output == "one_hot" and channels > 1
        return Rows((channels, self.tokens) if apart else (self.tokens,), "uint8", 1, 1)

    def reference(self) -> Streaming:
        return _Reference(self)

    def emitted(self, name: str = "mcg_front") -> EmittedFrontEnd:
        rows = self.rows()
        fields = {
            "boundaries": f"{name}_boundaries" if self.boundaries else "0",
            "count": len(self.boundaries),
            "tokens": self.tokens,
            "channels": self.signal.channels,
            "row_bytes": rows.values * np.dtype(rows.dtype).itemsize,
            "type": f"MCG_FE_{self.signal.dtype.upper()}",
            "output": f"MCG_FE_CATEGORIES_{self.output.upper()}",
            "wide": int(rows.dtype == "uint16"),
        }
        listed = ",\n".join(f"    .{key} = {value}" for key, value in fields.items())
        config = config_text(
            const_array(f"{name}_boundaries", np.array(self.boundaries, np.float32)) if self.boundaries else "",
            f"static const mcg_fe_categories {name} = {{\n{listed},\n}};",
            f"static mcg_fe_categories_state {name}_state;",
            state_size_check(name, "mcg_fe_categories_state", 4),
        )
        return EmittedFrontEnd("mcg_fe_categories.h", COMMON_HEADERS, config, "categories", 4, 0, 0.0)


class _Reference:
    def __init__(self, front_end: Categories) -> None:
        self._fe = front_end

    def reset(self) -> None:
        pass

    def push(self, frames: Array) -> Array:
        fe, rows = self._fe, self._fe.rows()
        if fe.boundaries:
            limits = np.array(fe.boundaries, np.float32)
            # Not searchsorted, which puts NaN behind the last one.
            found = (frames.astype(np.float32)[..., np.newaxis] >= limits).sum(axis=-1)
        else:
            found = frames.astype(np.int64)
        if fe.output == "index":
            return np.asarray(found.astype(rows.dtype))
        ones = (found[..., np.newaxis] == np.arange(fe.tokens)).astype(np.uint8)
        if fe.output == "multi_hot":
            return np.asarray(ones.max(axis=1))
        if fe.output == "count":
            return np.asarray(ones.sum(axis=1, dtype=np.uint8))
        return np.asarray(ones.reshape(len(frames), *rows.shape))


def _parse(table: Table, signal: Signal) -> FrontEnd:
    boundaries: tuple[float, ...] = ()
    if table.has("boundaries"):
        given = table.numbers("boundaries", -_MOST, _MOST)
        boundaries = tuple(float(value) for value in np.array(given, np.float32))
        if not 1 <= len(boundaries) < _MOST_TOKENS:
            raise table.error("boundaries", f"has {len(boundaries)} numbers, not between 1 and {_MOST_TOKENS - 1}")
        if any(low >= high for low, high in itertools.pairwise(boundaries)):
            raise table.error("boundaries", "do not ascend as float32 numbers")
        tokens = table.integer("tokens", len(boundaries) + 1, _MOST_TOKENS, len(boundaries) + 1)
        output = table.choice("output", OUTPUTS, "index")
    else:
        if signal.dtype == "float32":
            raise table.error("boundaries", "is missing: float32 values are no numbers of categories")
        tokens = table.integer("tokens", 1, _MOST_TOKENS)
        output = table.choice("output", OUTPUTS[1:], "multi_hot")
    if output == "count" and signal.channels > 255:
        raise table.error("output", f'"count" is for up to 255 columns, not {signal.channels}')
    return Categories(signal, boundaries, tokens, output)


SPEC = FrontEndSpec("categories", ("table", "motion"), _parse)
