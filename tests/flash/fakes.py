"""Pretended tools and ports: programs that note their arguments and fail as told, and a list of serial ports."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

PYTHON = sys.executable
"""Of the tests, kept from tests that pretend another one."""


@dataclass(frozen=True)
class FakeTool:
    """A program in PATH. Every call appends its arguments to `log`."""

    path: Path
    log: Path

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


SCRIPT = """#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
{body}
sys.stdout.write({output!r})
sys.exit({code})
"""


def fake_tool(folder: Path, name: str, output: str = "", code: int = 0, body: str = "") -> FakeTool:
    """Put a program into `folder` that prints `output` and exits with `code`; `body` is Python that runs before."""
    tool = FakeTool(folder / name, folder / f"{name}.log")
    script = SCRIPT.format(python=PYTHON, log=str(tool.log), output=output, code=code, body=body)
    tool.path.write_text(script)
    tool.path.chmod(0o755)
    return tool


def fake_ports(monkeypatch: pytest.MonkeyPatch, ports: Sequence[tuple[str, str, str]]) -> None:
    """Pretend that this computer has these serial ports: (device, "VID:PID" or "", serial number)."""

    def comports() -> list[Any]:
        found = []
        for device, usb_id, serial in ports:
            vid, pid = (int(part, 16) for part in usb_id.split(":")) if usb_id else (None, None)
            facts = {"vid": vid, "pid": pid, "serial_number": serial or None, "description": "n/a"}
            found.append(SimpleNamespace(device=device, **facts))
        return found

    monkeypatch.setattr("serial.tools.list_ports.comports", comports)
