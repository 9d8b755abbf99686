"""Which of a file's computations is meant: `signature`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from mcugen.errors import ModelError

DEFAULT = "serving_default"
"""What TensorFlow calls the signature that is meant where none is named."""

_WHERE = "`signature`"
_ARROW = "->"
_given: ContextVar[str] = ContextVar("signature", default="")


def given_signature() -> str:
    """What the user gave; "" if nothing."""
    return _given.get()


@contextmanager
def using_signature(written: str | None) -> Iterator[None]:
    """Take the computation of this name, within; of a frozen graph that from tensors to tensors, "a,b->c"."""
    token = _given.set(written or "")
    try:
        yield
    finally:
        _given.reset(token)


def chosen_signature(names: Sequence[str], given: str) -> str:
    """The one that is given, or else the default or the only one.

    Raises:
        ModelError: there is none of this name, or several and none is the default.
    """
    known = ", ".join(sorted(names))
    if given and given not in names:
        raise ModelError(f"the model has no signature {given!r}", where=_WHERE, hint=f"Its signatures are: {known}")
    if given or DEFAULT in names or len(names) == 1:
        return given or (DEFAULT if DEFAULT in names else names[0])
    raise ModelError(
        f"the model has the signatures {known}, and none is called {DEFAULT}",
        hint=f"Say which one is meant: `signature={sorted(names)[0]!r}`",
    )


def between(given: str) -> tuple[list[str], list[str]]:
    """Names of the tensors that a frozen graph is cut at, from "a,b->c"; none where nothing is given.

    Raises:
        ModelError: it is not written so.
    """
    if not given:
        return [], []
    ends = [[name.strip() for name in part.split(",")] for part in given.split(_ARROW)]
    if len(ends) != 2 or not all(name for names in ends for name in names):
        raise ModelError(
            f"{given!r} does not say what a frozen graph computes from what",
            where=_WHERE,
            hint=f"Name tensors: `signature='input{_ARROW}output'`, several with commas between them",
        )
    return ends[0], ends[1]


def refuse_signature() -> None:
    """Refuse a name where there is nothing to choose from.

    Raises:
        ModelError: the user gave one.
    """
    if given_signature():
        raise ModelError("this kind of model has no signatures to choose from", where=_WHERE, hint="Omit it")
