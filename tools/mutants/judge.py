"""Runs a module's tests on one fault after another, each in a process forked from one that has loaded everything.

A fault is put in place when its module is imported. All loaded modules that may hold something of it are imported
anew, the others stay. Only the process itself sees the fault: programs that a test starts do not.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, NoReturn

import pytest

from tools.mutants.mutate import Mutant
from tools.structure import imported_names

_CPU_FACTOR, _CPU_MORE = 2, 2
"""CPU time that a fault's tests may take: so many times what they take without it, and so many seconds more."""

_WALL_FACTOR, _WALL_MORE = 20, 60
"""The same by the clock, for tests that wait for what never comes. So generous that a busy machine does not matter."""

_MEMORY = 16 << 30
"""Bytes of address space that a fault may take, of which a sound process uses a small part."""


class JudgeError(Exception):
    """The tests say nothing about faults: they fail without one, or there are none."""


@dataclass(frozen=True)
class Baseline:
    """A run without a fault: its cost, and which functions (by first line) each test ran."""

    tests: int
    cpu_seconds: float
    wall_seconds: float
    functions: Mapping[str, frozenset[int]]


@dataclass(frozen=True)
class Result:
    """What became of a fault.

    Attributes:
        outcome: "killed", "survived", "died" (out of time or memory, or crashed: killed as well), or "stillborn": the
            module cannot even be imported, which says nothing about its tests.
        killer: the test that noticed it.
    """

    mutant: Mutant
    outcome: str
    killer: str = ""


class Judge:
    """The tests of one module."""

    def __init__(self, module: str, tests: Sequence[str], root: Path) -> None:
        self.module, self._tests, self._root = module, [str(root / test) for test in tests], root
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise JudgeError(f"there is no module {module}")
        self.path = Path(spec.origin)
        self.source = self.path.read_bytes()
        self._kills: Counter[str] = Counter()
        self._dependent: list[str] = []
        self.baseline = Baseline(0, 0.0, 0.0, {})

    def prepare(self) -> None:
        """Load all that the tests import, and run them without a fault.

        Raises:
            JudgeError: they fail, or none of them runs.
        """
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = pytest.main([*self._options(), "--collect-only", *self._tests])
        if code != pytest.ExitCode.OK:
            raise JudgeError(f"the tests of {self.module} cannot be collected:\n{said.getvalue()[-4000:]}")
        self._dependent = _dependent_modules(self.module, self._root)
        child = _start(self._measure)
        while not child.ended(float("inf")):
            time.sleep(0.01)
        found = child.report()
        if found.get("code") != pytest.ExitCode.OK:
            raise JudgeError(f"the tests of {self.module} fail without a fault:\n{child.output[-4000:]}")
        if not found["tests"]:
            raise JudgeError(f"no test of {self.module} runs here")
        functions = {test: frozenset(lines) for test, lines in found["functions"].items()}
        self.baseline = Baseline(found["tests"], found["cpu"], found["wall"], functions)
        gc.collect()
        gc.freeze()

    def judge(self, mutants: Sequence[Mutant], jobs: int) -> Iterator[Result]:
        """What becomes of each fault, as they end."""
        waiting = list(reversed(mutants))
        running: list[tuple[Mutant, _Child]] = []
        limit = self.baseline.wall_seconds * _WALL_FACTOR + _WALL_MORE
        while waiting or running:
            while waiting and len(running) < jobs:
                mutant = waiting.pop()
                running.append((mutant, _start(self._task(mutant))))
            for mutant, child in list(running):
                if not child.ended(limit):
                    continue
                running.remove((mutant, child))
                result = self._result(mutant, child)
                self._kills[result.killer] += 1
                yield result
            time.sleep(0.005)

    def _task(self, mutant: Mutant) -> Callable[[_Report], None]:
        return lambda report: self._try(mutant, report)

    def _result(self, mutant: Mutant, child: _Child) -> Result:
        found = child.report()
        if not found:
            return Result(mutant, "died")
        if "error" in found:
            raise JudgeError(f"{self.path}:{mutant.line}: {mutant.after}: {found['error']}")
        return Result(mutant, found["outcome"], found.get("killer", ""))

    # In the forked process

    def _options(self) -> list[str]:
        return ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(self._root), "--no-header"]

    def _measure(self, report: _Report) -> None:
        self._install(self.source)
        recorder = _Recorder(str(self.path))
        began = time.monotonic()
        code = pytest.main([*self._options(), *self._tests], plugins=[recorder, _Deterministic()])
        used = resource.getrusage(resource.RUSAGE_SELF)
        functions = {test: sorted(lines) for test, lines in recorder.functions.items()}
        report(
            code=int(code),
            tests=recorder.passed,
            cpu=used.ru_utime + used.ru_stime,
            wall=time.monotonic() - began,
            functions=functions,
        )

    def _try(self, mutant: Mutant, report: _Report) -> None:
        seconds = int(self.baseline.cpu_seconds * _CPU_FACTOR) + _CPU_MORE
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        self._install(mutant.apply(self.source))
        try:
            importlib.import_module(self.module)
        except Exception:
            report(outcome="stillborn")
            return
        order = _Order(self._importance(mutant))
        code = pytest.main([*self._options(), "-x", "--tb=no", *self._tests], plugins=[order, _Deterministic()])
        report(outcome="survived" if code == pytest.ExitCode.OK else "killed", killer=order.failed)

    def _importance(self, mutant: Mutant) -> Callable[[str], tuple[bool, int]]:
        """First the tests that run the function, and among them those that noticed most faults until now."""
        places, kills = set(mutant.enclosing), self._kills
        functions = self.baseline.functions
        return lambda test: (not places.issubset(functions.get(test, frozenset())), -kills[test])

    def _install(self, source: bytes) -> None:
        for name in self._dependent:
            sys.modules.pop(name, None)
            package, _, last = name.rpartition(".")
            if isinstance(getattr(sys.modules.get(package), last, None), ModuleType):
                delattr(sys.modules[package], last)  # else `from package import module` gives the old one
        sys.meta_path.insert(0, _Finder(self.module, self.path, source))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module, with other source than its file's."""

    def __init__(self, name: str, path: Path, source: bytes) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self._name:
            return None
        loader = _Loader(name, str(self._path), self._source)
        return importlib.util.spec_from_file_location(name, self._path, loader=loader)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, source: bytes) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Deterministic:
    """Random tests try the same examples every time, and do not look for the smallest that fails."""

    def pytest_configure(self) -> None:
        if "hypothesis" not in sys.modules:
            return
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", derandomize=True, database=None, deadline=None, phases=phases)
        settings.load_profile("mutants")


