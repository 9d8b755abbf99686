"""Two references at once: a device is compared with what both say."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import ModelError
from mcugen.oracle.oracle import Reference
from mcugen.verify.compare import compare


class _Opened(Reference, AbstractContextManager[Any], Protocol):
    """A reference that is open."""


class Witnesses:
    """The first reference's results, which the others must share: float32 within its tolerance, all else bit for bit.

    Use as a context manager, which closes them.

    Args:
        references: at least one, of the same model.
    """

    def __init__(self, references: Sequence[_Opened]) -> None:
        self._references = references
        self.name = " and ".join(reference.name for reference in references)
        self.unverified = references[0].unverified

    def __enter__(self) -> Witnesses:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as closing:
            for reference in self._references:
                closing.push(reference.__exit__)

    def forget(self) -> None:
        """Start the model afresh."""
        for reference in self._references:
            reference.forget()

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """One inference.

        Raises:
            ModelError: the references do not agree.
        """
        return self._agreed([reference.run(inputs) for reference in self._references], "output")

    def tensors(self, inputs: Sequence[NDArray[Any]], ids: Sequence[int]) -> list[NDArray[Any]]:
        """One inference: intermediate tensors by tensor id.

        Raises:
            ModelError: the references do not agree.
        """
        return self._agreed([reference.tensors(inputs, ids) for reference in self._references], "tensor", ids)

    def _agreed(
        self, said: Sequence[list[NDArray[Any]]], what: str, ids: Sequence[int] | None = None
    ) -> list[NDArray[Any]]:
        first = said[0]
        for reference, other in zip(self._references[1:], said[1:], strict=True):
            for n, (one, two) in enumerate(zip(first, other, strict=True)):
                differing = _differing(one, two.reshape(one.shape))
                if differing:
                    where = f"{what} {n if ids is None else ids[n]}"
                    names = f"{self._references[0].name} and {reference.name}"
                    raise ModelError(
                        f"the references disagree: {differing} of {one.size} values of {where} differ between {names}",
                        hint="One of them is wrong: report this as a bug. `reference` chooses one of them",
                    )
        return first


def _differing(one: NDArray[Any], two: NDArray[Any]) -> int:
    """Values that do not count as equal; all, if the types are not the same."""
    if one.dtype != two.dtype:
        return one.size
    return compare(two, one, tolerant=one.dtype == np.float32).differing
