"""Recordings: every inference a row, in CSV or Parquet, whole up to the last row however the recording ended."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol, get_args

import numpy as np

from mcugen.errors import DataError, ProjectError, ToolError
from mcugen.monitor.types import Block, Facts, Message, Note, NoteKind, OpCost, Opened, Reading, Sample, predictions
from mcugen.outputs import writing
from mcugen.reading import parsing
from mcugen.tflite.detections import Places
from mcugen.tflite.types import TensorSpec

SCHEMA = "mcugen.recording/1"
MAX_OUTPUT_VALUES = 4096
_FIXED = ("device", "kind", "number", "time", "sample", "outside", "cost", "round_trip", "prediction", "key", "text")
_READING = "reading"
_GROUP_ROWS = 512
_MAX_HEADER = 16 << 20
_SUFFIXES = (".csv", ".parquet")


def check_recording(path: Path) -> None:
    """Refuse a recording that could not be written, before a device is started for it.

    Raises:
        ProjectError: another ending, a file that exists, a folder that does not.
        ToolError: a .parquet file without pyarrow.
    """
    if path.suffix not in _SUFFIXES:
        raise ProjectError("recordings are written as .csv or .parquet", where=str(path), hint="Name it so")
    if path.exists():
        raise ProjectError("exists already", where=str(path), hint="Choose another name, or remove it")
    if not path.absolute().parent.is_dir():
        raise ProjectError("its folder does not exist", where=str(path), hint="Create it first")
    if path.suffix == ".parquet":
        _pyarrow()


def columns(devices: Sequence[Facts]) -> tuple[str, ...]:
    """The names of a recording's columns.

    Raises:
        ProjectError: outputs that are too many for columns, or differ from device to device.
    """
    first = devices[0].outputs
    if any(facts.outputs != first for facts in devices):
        raise ProjectError(
            "the devices have different outputs, which one recording cannot store",
            where="`record`",
            hint="Record devices with different models one by one",
        )
    values = sum(math.prod(spec.shape) for spec in first)
    if values > MAX_OUTPUT_VALUES:
        raise ProjectError(
            f"an inference gives {values:,} values; a recording has room for {MAX_OUTPUT_VALUES:,}",
            where="`record`",
            hint="`api.run(TARGET, inputs=X)` gives outputs of any size",
        )
    return (*_FIXED, *(f"{n}:{spec.name}[{i}]" for n, spec in enumerate(first) for i in range(math.prod(spec.shape))))


class Sink(Protocol):
    """A file that rows go to."""

    def write(self, row: Sequence[Any]) -> None: ...

    def close(self) -> None: ...


class Recorder:
    """Writes what devices tell. A context manager; the file appears with the first message."""

    def __init__(self, path: Path, count: int) -> None:
        self._path, self._count = path, count
        self._facts: dict[int, Facts] = {}
        self._sink: Sink | None = None
        self.rows = 0

    def take(self, message: Message) -> None:
        """Write a message. All devices have to be opened before the first reading.

        Raises:
            ProjectError: the file system refuses, or see `columns`.
        """
        with writing(self._path):
            self._take(message)

    def _take(self, message: Message) -> None:
        if isinstance(message, Opened):
            self._facts[message.device] = message.facts
            if len(self._facts) == self._count:
                self._open()
            return
        assert self._sink is not None
        self._sink.write(
            _reading_row(self._facts[message.device], message) if isinstance(message, Reading) else _note_row(message)
        )
        self.rows += isinstance(message, Reading)

    def _open(self) -> None:
        devices = [self._facts[n] for n in sorted(self._facts)]
        names = columns(devices)
        header = {"schema": SCHEMA, "devices": [dataclasses.asdict(facts) for facts in devices]}
        text = json.dumps(header, allow_nan=False)
        kinds = [spec.dtype for spec in devices[0].outputs for _ in range(math.prod(spec.shape))]
        opened = _CsvSink if self._path.suffix == ".csv" else _ParquetSink
        self._sink = opened(self._path, names, kinds, text)

    def close(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            with writing(self._path):
                sink.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()


def _reading_row(facts: Facts, reading: Reading) -> list[Any]:
    best = predictions(facts, reading, 1)
    label = best[0].label if best else None
    fixed = [
        reading.device,
        _READING,
        reading.number,
        round(reading.time, 6),
        reading.sample.number,
        round(reading.sample.outside, 6),
        reading.cost,
        round(reading.round_trip, 6),
        label,
        None,
        None,
    ]
    return fixed + [value for output in reading.outputs for value in output.reshape(-1).tolist()]


def _note_row(note: Note) -> list[Any]:
    return [note.device, note.kind, None, round(note.time, 6), None, None, None, None, None, note.key, note.text]


class _CsvSink:
    """A line per row, written out at once: however it ends, every row but the last is whole."""

    def __init__(self, path: Path, names: Sequence[str], _kinds: Sequence[str], header: str) -> None:
        self._file: IO[str] = path.open("x", encoding="utf-8", newline="", buffering=1)
        self._file.write(f"# {header}\n")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._width = len(names)
        self._rows.writerow(names)

    def write(self, row: Sequence[Any]) -> None:
        self._rows.writerow([*row, *[None] * (self._width - len(row))])

    def close(self) -> None:
        self._file.close()


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ToolError(
            "Parquet files need pyarrow, which is not installed",
            hint="pip install 'mcugen[parquet]', or record to .csv",
        ) from error
    return pyarrow


class _ParquetSink:
    """Rows in groups. The file's index is written at the end, so it is whole once it is closed."""

    def __init__(self, path: Path, names: Sequence[str], kinds: Sequence[str], header: str) -> None:
        arrow = self._arrow = _pyarrow()
        types = [
            arrow.int32(),
            arrow.string(),
            arrow.int64(),
            arrow.float64(),
            arrow.int64(),
            arrow.float64(),
            arrow.int64(),
            arrow.float64(),
            arrow.string(),
            arrow.string(),
            arrow.string(),
            *(arrow.type_for_alias("bool" if kind == "bool" else kind) for kind in kinds),
        ]
        schema = arrow.schema(list(zip(names, types, strict=True)), metadata={"mcugen": header})
        self._schema, self._rows = schema, list[Sequence[Any]]()
        path.open("xb").close()
        self._writer = arrow.parquet.ParquetWriter(str(path), schema)

    def write(self, row: Sequence[Any]) -> None:
        self._rows.append([*row, *[None] * (len(self._schema) - len(row))])
        if len(self._rows) >= _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        data = [list(column) for column in zip(*self._rows, strict=True)]
        arrays = [self._arrow.array(c, field.type) for c, field in zip(data, self._schema, strict=True)]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


