"""A float model is made once by TensorFlow, as long as nothing changes that it depends on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mcugen.convert import kept, load
from mcugen.convert.kept import Kept, find_kept, keep, kept_key
from mcugen.convert.sources import identify
from mcugen.convert.types import Attempt, OwnScaling
from mcugen.convert.worker_client import run_worker
from mcugen.errors import ConversionError

pytestmark = [pytest.mark.tensorflow, pytest.mark.xdist_group("tensorflow")]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCUGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(kept.KEEP_VARIABLE)
    return tmp_path / "cache" / "converted"


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What TensorFlow was asked."""
    asked: list[str] = []

    def counted(folder: Path, request: dict[str, Any], **options: Any) -> Any:
        asked.append(request["job"])
        return run_worker(folder, request, **options)

    monkeypatch.setattr(load, "run_worker", counted)
    return asked


def save_model(path: Path) -> Path:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(3)
    layers = keras.layers
    keras.Sequential(
        [keras.Input((4,)), layers.Rescaling(1 / 255, offset=-1.0, name="rescaling"), layers.Dense(2)]
    ).save(path)
    return path


def test_the_second_time_tensorflow_is_not_asked(tmp_path: Path, jobs: list[str]) -> None:
    path = save_model(tmp_path / "model.keras")
    first = load.load_tflite(identify(path))
    path = path.rename(tmp_path / "renamed.keras")
    second = load.load_tflite(identify(path))
    assert jobs == ["convert"]
    assert second.model.data == first.model.data
    assert second.scaling == first.scaling == OwnScaling(1 / 255, "rescaling", first.scaling.offset)
    assert second.attempts == first.attempts
    path.write_bytes(path.read_bytes() + b" ")
    assert load.load_tflite(identify(path)).model.data == first.model.data
    assert jobs == ["convert", "convert"]


def test_what_is_refused_is_not_kept(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "bad.keras").write_bytes(save_model(tmp_path / "model.keras").read_bytes()[:500])
    with pytest.raises(ConversionError, match=r"bad\.keras"):
        load._from_file("keras", tmp_path / "bad.keras", tmp_path, None, trusted=False)
    assert not cache.exists()


def test_the_name_holds_all_that_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "data").write_bytes(b"weights")
    own = tmp_path / "layers.py"
    own.write_text("x = 1")

    def key(**changed: Any) -> str:
        given = {"kind": "saved_model", "path": folder, "own": None, "trusted": False, **changed}
        return kept_key(given["kind"], given["path"], given["own"], trusted=given["trusted"])

    names = [key(), key(trusted=True), key(kind="keras"), key(own=own)]
    own.write_text("x = 2")
    names.append(key(own=own))
    (folder / "variables" / "data").write_bytes(b"Weights")
    names.append(key())
    (folder / "variables" / "data").rename(folder / "data")
    names.append(key())
    monkeypatch.setattr(kept, "_versions", lambda: ["tensorflow 99"])
    names.append(key())
    monkeypatch.setattr(kept, "_code", lambda: "other code")
    names.append(key())
    assert len(set(names)) == len(names) == 9
    monkeypatch.setattr(kept, "_versions", list)
    assert key() == ""


def test_nothing_is_kept_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").write_bytes(b"")
    assert kept_key("keras", tmp_path / "model", None, trusted=False)
    monkeypatch.setenv(kept.KEEP_VARIABLE, "0")
    assert not kept_key("keras", tmp_path / "model", None, trusted=False)


def some(content: bytes) -> Kept:
    return Kept(content, (Attempt("a", "ok"),), OwnScaling(0.5, "scale", 1.0))


def test_what_is_damaged_is_not_taken(cache: Path) -> None:
    keep("key", some(b"model"))
    found = find_kept("key")
    assert found is not None
    assert (found.tflite, found.attempts, found.scaling) == (b"model", some(b"").attempts, some(b"").scaling)
    (cache / "key" / "float.tflite").write_bytes(b"Model")
    assert find_kept("key") is None
    (cache / "key" / "float.tflite").write_bytes(b"model")
    assert find_kept("key") is not None
    (cache / "key" / "facts.json").write_text("{}")
    assert find_kept("key") is None
    assert find_kept("other") is None


def test_the_longest_unused_goes_first(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, key in enumerate(("a", "b", "c")):
        keep(key, some(b"x" * 1000))
        os.utime(cache / key, (number, number))
    assert find_kept("a") is not None  # used just now
    monkeypatch.setattr(kept, "MOST_BYTES", 3000)
    keep("d", some(b"x" * 1000))
    assert sorted(path.name for path in cache.iterdir()) == ["a", "d"]


def test_a_cache_that_cannot_be_written_is_none(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file")
    keep("key", some(b"model"))
    assert find_kept("key") is None
