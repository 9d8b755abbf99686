"""Cycles, time and energy of an inference, without the board: trace → timing → cost.

A *trace* is what one inference executes on an emulated core, counted exactly. The core's *timing* makes cycles of it,
by the rules of its manual. A board's clock, flash and power make *costs* of those.
"""