# ---- reading


def read_recording(path: Path) -> Iterator[Message]:
    """The messages of a recording, in their order.

    Raises:
        DataError: no recording, or a damaged one; names the line. A last line that was cut short is left out.
        ToolError: a .parquet file without pyarrow.
    """
    if not path.is_file():
        raise DataError(
            "there is no such file", where=str(path), hint="Pass a recording of `api.monitor(TARGET, record=FILE)`"
        )
    if path.suffix == ".parquet":
        yield from _messages(path, *_read_parquet(path))
    elif path.suffix == ".csv":
        yield from _read_csv(path)
    else:
        raise DataError("recordings are .csv or .parquet files", where=str(path))


def _read_csv(path: Path) -> Iterator[Message]:
    with parsing(lambda _: _not_ours(path)), path.open(encoding="utf-8", newline="") as file:
        header = file.readline(_MAX_HEADER)
        if not header.startswith("# {") or not header.endswith("\n"):
            raise _not_ours(path)
        yield from _messages(path, header[2:], _csv_rows(file, path))


def _csv_rows(file: IO[str], path: Path) -> Iterator[Mapping[str, Any]]:
    rows = csv.reader(line for line in file if line.endswith("\n"))  # all but a last one that was cut short
    names = next(rows, None)
    if not names or tuple(names[: len(_FIXED)]) != _FIXED:
        raise _not_ours(path)
    held: list[str] | None = None
    for row in rows:
        if held is not None:
            raise DataError(f"has {len(held)} columns instead of {len(names)}", where=f"{path}, line {rows.line_num}")
        if len(row) == len(names):
            yield dict(zip(names, row, strict=True))
        else:
            held = row  # fine if it is the last: the recording was cut off there


def _read_parquet(path: Path) -> tuple[str, Iterator[Mapping[str, Any]]]:
    arrow = _pyarrow()
    with parsing(lambda _: _not_ours(path)):
        file = arrow.parquet.ParquetFile(path)
        header = (file.schema_arrow.metadata or {}).get(b"mcugen", b"").decode("utf-8", "replace")

    def rows() -> Iterator[Mapping[str, Any]]:
        with parsing(lambda _: _not_ours(path)):
            for batch in file.iter_batches(_GROUP_ROWS):
                yield from batch.to_pylist()

    return header, rows()


def _not_ours(path: Path) -> DataError:
    return DataError(
        "is not a recording made by mcugen, or is damaged", where=str(path), hint="Pass a recording made with `record`"
    )


