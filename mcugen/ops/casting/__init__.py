"""Ops that change the type of values."""
