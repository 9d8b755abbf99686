"""Mel-frequency cepstral coefficients: a cosine transform of the rows of `log_mel`."""

from __future__ import annotations

from mcugen.frontends.log_mel import parse_log_mel
from mcugen.frontends.types import FrontEnd, FrontEndSpec, Signal
from mcugen.toml_table import Table


def _parse(table: Table, signal: Signal) -> FrontEnd:
    return parse_log_mel(table, signal, mfcc=True)


SPEC = FrontEndSpec("mfcc", ("audio",), _parse)
