"""Devices at work on a terminal: a live picture, or a line per inference where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mcugen.convert.data_specs import sample_shape
from mcugen.cost.types import Bounds
from mcugen.monitor.types import Facts, Message, Note, Opened, Reading, microjoules, milliseconds, predictions
from mcugen.text import bar, number, plain
from mcugen.ui.cost import energy_text
from mcugen.ui.terminal import grid, in_words, say_note

if TYPE_CHECKING:
    from mcugen.monitor.state import DeviceState, State

_FRAME_S = 0.125
_LABEL_WIDTH = 20
_LONGEST_BAR = 50
_LEVELS = "▁▂▃▄▅▆▇█"
_MAX_IMAGE_ROWS = 16
_MAX_IMAGE_COLUMNS = 64
_SMALL_IMAGE = 16
_LOG_LINES = 5
_STYLES = {"lost": "bold red", "back": "green", "warning": "yellow", "over": "green", "event": "bold cyan"}
_MARKS = {"lost": "✖", "back": "✔", "warning": "!", "over": "✔", "event": "»"}


class View(Protocol):
    """Shows what devices tell."""

    def show(self, message: Message | None, state: State) -> None:
        """Called after `state` has taken the message, and with None every moment in which nothing comes."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class LineView:
    """A line per inference on stdout; what happens otherwise as well, or on stderr alone where `quiet`."""

    def __init__(self, out: Console, err: Console, *, quiet: bool) -> None:
        self._out, self._err, self._quiet = out, err, quiet

    def close(self) -> None:
        """Lines stay."""

    def show(self, message: Message | None, state: State) -> None:
        if message is None:
            return
        facts = state.devices[message.device].facts
        several = f"{facts.device}  " if len(state.devices) > 1 else ""
        console = self._err if self._quiet else self._out
        if isinstance(message, Opened):
            for note in facts.notes:
                say_note(console, f"{several}{note}")
        elif isinstance(message, Note):
            console.print(_NoteLine(message, several), soft_wrap=True)
        elif not self._quiet:
            console.print(Text(plain(several + _reading_line(facts, message))), soft_wrap=True)


class LiveView:
    """The last inference, charts and warnings of every device, drawn anew several times a second."""

    def __init__(self, console: Console, ending: str) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop")
        self._ending, self._console, self._drawn = ending, console, 0.0

    def close(self) -> None:
        self._live.stop()

    def show(self, message: Message | None, state: State) -> None:
        if time.monotonic() - self._drawn < _FRAME_S and not isinstance(message, Note):
            return
        if not self._live.is_started:
            self._live.start()
        self._live.update(picture(state, self._console.width, self._ending), refresh=True)
        self._drawn = time.monotonic()


def picture(state: State, width: int, ending: str) -> RenderableType:
    """All devices, one under the other, in `width` columns."""
    parts: list[RenderableType] = []
    for device in state.devices.values():
        parts += [_device(device, width, with_input=len(state.devices) == 1), Text()]
    return Group(*parts, Text(ending, style="dim"))


def show_summary(console: Console, state: State) -> None:
    """What was seen, after the end."""
    for device in state.devices.values():
        facts = device.facts
        rows: list[tuple[str, str | Text]] = [
            ("device", f"{facts.device} · {facts.model} · {facts.runtime}"),
            ("inputs", facts.feed),
            ("inferences", number(device.count)),
        ]
        if device.count:
            rows.append(("cost", _spread(device)))
        if device.classes:
            most = device.classes.most_common(5)
            rows.append(("classes", ", ".join(f"{plain(name)} {number(count)}" for name, count in most)))
        if device.events:
            rows.append(("events", number(device.events)))
        if device.reconnects:
            rows.append(("reconnected", f"{device.reconnects} time{'s' * (device.reconnects != 1)}"))
        console.print(grid(rows))
        for text in device.warned.values():
            say_note(console, text)


# ---- lines


def _reading_line(facts: Facts, reading: Reading) -> str:
    found = predictions(facts, reading, 1)
    answer = f"{found[0].label} {_value(found[0].value, found[0].is_probability)}" if found else _raw(reading, 6)
    return f"{reading.number:>6}  sample {reading.sample.number}  {answer}  {_cost(facts, reading.cost)}"


