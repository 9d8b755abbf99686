"""`mcugen doctor`: which of the tools that mcugen uses are installed, and how to install the others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mcugen import __version__
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import as_options

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.flow.doctor import Finding


@dataclass(frozen=True, repr=False)
class Diagnosis(Brief):
    """What was found of every tool."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """The main job (build, emulate, verify) can be done."""
        return all(finding.found for finding in self.findings if finding.required)

    @property
    def exit_code(self) -> int:
        return 0 if self.healthy else 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "mcugen.doctor/1",
            "mcugen": __version__,
            "healthy": self.healthy,
            "findings": [asdict(finding) for finding in self.findings],
        }


def doctor() -> Diagnosis:
    """Look for compilers, emulators, PlatformIO, the oracle, TensorFlow, flashing tools and serial ports."""
    from mcugen.flow import doctor as tools

    return Diagnosis(tuple(tools.doctor()))


def command(json: options.Json = False) -> int:
    """Check which tools are installed and how to install the missing ones."""
    from mcugen.ui.terminal import Terminal

    terminal = Terminal(json, as_options)
    with terminal.progress() as progress:
        progress("looking for tools", -1.0)
        result = doctor()
    return terminal.show(result, lambda console: _render(console, result))


def _render(console: Console, result: Diagnosis) -> None:
    from rich.table import Table
    from rich.text import Text

    from mcugen.text import plain
    from mcugen.ui.terminal import say_verdict

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for finding in result.findings:
        if finding.found:
            mark = Text("✔", style="green")
            facts = " · ".join(part for part in (finding.version, finding.path) if part)
        else:
            mark = Text("✖", style="red") if finding.required else Text("–", style="dim")
            facts = finding.problem or "not found"
        table.add_row(mark, plain(finding.name), plain(facts))
        if not finding.found:
            table.add_row("", "", Text(plain(f"for {finding.needed_for}; {finding.install}"), style="dim"))
    console.print(table)
    console.print()
    missing = [finding.name for finding in result.findings if finding.required and not finding.found]
    text = f"missing: {', '.join(missing)}" if missing else "all required tools are installed"
    say_verdict(console, result.healthy, text)
