"""What front ends write their C with."""

from __future__ import annotations

import numpy as np

from mcugen.emit.c_text import initializer
from mcugen.frontends.types import C_TYPES, Array

COMMON_HEADERS = ("mcg_fe_common.h", "mcg_compiler.h")
"""What every front end's header includes, of `firmware/frontends/` and `firmware/kernels/`."""


def config_text(*parts: str) -> str:
    """Declarations in order, a line between them; empty ones are left out."""
    return "\n".join(part for part in parts if part) + "\n"


def const_array(name: str, values: Array) -> str:
    """A constant table, in flash."""
    values = np.asarray(values)
    assert values.size > 0, name
    return (
        f"static const {C_TYPES[values.dtype.name]} {name}[{values.size}] = {{\n{initializer(values, '    ', 100)}\n}};"
    )


def memory(name: str, dtype: str, count: int) -> str:
    """An array in RAM, zero at the start."""
    return f"MCG_ALIGNED static {C_TYPES[dtype]} {name}[{count}];"


def scratch(name: str, size: int) -> str:
    """Memory that is used only within a push, and the expression `NAME_SCRATCH` for it."""
    macro = f"{name}_SCRATCH"
    return (
        "#ifdef MCG_FRONT_SCRATCH\n"
        f"#define {macro} MCG_FRONT_SCRATCH\n"
        "#else\n"
        f"MCG_ALIGNED static uint8_t {name}_scratch[{size}];\n"
        f"#define {macro} {name}_scratch\n"
        "#endif"
    )


def state_size_check(name: str, struct: str, size: int) -> str:
    """The struct of the state is as large as planned, on a 32-bit core."""
    return f"typedef char {name}_state_is_as_planned[sizeof(void *) != 4 || sizeof({struct}) == {size} ? 1 : -1];"
