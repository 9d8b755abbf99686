"""The public Python interface: every verb of the command line as a function of the same name.

    from mcugen import api

    result = api.deploy("model.keras", board="mps2-an386", data="samples.npz")
    assert result.verdict.bit_exact

Functions are loaded at their first use, so importing this module costs nothing. They raise
:class:`mcugen.errors.McugenError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mcugen.verbs import verb_function, verb_names

if TYPE_CHECKING:  # the same names, for type checkers and editors
    from mcugen.verbs.boards import boards as boards
    from mcugen.verbs.build import build as build
    from mcugen.verbs.calibrate import calibrate as calibrate
    from mcugen.verbs.ci import ci as ci
    from mcugen.verbs.deploy import deploy as deploy
    from mcugen.verbs.doctor import doctor as doctor
    from mcugen.verbs.evaluate import evaluate as evaluate
    from mcugen.verbs.export import export as export
    from mcugen.verbs.fit import fit as fit
    from mcugen.verbs.flash import flash as flash
    from mcugen.verbs.generate import generate as generate
    from mcugen.verbs.head import head as head
    from mcugen.verbs.inspect import inspect as inspect
    from mcugen.verbs.monitor import monitor as monitor
    from mcugen.verbs.new import new as new
    from mcugen.verbs.push import push as push
    from mcugen.verbs.quantize import quantize as quantize
    from mcugen.verbs.replay import replay as replay
    from mcugen.verbs.run import run as run
    from mcugen.verbs.serve import serve as serve
    from mcugen.verbs.sweep import sweep as sweep
    from mcugen.verbs.transfer import transfer as transfer
    from mcugen.verbs.verify import verify as verify


if not TYPE_CHECKING:  # where type checkers saw this, a misspelt verb would be an Any to them

    def __getattr__(name: str) -> Callable[..., Any]:
        if name in verb_names():
            return verb_function(name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(verb_names())
