"""An oracle that does not come to an end is an error."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from mcugen.errors import ModelError, ToolError
from mcugen.oracle import Oracle
from mcugen.oracle import oracle as oracle_module
from tests.cli.conftest import int8_model

pytest.importorskip("tflite_micro")

X = np.zeros((1, 6), np.int8)


def test_one_that_hangs_is_ended() -> None:
    with Oracle(int8_model()) as oracle:
        assert len(oracle.run([X])) == 1
        oracle._timeout = 0.3
        os.kill(oracle._process.pid, signal.SIGSTOP)
        with pytest.raises(ModelError, match=r"no answer within 0\.3 s.*MCUGEN_ORACLE_TIMEOUT=3600"):
            oracle.run([X])
        with pytest.raises(ProcessLookupError):
            os.kill(oracle._process.pid, 0)


def test_the_limit_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert oracle_module.oracle_timeout() == oracle_module.DEFAULT_TIMEOUT_S
    monkeypatch.setenv("MCUGEN_ORACLE_TIMEOUT", "7.5")
    assert oracle_module.oracle_timeout() == 7.5
    for nonsense in ("soon", "0", "-1", "nan", "1e99"):
        monkeypatch.setenv("MCUGEN_ORACLE_TIMEOUT", nonsense)
        with pytest.raises(ToolError, match=r"MCUGEN_ORACLE_TIMEOUT: .*is not a number of seconds"):
            oracle_module.oracle_timeout()
