"""Shapes that the user gives for inputs whose dimensions a model leaves open: `input_shape`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from mcugen.errors import ConversionError, ModelError

Shapes = Mapping[str, tuple[int, ...]]
"""By name of the input; "" is the only one."""

_given: ContextVar[Shapes | None] = ContextVar("input_shapes", default=None)
_WRITTEN = re.compile(r"(?:(?P<name>.+)=)?(?P<shape>[0-9]+(?:,[0-9]+)*)")
_MOST = 1 << 24


def given_shapes() -> Shapes:
    """What the user gave; nothing if nothing."""
    return _given.get() or {}


@contextmanager
def using_shapes(written: str | Sequence[str] | None) -> Iterator[None]:
    """Give open dimensions their sizes, within.

    Args:
        written: "NAME=1,96,96,3", or several such; the name may be left out where a model has one input.

    Raises:
        ModelError: it cannot be read.
    """
    texts = [] if written is None else [written] if isinstance(written, str) else list(written)
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        found = _WRITTEN.fullmatch(text.replace(" ", ""))
        shape = tuple(int(size) for size in found["shape"].split(",")) if found else ()
        if found is None or not all(0 < size <= _MOST for size in shape):
            raise ModelError(
                f"{text!r} is no shape of an input",
                where="`input_shape`",
                hint="Write it as NAME=1,96,96,3, batch first",
            )
        shapes[found["name"] or ""] = shape
    token = _given.set(shapes)
    try:
        yield
    finally:
        _given.reset(token)


def fixed_shape(
    name: str, shape: Sequence[int | None], given: Mapping[str, Sequence[int]], *, hint: str = ""
) -> tuple[int, ...]:
    """The shape of an input without open dimensions: as given by the user, or else with a batch of 1.

    Args:
        shape: the model's, None where a dimension is open.
        hint: how else the model could get a fixed shape.

    Raises:
        ConversionError: an inner dimension is open and nothing given, or what is given does not fit.
    """
    where = f'input "{name}"'
    said = f"has the shape {list(shape)}"
    wanted = given.get(name, given.get(""))
    if wanted is None:
        if None in shape[1:]:
            example = ",".join(
                "1" if d is None and n == 0 else "N" if d is None else str(d) for n, d in enumerate(shape)
            )
            raise ConversionError(
                f"{said}: only the batch (the first dimension) may be left open",
                where=where,
                hint=f'Say it with `input_shape="{name}={example}"`, a number for each N'
                + (f", or {hint}" if hint else ""),
            )
        return tuple(1 if d is None else d for d in shape)
    if len(wanted) != len(shape) or any(d is not None and d != w for d, w in zip(shape, wanted, strict=True)):
        raise ConversionError(
            f"{said}, which {','.join(map(str, wanted))} does not fit",
            where=where,
            hint="Give as many dimensions, batch first, and those that the model states as they are",
        )
    return tuple(wanted)


def check_names(names: Sequence[str], given: Mapping[str, Sequence[int]]) -> None:
    """Refuse shapes for inputs that a model does not have.

    Raises:
        ModelError: an unknown name, or none where there are several inputs.
    """
    unknown = [name for name in given if name not in names and (name or len(names) != 1)]
    if unknown:
        what = f"the model has no input {unknown[0]!r}" if unknown[0] else "the model has several inputs"
        raise ModelError(what, where="`input_shape`", hint=f"Its inputs are: {', '.join(names)}")
