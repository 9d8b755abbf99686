"""A trace is taken once of the same firmware with the same input; whatever changes, it is taken anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcugen.builder.kept import KEEP_VARIABLE
from mcugen.cost import kept, record
from mcugen.device.connecting import open_device

pytestmark = pytest.mark.emulator


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The firmware that was started."""
    started: list[Path] = []

    def counted(elf: Path, *arguments: Any, **options: Any) -> Any:
        started.append(elf)
        return open_device(elf, *arguments, **options)

    plugin = record.plugin()  # of the usual cache
    monkeypatch.setattr(record, "plugin", lambda architecture: plugin)
    monkeypatch.setattr(record, "open_device", counted)
    monkeypatch.setenv("MCUGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(KEEP_VARIABLE)
    return started


def test_the_second_time_nothing_runs(traced: Any, runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    found = traced("mps2-an386")
    first, second = found.again(), found.again()
    assert first == second
    assert len(runs) == 1
    monkeypatch.setenv(KEEP_VARIABLE, "0")
    assert found.again().instructions == first.instructions
    assert len(runs) == 2


def test_another_input_and_a_damaged_file_are_traced(traced: Any, runs: list[Path], tmp_path: Path) -> None:
    found = traced("mps2-an386")
    first = found.again()
    (lines,) = (tmp_path / "cache" / "traces").glob("*/trace")
    lines.write_bytes(lines.read_bytes().replace(b"B ", b"B 1", 1))
    assert found.again() == first
    assert len(runs) == 2
    other = [values + 1 for values in found.sample]
    record.record(found.ready.firmware, found.ready.board, other, found.fronts)
    assert len(runs) == 3
    record.record(found.ready.firmware, found.ready.board, found.sample, found.fronts[:1])
    assert len(runs) == 4


def test_names_follow_all_that_a_trace_depends_on(traced: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEEP_VARIABLE)
    found = traced("mps2-an386")
    firmware, board, sample = found.ready.firmware, found.ready.board, found.sample
    plain = kept.trace_key(firmware, board, sample, [("nth", "2")])
    assert plain == kept.trace_key(firmware, board, sample, [("nth", "2")])
    qemu = tmp_path / "qemu"
    qemu.write_text("another")
    names = {
        plain,
        kept.trace_key(firmware, board, sample, [("nth", "3")]),
        kept.trace_key(firmware, board, [values.reshape(-1) for values in sample], [("nth", "2")]),
        kept.trace_key(firmware, traced("microbit").ready.board, sample, [("nth", "2")]),
        kept.trace_key(traced("microbit").ready.firmware, board, sample, [("nth", "2")]),
    }
    monkeypatch.setattr(kept, "find_qemu", lambda architecture: str(qemu))
    names.add(kept.trace_key(firmware, board, sample, [("nth", "2")]))
    assert len(names) == 6
