"""Ops with weights: convolutions and matrix products."""
