"""A TFLM of one date and a reference of another: what differs between them is known, and named in place of a ✖."""

from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mcugen.flow import doctor
from mcugen.flow.proof import Proof
from mcugen.flow.prove import _changes
from mcugen.oracle.changes import CHANGES, FOLLOWED, changes_of, reference_date, version_date
from mcugen.oracle.engines import using
from mcugen.reference.names import PROVED_BY
from mcugen.runtimes.tflm.library import MAKEFILE, Checkout, checkout_of, named_checkout
from mcugen.runtimes.tflm.view import read_view
from mcugen.ui.proof import verdict_text
from mcugen.verify.verdict import Divergence
from tests.kernels.single_op import TensorSpec, build_model, options

OLD, NEW = date(2026, 8, 20), date(2026, 10, 23)


def leaky(dtype: str) -> bytes:
    x, y = TensorSpec((1, 8), dtype, 0.1), TensorSpec((1, 8), dtype, 0.1)
    return build_model("LEAKY_RELU", options("LeakyReluOptions", alpha=0.1), [x], [y])


def checkout(folder: Path, day: str) -> Path:
    """A folder that looks like a checkout of a date."""
    (folder / MAKEFILE).parent.mkdir(parents=True)
    (folder / MAKEFILE).touch()
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "GIT_CONFIG_GLOBAL": "/dev/null"}
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": "x", f"GIT_{role}_EMAIL": "x@y", f"GIT_{role}_DATE": f"{day}T16:47:21+00:00"}
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", "-C", str(folder), *command], env=env, check=True)
    return folder


def test_the_checkouts_date_and_commit_are_read(tmp_path: Path) -> None:
    found = named_checkout(str(checkout(tmp_path / "tflm", "2026-08-20")))
    assert found.date == OLD
    assert len(found.commit) == 40
    assert str(found) == f"of 2026-08-20 (commit {found.commit[:12]})"


def test_where_git_does_not_know_there_is_no_date(tmp_path: Path) -> None:
    (tmp_path / MAKEFILE).parent.mkdir(parents=True)
    (tmp_path / MAKEFILE).touch()
    assert (
        checkout_of(tmp_path) == named_checkout(str(tmp_path)) == named_checkout("some/library") == Checkout(None, "")
    )
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    assert checkout_of(tmp_path).date is None


def test_the_references_date_is_in_its_version() -> None:
    assert version_date("0.dev20261023182759") == NEW
    assert version_date("0.1.0") is None
    assert version_date("0.dev20269923182759") is None
    assert reference_date() is not None


def test_mcugens_own_reference_is_of_the_date_that_it_was_proved_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.dev20270101000000")
    with using("mcugen"):
        assert reference_date() == version_date(PROVED_BY) == NEW
    for compared in ("tflite-micro", "both"):
        with using(compared):
            assert reference_date() == date(2027, 1, 1)


@pytest.mark.parametrize(
    ("dtype", "one", "other", "count"),
    [
        ("int16", OLD, NEW, 1),
        ("int16", NEW, OLD, 1),
        ("int16", date(2026, 10, 13), NEW, 0),
        ("int16", OLD, date(2026, 10, 12), 0),
        ("int16", NEW, date(2026, 11, 1), 0),
        ("int8", OLD, NEW, 0),
        ("int16", None, NEW, 0),
    ],
)
def test_changes_between_two_dates(dtype: str, one: date | None, other: date | None, count: int) -> None:
    uses = list(read_view(leaky(dtype)).ops())
    assert len(list(changes_of(uses, one, other))) == count


def test_the_table_is_in_order_and_the_reference_is_the_one_that_is_followed() -> None:
    assert all(change.old < change.new <= FOLLOWED for change in CHANGES)
    assert {(change.kind, change.dtype) for change in CHANGES} >= {("LEAKY_RELU", "int16"), ("SUB", "int16")}
    assert reference_date() == FOLLOWED, "another reference is installed: look for changes, then say so here"


def proof_of(dtype: str, followed: date) -> Proof:
    """A proof whose first op differs, as far as its verdict's text needs it."""
    view = read_view(leaky(dtype))
    found = Divergence(0, 0, "LEAKY_RELU", "t1", 0, 1, 8, 1.0)
    verdict: Any = SimpleNamespace(
        first_divergent_op=found,
        samples=4,
        mismatched=(0,),
        bit_exact=False,
        passed=False,
        oracle="tflite-micro 0.dev20261023182759",
        sequence=False,
        afresh="",
        layers_checked=0,
        tolerant=False,
        max_abs_diff=1.0,
    )
    plan = SimpleNamespace(graph=view.main, steps=[SimpleNamespace(op=op) for op in view.main.ops])
    ready: Any = SimpleNamespace(plan=plan)
    changes = _changes(verdict, ready, followed)
    return cast(
        Proof,
        SimpleNamespace(
            judged=verdict,
            verdict=verdict,
            board=SimpleNamespace(name="b"),
            emulated=True,
            changes=changes,
            follows=f"this TensorFlow Lite Micro, {Checkout(followed, 'ab' * 20)}",
        ),
    )


def test_a_known_change_is_said_in_place_of_a_negative_verdict() -> None:
    text = verdict_text(proof_of("int16", OLD))
    assert "not bit-exact" not in text
    assert "is of another date than this TensorFlow Lite Micro, of 2026-08-20 (commit abababababab)" in text
    assert 'LEAKY_RELU in int16 (by up to 1); op 0 LEAKY_RELU "t1" shows it' in text
    assert "install a tflite-micro of the same date" in text


@pytest.mark.parametrize(("dtype", "followed"), [("int8", OLD), ("int16", NEW)])
def test_any_other_difference_is_one(dtype: str, followed: date) -> None:
    assert "not bit-exact" in verdict_text(proof_of(dtype, followed))


def test_doctor_shows_both_dates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUGEN_TFLM_DIR", str(checkout(tmp_path / "tflm", "2026-08-20")))
    found = {
        tool.name: check(tool)
        for tool, check in doctor._checks()
        if tool.name.lower().startswith(("tflite", "tensorflow l"))
    }
    assert "of 2026-08-20 (commit " in found["TensorFlow Lite Micro"].version
    assert f", of {reference_date()}" in found["tflite-micro"].version