class _Order:
    """Sorts the tests, and remembers the one that failed."""

    def __init__(self, importance: Callable[[str], tuple[bool, int]]) -> None:
        self._importance = importance
        self.failed = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self._importance(item.nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


class _Recorder:
    """Which functions of a file each test runs."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.functions: dict[str, set[int]] = defaultdict(set)
        self.passed = 0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        lines = self.functions[item.nodeid]

        def profile(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_code.co_filename == self._path:
                lines.add(frame.f_code.co_firstlineno)

        sys.setprofile(profile)
        try:
            return (yield)
        finally:
            sys.setprofile(None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.passed += report.when == "call" and report.passed


def _dependent_modules(module: str, root: Path) -> list[str]:
    """The module, and all loaded modules of the project that import it, directly or not; its tests in any case."""
    package, own = module.partition(".")[0], __name__.partition(".")[0]
    loaded = {name: path for name, m in list(sys.modules.items()) if (path := _path_in(m, root)) is not None}
    imports = {name: _imports(name, path) for name, path in loaded.items()}
    found = {module, *(name for name in loaded if name.partition(".")[0] not in (package, own))}
    while True:
        # What lies in a package goes with it, so that it becomes the new package's attribute.
        more = {
            name for name in loaded if not found.isdisjoint(imports[name]) or name.rpartition(".")[0] in found
        } - found
        if not more:
            return sorted(found)
        found |= more


def _path_in(module: ModuleType, root: Path) -> Path | None:
    """A module's file, if it is part of the project in `root`."""
    name = getattr(module, "__file__", None)
    if name is None or not name.endswith(".py"):
        return None
    path = Path(name).resolve()
    return path if path.is_relative_to(root) and "site-packages" not in path.parts else None


def _imports(name: str, path: Path) -> set[str]:
    """All modules that a module names in its imports, inside functions as well."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        named = imported_names(node, package)
        found.update(named)
        if isinstance(node, ast.ImportFrom):
            found.add(named[0].rpartition(".")[0])
    return found


@dataclass(frozen=True)
class _Report:
    """What a forked process says before it ends."""

    stream: int

    def __call__(self, **found: Any) -> None:
        data = json.dumps(found).encode()
        while data:
            data = data[os.write(self.stream, data) :]


class _Child:
    """A forked process, leader of a group of its own."""

    def __init__(self, pid: int, stream: int, output: int) -> None:
        self._pid, self._stream, self._output = pid, stream, output
        self._began = time.monotonic()
        self._data = b""
        self.output = ""

    def ended(self, limit: float) -> bool:
        """Whether the process has ended, if need be because it took longer than `limit` by the clock."""
        if time.monotonic() - self._began > limit:
            self._kill()
        while True:
            try:
                part = os.read(self._stream, 1 << 16)
            except BlockingIOError:
                return False
            if not part:
                return True
            self._data += part

    def report(self) -> dict[str, Any]:
        """What an ended process has reported: nothing if it died. Ends all that it has started."""
        os.close(self._stream)
        self._kill()
        os.waitpid(self._pid, 0)
        self.output = os.pread(self._output, 1 << 20, 0).decode(errors="replace")
        os.close(self._output)
        found: dict[str, Any] = json.loads(self._data) if self._data else {}
        return found

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)


def _start(task: Callable[[_Report], None]) -> _Child:
    """Run a task in a forked process whose output goes into a file."""
    reading, writing = os.pipe()
    output = os.memfd_create("output")
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # libraries' idle threads take no part
        pid = os.fork()
    if pid == 0:
        _run_forked(task, _Report(writing), output)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # whichever of the two processes comes first
    os.close(writing)
    os.set_blocking(reading, False)
    return _Child(pid, reading, output)


def _run_forked(task: Callable[[_Report], None], report: _Report, output: int) -> NoReturn:
    try:
        os.setpgid(0, 0)
        for stream in (1, 2):
            os.dup2(output, stream)
        task(report)
    except MemoryError:
        pass  # no report: it died
    except BaseException:
        report(error=traceback.format_exc())
    finally:
        os._exit(0)
