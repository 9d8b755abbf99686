"""`run`, `verify` and `deploy` on the emulated board."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from tests.cli.conftest import BOARD, ROOT, Cli, int8_model
from tests.kernels.single_op import make_samples, oracle

pytestmark = pytest.mark.emulator


def test_run_writes_what_the_oracle_computes(cli: Cli, project: Path, tmp_path: Path) -> None:
    samples = make_samples(int8_model(), 5)
    np.save(tmp_path / "x.npy", np.concatenate([sample[0] for sample in samples]))
    ran = cli("run", project, "--inputs", tmp_path / "x.npy", "-o", tmp_path / "y.npy", "--json")
    assert ran.code == 0, ran.err
    expected = np.concatenate([outputs[0] for outputs in oracle(int8_model(), samples)])
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)
    facts = ran.json
    assert facts["schema"] == "mcugen.run/1"
    assert facts["cost"]["unit"] == "instructions"
    assert len(facts["cost"]["invoke"]) == facts["samples"] == len(samples)
    assert facts["outputs"][0]["shape"] == list(expected.shape)


def test_run_dequantizes_and_the_terminal_says_where(cli: Cli, project: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((2, 6), 0.5, np.float32))
    ran = cli("run", project, "-i", tmp_path / "x.npy", "-o", tmp_path / "y.npy", "--dequantize")
    assert ran.code == 0, ran.err
    assert np.load(tmp_path / "y.npy").dtype == np.float32
    assert "y.npy" in ran.out.splitlines()[-1]
    assert "floats quantized" in ran.out


def test_verify_ends_with_the_verdict(cli: Cli, project: Path) -> None:
    ran = cli("verify", project, "--layers", fresh=True)
    assert ran.code == 0, ran.err
    last = ran.out.splitlines()[-1]
    assert last.startswith("✔ bit-exact: 16/16 samples equal tflite-micro")
    assert f"on {BOARD} (emulated), 32 layer results too" in last
    assert ran.err == ""


def test_verify_json_has_every_promised_fact(cli: Cli, project: Path) -> None:
    ran = cli("verify", project, "--samples", "3", "--json")
    assert ran.code == 0, ran.err
    facts = ran.json
    assert facts["schema"] == "mcugen.verify/1"
    assert (facts["board"], facts["runtime"], facts["trusted"]) == (BOARD, "aot", True)
    assert len(facts["model"]["sha256"]) == 64
    flash, ram = facts["flash"], facts["ram"]
    assert flash["total"] == flash["code"] + flash["weights"] + flash["harness"]
    assert ram["total"] == ram["arena"] + ram["static"] + ram["stack_reserved"]
    assert 0 < ram["stack"] <= ram["stack_reserved"]
    assert flash["weights"] >= 4 * 6 + 4 * 4  # weights and biases
    cost = facts["cost"]
    assert cost["unit"] == "instructions"
    assert cost["invoke"] > 0
    assert [op["name"] for op in cost["per_op"]] == ["hidden", "scores"]
    assert cost["per_op"][0]["macs"] == 24
    verdict = facts["verify"]
    assert verdict["bit_exact"] is True
    assert (verdict["samples"], verdict["max_abs_diff"], verdict["first_divergent_op"]) == (3, 0, None)
    assert verdict["oracle"].startswith("tflite-micro ")


def test_cost_is_the_same_on_every_run(cli: Cli, project: Path) -> None:
    first, second = (cli("verify", project, "--samples", "2", "--json").json["cost"] for _ in range(2))
    assert first == second


def test_a_wrong_firmware_is_found_out(cli: Cli, project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "firmware"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".pio"))
    source = copy / "lib" / "mcg_model" / "mcg_model.c"
    text = source.read_text()
    found = re.search(r"mcg_const_0_weights\[\d+\] [^{]*\{\s*(-?\d+)", text)
    assert found, "the weights are not where this test expects them"
    value = int(found.group(1))
    source.write_text(text[: found.start(1)] + str(value - 60 if value > 0 else value + 60) + text[found.end(1) :])
    ran = cli("verify", copy)
    assert ran.code == 1, ran.err
    assert ran.out.splitlines()[-1].startswith("✖ not bit-exact")
    assert 'FULLY_CONNECTED "hidden"' in ran.out
    assert "changed since it was generated: lib/mcg_model/mcg_model.c" in ran.out
    facts = cli("verify", copy, "--json")
    assert facts.code == 1
    verdict = facts.json["verify"]
    assert verdict["bit_exact"] is False
    assert verdict["max_abs_diff"] > 0
    assert verdict["first_divergent_op"]["name"] == "hidden"


def test_deploy_from_a_float_model_with_random_data_is_marked(cli: Cli, float_tflite: Path, tmp_path: Path) -> None:
    out = tmp_path / "firmware"
    ran = cli("deploy", float_tflite, "--data", "random", "--board", "microbit", "-o", out, "--json")
    assert ran.code == 0, ran.err
    facts = ran.json
    assert facts["trusted"] is False
    assert any("random" in warning for warning in facts["warnings"])
    assert facts["quantization"]["calibration"]["kind"] == "random"
    assert facts["project"] == str(out)
    assert "--data random" in (out / "README.md").read_text()
    # The project remembers, long after the command that made it.
    later = cli("verify", out, "--samples", "1")
    assert later.code == 0, later.err
    assert "random data" in later.out
    assert cli("verify", out, "--samples", "1", "--json").json["trusted"] is False


def test_verify_of_a_model_leaves_nothing_behind(cli: Cli, model: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    ran = cli("verify", model, "--board", BOARD, "--samples", "1", cwd=work, env={"TMPDIR": str(work)})
    assert ran.code == 0, ran.err
    assert list(work.iterdir()) == []


def test_the_same_from_python(project: Path) -> None:
    steps: list[str] = []
    proof = api.verify(project, samples=2, progress=lambda step, _done: steps.append(step))
    assert proof.verdict.bit_exact
    assert proof.exit_code == 0
    assert {"building", "verifying"} <= set(steps)
    result = api.run(project, inputs=np.zeros((3, 6), np.int8))
    assert result.outputs[0].shape == (3, 4)
    assert result.dequantized()[0].dtype == np.float32


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_ends_everything(project: Path, tmp_path: Path, sent: signal.Signals, code: int) -> None:
    """Ctrl-C in the middle of a long verification: no traceback, no emulator, no temporary file stays."""
    mark = f"MCUGEN_TEST_{uuid.uuid4().hex}"
    process = subprocess.Popen(
        [sys.executable, "-m", "mcugen", "verify", str(project), "--samples", "100000"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), mark: "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: any("qemu-system-arm" in name for name in processes(mark)))
        time.sleep(1.0)  # into the verification itself
        process.send_signal(sent)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert out == ""
    wait_for(lambda: processes(mark) == [])
    assert list(tmp_path.iterdir()) == []


def wait_for(condition: object, seconds: float = 60.0) -> None:
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def processes(mark: str) -> list[str]:
    """Command lines of the living processes whose environment carries `mark`."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it ended while we looked, or is not ours
    return found
