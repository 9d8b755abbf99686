"""The monitor as a local page: a small ASGI app that sends what devices tell over a WebSocket."""

from __future__ import annotations
