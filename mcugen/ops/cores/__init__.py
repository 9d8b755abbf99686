"""Kernel variants of the cores, one module each."""
