"""What tests of every area share: where the real models are, and what a missing tool means.

Models for tests are built in tests/zoo/. The real models are not part of the repository: where they are absent, tests
marked `real_model` are left out, and the summary counts them. A test may skip because a tool is absent, or because its
parameters make no sense together. With MCUGEN_REQUIRE_TOOLS=1, as CI sets it, a skip for want of a tool is
a failure, so that a broken set-up cannot pass. Such a skip is told by its reason: "not installed", or importorskip's.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from mcugen.children import running_tree as RUNNING_TREE
from mcugen.convert.worker_client import start_worker as START_WORKER
from mcugen.resources import kernel_headers
from tests.warm import WarmPlatformIO, warm

ROOT = Path(__file__).resolve().parent.parent
MODELS = Path(os.environ.get("MCUGEN_MODELS", ROOT.parent / "shared" / "models"))
NO_MODELS = "the real models are absent"
_TOOL_IS_MISSING = ("install", "could not import", "not found")
_MARKER_TOOLS = {"emulator": ("arm-none-eabi-gcc", "qemu-system-arm")}


os.environ.setdefault("MCUGEN_CYCLES", "no")
"""Traces for cycles are taken where tests ask for them, not with every firmware that runs."""

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
"""NumPy starts threads when it is imported, a third of its time, in each of a thousand processes that tests start."""

os.environ["MCUGEN_KEEP_CONVERTED"] = os.environ["MCUGEN_KEEP_BUILT"] = "0"
"""What a run before this one converted or built proves nothing; tests of what is kept have caches of their own."""

KERNEL_INCLUDES = [f"-I{folder}" for folder in sorted({path.parent for path in kernel_headers().values()})]
"""A compiler's flags that find every kernel's header."""


CACHED_COMPILERS = ("arm-none-eabi-g++", "arm-none-eabi-gcc", "cc", "g++", "gcc", "riscv64-unknown-elf-gcc")


def pytest_configure() -> None:
    """Compilers go through ccache, where it is installed: most of what tests compile is the same for every model.

    Its keys are the compiler itself, its flags and all that it reads. CCACHE_DISABLE=1 compiles everything.
    """
    ccache, links = shutil.which("ccache"), ROOT / "build" / "ccache-bin"
    path = os.environ.get("PATH", "")
    if ccache is None or "CCACHE_DISABLE" in os.environ or str(links) in path.split(os.pathsep):
        return
    shutil.rmtree(links, ignore_errors=True)
    links.mkdir(parents=True, exist_ok=True)
    for name in CACHED_COMPILERS:
        if shutil.which(name):
            (links / name).symlink_to(ccache)
    os.environ["PATH"] = f"{links}{os.pathsep}{path}"
    os.environ.setdefault("CCACHE_DIR", str(ROOT / "build" / "ccache"))
    os.environ.setdefault("CCACHE_DEPEND", "1")  # what is not there yet is not preprocessed first
    os.environ.setdefault("CCACHE_MAXSIZE", "1G")


def find_model(name: str) -> Path:
    """Path of a real model; skips the test where the models are absent."""
    path = MODELS / name
    if not path.exists():
        pytest.skip(f"{NO_MODELS} ({path}); MCUGEN_MODELS names their folder")
    return path


_LEFT_OUT = pytest.StashKey[list[str]]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests on real models that are absent are no skips of their own: one line of the summary stands for them all."""
    absent: dict[pytest.Item, str] = {}
    for item in items:
        names = [name for mark in item.iter_markers("real_model") for name in mark.args]
        if missing := next((name for name in names if not (MODELS / name).exists()), None):
            absent[item] = missing
    config.stash[_LEFT_OUT] = list(absent.values())
    items[:] = [item for item in items if item not in absent]
    config.hook.pytest_deselected(items=list(absent))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):  # a worker of pytest-xdist, which tells its controller
        session.config.workeroutput["left_out"] = session.config.stash.get(_LEFT_OUT, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker collects the same tests."""
    node.config.stash[_LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", [])


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, tools in _MARKER_TOOLS.items():
        missing = [tool for tool in tools if shutil.which(tool) is None]
        if item.get_closest_marker(marker) and missing:
            pytest.skip(f"{' and '.join(missing)} not installed")
    if item.get_closest_marker("tensorflow") and importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")


def _forbidden(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """The reason of a skip for want of a tool, where MCUGEN_REQUIRE_TOOLS does not allow it."""
    if os.environ.get("MCUGEN_REQUIRE_TOOLS") != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return None
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason if any(words in reason for words in _TOOL_IS_MISSING) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if reason := _forbidden(report):
        report.outcome, report.longrepr = "failed", f"MCUGEN_REQUIRE_TOOLS=1 forbids this skip: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if reason := _forbidden(report):
        report.outcome, report.longrepr = "failed", f"MCUGEN_REQUIRE_TOOLS=1 forbids this skip: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out, what the conformance suite proved, and what went over bad links, summed over their tests."""
    if left_out := terminalreporter.config.stash.get(_LEFT_OUT, []):
        which = f"{', '.join(sorted(set(left_out)))} in " if MODELS.is_dir() else ""
        terminalreporter.write_line(
            f"{NO_MODELS} ({which}{MODELS}): {len(left_out)} tests on them were left out;"
            " MCUGEN_MODELS names their folder"
        )
    properties = [value for report in terminalreporter.getreports("passed") for value in report.user_properties]
    proved = [value for name, value in properties if name == "conformance"]
    for place in dict.fromkeys(value["on"] for value in proved):
        here = [value for value in proved if value["on"] == place]
        pairs, cases = (sum(value[name] for value in here) for name in ("pairs", "cases"))
        ops = len({op for value in here for op in value["ops"]})
        terminalreporter.write_line(
            f"conformance on {place}: {ops} ops, {pairs} pairs of op and type, {cases} cases equal to the oracle"
        )
    sent = [value for name, value in properties if name == "bad_link"]
    if sent:
        frames, inferences = (sum(value[name] for value in sent) for name in ("frames", "inferences"))
        terminalreporter.write_line(
            f"bad links: {len(sent)} kinds, {frames:,} frames, {inferences:,} inferences, no wrong answer"
        )


@pytest.fixture(scope="session", autouse=True)
def warm_builds(tmp_path_factory: pytest.TempPathFactory) -> Generator[WarmPlatformIO, None, None]:
    folder = tmp_path_factory.mktemp("warm")
    with warm(folder) as (platformio, tensorflow), pytest.MonkeyPatch.context() as patch:
        patch.setattr("mcugen.builder.platformio.running_tree", platformio.running_tree)
        patch.setattr("mcugen.convert.worker_client.start_worker", tensorflow.start_worker)
        yield platformio


@pytest.fixture
def cold() -> Generator[None, None, None]:
    """For tests of what starts PlatformIO and TensorFlow: they are started as users start them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mcugen.builder.platformio.running_tree", RUNNING_TREE)
        patch.setattr("mcugen.convert.worker_client.start_worker", START_WORKER)
        yield