@dataclass(frozen=True)
class _NoteLine:
    """What happened and when; the console's words for it are known only where it is drawn."""

    note: Note
    prefix: str = ""

    def __rich_console__(self, console: Console, _options: ConsoleOptions) -> Iterator[Text]:
        note = self.note
        clock = time.strftime("%H:%M:%S", time.localtime(note.time))
        line = Text(f"{_MARKS[note.kind]} ", style=_STYLES[note.kind])
        text = " ".join((f"over: {note.text}" if note.kind == "over" else note.text).split())
        yield line.append(f"{clock}  {in_words(console, self.prefix + text)}", style="default")


def _cost(facts: Facts, cost: int) -> str:
    return f"{number(cost)} {facts.unit}" + (
        f" ({_time(facts, cost)})" if milliseconds(facts, cost) is not None else ""
    )


def _time(facts: Facts, cost: int) -> str:
    """Time and energy of a cost whose time is known."""
    ms, energy = milliseconds(facts, cost) or 0.0, microjoules(facts, cost)
    said = f"{'' if facts.counts_time else '≈ '}{ms:.3g} ms"
    return said if energy is None else f"{said} · {energy_text(Bounds(energy, energy, energy))}"


def _spread(device: DeviceState) -> str:
    low, high = device.lowest_cost, device.highest_cost
    if low == high:
        return f"{_cost(device.facts, low)}, always the same"
    return f"{number(low)} to {_cost(device.facts, high)}, {number(device.total_cost // device.count)} on average"


def _value(value: float, is_probability: bool) -> str:
    return f"{100 * value:.1f} %" if is_probability else f"{value:.4g}"


def _raw(reading: Reading, count: int) -> str:
    """The first values of the first output, as they are."""
    values = reading.outputs[0].reshape(-1)
    shown = " ".join(f"{v:.4g}" if values.dtype.kind == "f" else str(v) for v in values[:count].tolist())
    return f"[{shown}{' …' if len(values) > count else ''}]"


# ---- picture


def _device(device: DeviceState, width: int, *, with_input: bool) -> RenderableType:
    facts, last = device.facts, device.last
    parts: list[RenderableType] = [_title(device)]
    if last is None:
        parts.append(Text("  waiting for the first answer", style="dim"))
    else:
        body = Table.grid(padding=(0, 2))
        body.add_column(style="dim", no_wrap=True, width=8)
        body.add_column(no_wrap=True, overflow="ellipsis")
        inner = width - 10
        for name, cell in _rows(device, last, inner):
            body.add_row(name, cell)
        if with_input:
            body.add_row("input", _input(facts, last, inner))
        parts.append(body)
    for text in device.warnings.values():
        parts.append(Text("! ", style="bold yellow").append(plain(text), style="not bold yellow"))
    parts += [_NoteLine(note) for note in list(device.log)[-_LOG_LINES:]]
    return Group(*parts)


def _title(device: DeviceState) -> RenderableType:
    facts = device.facts
    line = Table.grid(expand=True)
    line.add_column(no_wrap=True, overflow="ellipsis")
    line.add_column(justify="right", no_wrap=True)
    name = Text(plain(facts.model), style="bold")
    name.append(plain(f" on {facts.device} · {facts.runtime}"), style="not bold")
    if device.connected:
        rate = device.rate()
        count = f"{number(device.count)} inferences"
        right = Text(f"{count} · {rate:.1f}/s" if rate else count, style="dim")
    else:
        right = Text("lost, trying to reconnect", style="bold red")
    line.add_row(name, right)
    return line


def _rows(device: DeviceState, last: Reading, width: int) -> list[tuple[str, RenderableType]]:
    facts = device.facts
    rows: list[tuple[str, RenderableType]] = []
    found = predictions(facts, last, 3)
    bars = min(_LONGEST_BAR, max(10, width - _LABEL_WIDTH - 10))
    for position, guess in enumerate(found):
        style = "bold cyan" if position == 0 else "cyan"
        label = plain(guess.label)
        label = label if len(label) <= _LABEL_WIDTH else label[: _LABEL_WIDTH - 1] + "…"
        line = Text(f"{label:<{_LABEL_WIDTH}} ", style="bold" if position == 0 else "")
        line.append(f"{bar(guess.share, bars):<{bars}}", style=style)
        line.append(f"{_value(guess.value, guess.is_probability):>9}", style="default")
        rows.append(("class" if position == 0 else "", line))
    for position, values in enumerate(last.outputs):
        name = "output" if len(last.outputs) == 1 else f"output {position}"
        rows.append((name, Text(_values_line(values, width), overflow="ellipsis")))
        if values.size > 32 and not found:
            rows.append(("", Text(sparkline(values.reshape(-1), width), style="cyan")))
    rows.append(("cost", Text(_cost(facts, last.cost))))
    if device.lowest_cost == device.highest_cost:
        rows.append(("", Text(f"the same for all {number(device.count)} inferences", style="dim")))
    else:
        spread = f"{number(device.lowest_cost)} to {number(device.highest_cost)}"
        rows.append(("", Text(sparkline(np.array(list(device.costs)[-width:]), width), style="magenta")))
        chart = sparkline(np.array(device.histogram(24)), 24, from_zero=True)
        rows.append(("spread", Text(chart, style="magenta").append(f"  {spread}", style="dim")))
    return rows