def _messages(path: Path, header: str, rows: Iterator[Mapping[str, Any]]) -> Iterator[Message]:
    with parsing(lambda _: _not_ours(path)):
        read = json.loads(header)
        if read["schema"] != SCHEMA:
            raise DataError(f"has the schema {read['schema']!r}, this mcugen reads {SCHEMA}", where=str(path))
        devices = [_facts(item) for item in read["devices"]]
        names = columns(devices)
    for number, facts in enumerate(devices):
        yield Opened(number, facts)
    for line, row in enumerate(rows, 1):
        with parsing(_bad_row(path, line)):
            message = _message(row, devices, names)
        yield message


def _bad_row(path: Path, line: int) -> Callable[[Exception], DataError]:
    return lambda error: DataError(f"row {line} cannot be read: {error}", where=str(path), hint="Record it again")


def _message(row: Mapping[str, Any], devices: Sequence[Facts], names: Sequence[str]) -> Message:
    device, time, kind = int(row["device"]), float(row["time"]), str(row["kind"])
    if not 0 <= device < len(devices) or not math.isfinite(time):
        raise ValueError("no such device or time")
    if kind != _READING:
        for known in get_args(NoteKind):
            if kind == known:
                return Note(device, time, known, str(row["text"] or ""), str(row["key"] or ""))
        raise ValueError(f"no such kind: {kind[:40]!r}")
    outputs, at = [], len(_FIXED)
    for spec in devices[device].outputs:
        count = math.prod(spec.shape)
        values = [_value(row[name], spec.dtype) for name in names[at : at + count]]
        outputs.append(np.array(values).astype(spec.dtype, casting="unsafe").reshape(spec.shape))
        if spec.dtype != "float32" and outputs[-1].reshape(-1).tolist() != values:
            raise ValueError(f'a value of output "{spec.name[:40]}" is no {spec.dtype}')
        at += count
    sample = Sample((), int(row["sample"]), float(row["outside"]))
    return Reading(device, int(row["number"]), time, sample, tuple(outputs), int(row["cost"]), float(row["round_trip"]))


def _value(text: Any, dtype: str) -> float | int | bool:
    if dtype == "float32":
        return float(text)
    if dtype == "bool":
        return text is True or text == "True"
    return int(text)


_DTYPES = ("float32", "int8", "uint8", "int16", "int32", "bool")


def _facts(data: Any) -> Facts:
    """The facts in a recording's header. Raises ValueError, KeyError or TypeError where it holds something else."""
    ranges = tuple(None if pair is None else (float(pair[0]), float(pair[1])) for pair in data["ranges"])
    return Facts(
        **{key: str(data[key]) for key in ("device", "board", "runtime", "model", "sha256", "unit", "feed")},
        hz=int(data["hz"]),
        labels=tuple(str(label) for label in data["labels"]),
        inputs=tuple(_spec(item) for item in data["inputs"]),
        outputs=tuple(_spec(item) for item in data["outputs"]),
        ranges=ranges,
        arena_bytes=int(data["arena_bytes"]),
        ops=tuple(OpCost(str(op["name"]), str(op["kind"]), int(op["cost"])) for op in data["ops"]),
        blocks=tuple(
            Block(str(b["name"]), *(int(b[key]) for key in ("offset", "size", "first", "last"))) for b in data["blocks"]
        ),
        notes=tuple(str(note) for note in data["notes"]),
        ms_per_unit=_figure(data.get("ms_per_unit", 0.0)),
        milliwatts=_figure(data.get("milliwatts", 0.0)),
        places=_places(data.get("places"), data["outputs"]),
    )


def _places(data: Any, outputs: Any) -> Places | None:
    """Which outputs are detections. Recordings of before do not say."""
    if data is None:
        return None
    found = Places(*(int(data[key]) for key in ("boxes", "classes", "scores", "count", "each")))
    which = (found.boxes, found.classes, found.scores, found.count)
    if min(which) < 0 or max(which) >= len(outputs) or found.each < 1:
        raise ValueError("detections in outputs that are not there")
    sizes = [math.prod(int(n) for n in outputs[n]["shape"]) for n in which]
    if sizes != [4 * sizes[1], sizes[1], sizes[1], 1]:
        raise ValueError("outputs that cannot be detections")
    return found


def _figure(value: Any) -> float:
    if not 0 <= float(value) < 1e9:
        raise ValueError("no such figure")
    return float(value)


def _spec(data: Any) -> TensorSpec:
    shape = tuple(int(size) for size in data["shape"])
    scale, dtype = float(data["scale"]), str(data["dtype"])
    if any(size < 1 for size in shape) or not 0 <= scale < 1e38 or dtype not in _DTYPES:
        raise ValueError("no such tensor")
    if scale and dtype in ("float32", "bool"):
        raise ValueError("a scale without integers")
    return TensorSpec(str(data["name"]), shape, dtype, scale, int(data["zero_point"]))
