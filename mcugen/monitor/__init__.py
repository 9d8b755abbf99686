"""Watching devices at work: what they are fed, what they answer, what is wrong with it; recorded and replayed."""

from __future__ import annotations
