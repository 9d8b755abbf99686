"""Every MISRA C:2012 guideline that the C deviates from: what the guideline is about, and why the code is as it is.

The guidelines are told in our own words; their texts are MISRA's. A finding of any other guideline is undocumented.
"""

from __future__ import annotations

from collections.abc import Mapping

DEVIATIONS: Mapping[str, tuple[str, str]] = {
    "2.2": ("Dead code", "The generated conversion of outputs subtracts the zero point, also where it is 0."),
    "2.3": (
        "Unused type definitions",
        "Array types of one or -1 elements are static assertions, which C99 has no other form of.",
    ),
    "2.4": (
        "Unused tags",
        "Element types are an enumeration of the interface, whose constants a user may compare with.",
    ),
    "2.5": (
        "Unused macros",
        "Sizes of inputs, outputs and arena are macros of the interface, for the user's own declarations; "
        "kernels share headers, of which a model need not use every macro.",
    ),
    "2.7": (
        "Unused parameters",
        "A portable form of a function has the parameters of its form for another core. In contexts, an op "
        "whose output is its input has nothing to do.",
    ),
    "8.7": ("External linkage without need", "They are the interface, which the user's code calls."),
    "8.9": (
        "Objects at file scope that one function uses",
        "Weights and tables of a layer stand before its function with a comment on their layout: inside, "
        "thousands of numbers would hide the calls.",
    ),
    "10.1": (
        "Operands of inappropriate types",
        "Fixed-point arithmetic shifts signed values to the right. That the compiler does so with the sign is "
        "asserted at compile time (mcg_common.h).",
    ),
    "10.3": (
        "Assignments to a narrower type",
        "Values are clamped to the narrower type's range before they are assigned.",
    ),
    "10.4": (
        "Operands of different types",
        "Sums of a signed 32-bit value and a narrower one: both become int, without a change of value.",
    ),
    "10.6": (
        "A sum assigned to a wider type",
        "The sum cannot leave its own type: its operands' ranges are known when the code is generated.",
    ),
    "10.8": (
        "Casts of a whole expression to a wider type, or to another sign",
        "Arithmetic modulo 2^32 is made with unsigned numbers and turned back. That this keeps the bits is "
        "asserted at compile time (mcg_common.h).",
    ),
    "11.3": (
        "Casts between pointers to different types",
        "Words of four bytes are read from tensors of bytes, whose addresses the planner aligns; the "
        "compilers named in mcg_compiler.h do not see where the address comes from.",
    ),
    "11.4": (
        "Casts between pointers and integers",
        "Addresses of a window's columns are kept as integers, to which one vector load adds its offsets.",
    ),
    "11.5": (
        "Pointers to void become pointers to objects",
        "All tensors of a model lie in one array of bytes; the planner gives each its address, aligned for "
        "its type, and a second program checks it.",
    ),
    "12.1": (
        "Parentheses that show precedence",
        "Sums of products, and comparisons of sums, are written as in mathematics.",
    ),
    "12.3": (
        "The comma operator",
        "Two declarations on one line, of values that belong together. The checker takes the comma between "
        "them for the operator.",
    ),
    "13.3": (
        "Increments beside other effects",
        "*pointer++ reads a value and goes on to the next: the innermost loops read the same memory once, in order.",
    ),
    "13.4": ("The value of an assignment", "Two elements get one value."),
    "14.2": (
        "Well-formed for loops",
        "Loops over windows advance several positions in step, all by the loop's own clause.",
    ),
    "14.4": ("Conditions that are not of Boolean type", "Flags of parameters are int32_t, 0 or 1."),
    "15.5": (
        "Several returns in one function",
        "Short functions return where the result is known; there is nothing to release.",
    ),
    "15.7": ("else if without a final else", "In the remaining case there is nothing to do."),
    "17.7": ("Results that are not used", "memcpy, memset and memmove return their first argument."),
    "17.8": (
        "Parameters that are changed",
        "Pointers that were passed advance through the tensor; copies of them would be one more name for the same.",
    ),
    "18.4": (
        "Arithmetic on pointers",
        "Kernels walk through tensors, whose sizes and bounds the generator fixed; indices would cost "
        "registers that the smallest cores do not have.",
    ),
    "20.5": ("#undef", "A header's own macro does not outlive it."),
    "20.7": (
        "Parentheses around macro parameters",
        "Parameters are names of variables, statements, or pieces of assembly, which cannot stand in parentheses.",
    ),
    "20.10": (
        "# and ##",
        "Assembly for several cores is put together of texts, and functions of one shape get their names by it.",
    ),
}
"""Rule → what it is about, and why the code deviates."""