def _values_line(values: NDArray[Any], width: int) -> str:
    flat = values.reshape(-1)
    shown = [f"{v:.4g}" if flat.dtype.kind == "f" else str(v) for v in flat[: width // 2].tolist()]
    line = " ".join(shown)
    if len(line) <= width and len(shown) == len(flat):
        return line
    rest = f" … {number(len(flat))} values"
    return line[: width - len(rest)].rsplit(" ", 1)[0] + rest


def sparkline(values: NDArray[Any], width: int, *, from_zero: bool = False) -> str:
    """Values as a line of blocks, at most `width` wide; more values than that are averaged in groups."""
    data = values.astype(np.float64)
    if len(data) > width:
        data = np.array([part.mean() for part in np.array_split(data, width)])
    data = np.nan_to_num(data, nan=0.0, posinf=0.0, neginf=0.0)
    low = 0.0 if from_zero else float(data.min())
    span = float(data.max()) - low
    if span <= 0:
        return _LEVELS[0] * len(data)
    return "".join(_LEVELS[min(7, int(8 * (value - low) / span))] for value in data)


def _input(facts: Facts, last: Reading, width: int) -> RenderableType:
    origin = Text(f"{plain(facts.feed)}, sample {number(last.sample.number)}", style="dim")
    if not last.sample.arrays:
        return origin
    values = last.sample.arrays[0]
    shape = sample_shape(facts.inputs[0])
    grey = _grey(values, shape)
    if grey is not None:
        return Group(origin, _blocks(grey, width))
    return Group(origin, Text(sparkline(values.reshape(-1), width), style="blue"))


def _grey(values: NDArray[Any], shape: Sequence[int]) -> NDArray[np.uint8] | None:
    """An input as grey levels (rows, columns), if its shape is an image's; scaled down to what a terminal shows."""
    if len(shape) != 3 or shape[2] not in (1, 3) or min(shape[:2]) < 4:
        return None
    image = values.reshape(shape).astype(np.float64).mean(axis=2)
    if image.shape[0] > 2 * image.shape[1]:  # time from top to bottom, as in spectrograms, reads better to the right
        image = np.flipud(image.T)
    shape = image.shape
    step = max(1, -(-shape[0] // (2 * _MAX_IMAGE_ROWS)), -(-shape[1] // _MAX_IMAGE_COLUMNS))
    image = image[: shape[0] // step * step, : shape[1] // step * step]
    image = image.reshape(image.shape[0] // step, step, image.shape[1] // step, step).mean(axis=(1, 3))
    if max(image.shape) <= _SMALL_IMAGE:
        image = image.repeat(2, axis=0).repeat(2, axis=1)
    low, span = float(np.nan_to_num(image).min()), float(np.ptp(np.nan_to_num(image))) or 1.0
    return np.asarray(np.clip(255 * (np.nan_to_num(image) - low) / span, 0, 255), np.uint8)


def _blocks(grey: NDArray[np.uint8], width: int) -> Text:
    """Two rows of an image per line of text: the upper in the block's colour, the lower in its background."""
    grey = grey[:, :width]
    if len(grey) % 2:
        grey = np.vstack([grey, np.zeros((1, grey.shape[1]), np.uint8)])
    text = Text()
    for row in range(0, len(grey), 2):
        for upper, lower in zip(grey[row].tolist(), grey[row + 1].tolist(), strict=True):
            text.append("▀", style=f"rgb({upper},{upper},{upper}) on rgb({lower},{lower},{lower})")
        if row + 2 < len(grey):
            text.append("\n")
    return text
