"""Ops that keep state or run other graphs."""
