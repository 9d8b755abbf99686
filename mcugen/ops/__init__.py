"""Operators: one module each, or one per family of types, found by name in the packages of their families."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops import custom
from mcugen.ops.base import OpSpec


def registry() -> Mapping[str, tuple[OpSpec, ...]]:
    """The specs of all operators by their TFLite name, those of the user's own last (see `mcugen.ops.custom`)."""
    own = {op.kind: (op.spec,) for op in custom.current()}
    return {**builtin(), **own} if own else builtin()


@functools.cache
def builtin() -> Mapping[str, tuple[OpSpec, ...]]:
    """The specs of mcugen's own operators by their TFLite name, in alphabetical order.

    They are found in the packages of the families. Modules without a `SPEC` (one) or `SPECS` (several) hold what ops
    share. Of the specs of one operator, those for int8 come first, the others in the order of their modules' names.
    """
    specs: dict[str, tuple[OpSpec, ...]] = {}
    modules = [module.name for module in pkgutil.walk_packages(__path__, f"{__name__}.") if not module.ispkg]
    for name in sorted(modules, key=lambda name: name.rpartition(".")[2]):
        loaded = importlib.import_module(name)
        for spec in getattr(loaded, "SPECS", None) or filter(None, [getattr(loaded, "SPEC", None)]):
            specs[spec.kind] = (*specs.get(spec.kind, ()), spec)
    ordered = {kind: tuple(sorted(found, key=lambda spec: "int8" not in spec.types)) for kind, found in specs.items()}
    return MappingProxyType(dict(sorted(ordered.items())))


def select(kind: str, inputs: Sequence[Tensor | None]) -> OpSpec | None:
    """The spec for an operator with these inputs; None if there is no such operator here.

    Where none is for the inputs' type, it is the first: its constraints say what is wrong.
    """
    specs = registry().get(kind)
    if specs is None:
        return None
    position = specs[0].typed_by
    tensor = inputs[position] if position < len(inputs) else None
    return next((spec for spec in specs if tensor is not None and tensor.dtype.value in spec.types), specs[0])


def spec_of(graph: Graph, op: Op) -> OpSpec | None:
    """The spec for an op of a graph; None if there is no such operator here."""
    return select(op.kind, [graph.tensor(i) if i >= 0 else None for i in op.inputs])


def supported_spec(graph: Graph, op: Op) -> OpSpec:
    """The spec for an op of a graph that has passed `mcugen.runtimes.aot.supported.check_supported`."""
    spec = spec_of(graph, op)
    assert spec is not None, op.where
    return spec
