from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board
from mcugen.boards.types import Board
from mcugen.runtimes.aot.plan.types import Plan
from tests.builder.tiny import tiny_plan


@pytest.fixture(autouse=True, scope="session")
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests make their own PlatformIO folder: the user's may be of another version, or being used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MCUGEN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def plan() -> Plan:
    return tiny_plan()


@pytest.fixture(scope="session")
def board() -> Board:
    return load_board("mps2-an386")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "project"
