"""Decisions: the C of every kind, compiled for this computer, equals the reference over random settings and scores."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen import decisions
from mcugen.decisions import Decision, ModelIO
from mcugen.environment import find_host_compiler
from mcugen.errors import DataError, McugenError, PipelineError
from mcugen.graph.types import DType, Quantization, Tensor
from mcugen.resources import resource_dir
from mcugen.toml_table import Table

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-pedantic")


def tensor(elements: int, scale: float, zero_point: int, dtype: DType = DType.INT8) -> Tensor:
    return Tensor(0, "t", (1, elements), dtype, Quantization((float(np.float32(scale)),), (zero_point,)))


def table(**fields: Any) -> Table:
    return Table(Path("pipeline.toml"), "decision", fields, PipelineError, "")


def drawn(rng: np.random.Generator) -> Decision:
    gate = {
        "smooth": int(rng.integers(1, 9)),
        "consecutive": int(rng.integers(1, 4)),
        "refractory": int(rng.choice([0, 1, 5, 20])),
    }
    zero_point = int(rng.integers(-128, 128))
    if rng.random() < 0.4:
        count = int(rng.integers(1, 20))
        given = tensor(count, float(rng.uniform(0.001, 2)), zero_point)
        output = (
            given if rng.random() < 0.3 else tensor(count, float(rng.uniform(0.001, 2)), int(rng.integers(-128, 128)))
        )
        threshold = float(rng.uniform(0, 3e4) * given.scale**2)
        fields = {"kind": "anomaly", "threshold": threshold, "release": threshold * float(rng.uniform(0.3, 1)), **gate}
        return decisions.parse(table(**fields)).bind(ModelIO(given, output, 0.02))
    count = int(rng.integers(1, 7))
    names = [f"label {n}" for n in range(count)]
    threshold = float(rng.uniform(0, 0.7))
    fields = {
        "labels": names,
        "background": names[:1] if count > 1 and rng.random() < 0.5 else [],
        "top": int(rng.integers(1, 4)),
        "threshold": threshold,
        "release": threshold * float(rng.uniform(0.2, 1)),
        **gate,
    }
    output = tensor(count, 1 / 256, zero_point)
    return decisions.parse(table(**fields)).bind(ModelIO(output, output, 0.02))


def source(made: list[Decision]) -> str:
    """One .c file with `reset_I` and `update_I` for each decision; update gives kind, label, score and the ranks."""
    parts = ['#include "mcg_decision_labels.h"', '#include "mcg_decision_anomaly.h"']
    for i, decision in enumerate(made):
        emitted = decision.emitted()
        own = [emitted.config, emitted.reset, emitted.update, emitted.label, emitted.score]
        config, reset, update, label, score = (text.replace("mcg_decide", f"d{i}") for text in own)
        rank = f"mcg_decision_labels_rank(&d{i}, {decision.top}, top, sums);" if decision.top else ""
        parts.append(
            f"{config}\nvoid reset_{i}(void);\n"
            f"int update_{i}(const void *input, const void *output, int64_t *told, uint16_t *top, int32_t *sums);\n"
            f"void reset_{i}(void) {{ {reset} }}\n"
            f"int update_{i}(const void *input, const void *output, int64_t *told, uint16_t *top, int32_t *sums) {{\n"
            f"  const int kind = {update};\n  (void)input; (void)top; (void)sums;\n"
            f"  told[0] = {label}; told[1] = (int64_t)({score});\n  if (kind) {{ {rank} }}\n  return kind;\n}}"
        )
    return "\n".join(parts) + "\n"


def pointer(values: NDArray[Any]) -> ctypes.c_void_p:
    return values.ctypes.data_as(ctypes.c_void_p)


def test_the_c_equals_the_reference(tmp_path: Path) -> None:
    rng = np.random.default_rng(17)
    made = [drawn(rng) for _ in range(40)]
    path, library = tmp_path / "decisions.c", tmp_path / "libdecisions.so"
    path.write_text(source(made))
    include = f"-I{resource_dir('firmware') / 'decisions'}"
    compiler = find_host_compiler()
    assert compiler is not None
    command = [compiler, *WARNINGS, "-O1", include, "-shared", "-fPIC", "-o", str(library), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    c = ctypes.CDLL(str(library))
    events = {"start": 0, "end": 0}
    for i, decision in enumerate(made):
        reference = decision.reference()
        told, top, sums = (ctypes.c_int64 * 2)(), (ctypes.c_uint16 * 16)(), (ctypes.c_int32 * 16)()
        count = len(decision.labels) if decision.top else decision.input.elements  # type: ignore[attr-defined]
        for _ in range(2):  # the second time after a reset in the middle of things
            getattr(c, f"reset_{i}")()
            reference.reset()
            level = 0.0
            for _ in range(120):
                level = 0.8 * level + 0.2 * float(rng.normal(0, 150))
                scores = np.clip(rng.normal(level, 30, count), -128, 127).astype(np.int8)
                given = np.clip(scores + rng.normal(0, 60, count), -128, 127).astype(np.int8)
                kind = getattr(c, f"update_{i}")(pointer(given), pointer(scores), told, top, sums)
                decided = reference.update(given, scores)
                assert kind == (0 if decided is None else decisions.KINDS.index(decided.kind) + 1)
                if decided is None:
                    continue
                events[decided.kind] += 1
                assert (decided.label, decided.score) == tuple(told)
                assert decided.top == tuple((top[n], sums[n]) for n in range(decision.top))
    assert events["start"] > 100
    assert events["end"] > 80


@pytest.mark.parametrize(("refractory_ms", "again"), [(150, 7), (151, 8), (210, 9)])
def test_what_a_gate_does(refractory_ms: float, again: int) -> None:
    fields = {"labels": ["word"], "threshold": 0.5, "release": 0.25, "smooth": 2, "consecutive": 2}
    output = tensor(1, 1 / 256, -128)
    wanted = decisions.parse(table(**fields, refractory_ms=refractory_ms))
    decision = wanted.bind(ModelIO(output, output, 0.03))
    reference = decision.reference()
    found = []
    for number, real in enumerate([0.9, 0.9, 0.9, 0.4, 0.2, 0.2, *[0.9] * 4]):
        told = reference.update(np.zeros(1), np.array([round(real * 256) - 128]))
        if told is not None:
            found.append((number, told.kind, round(decision.real(told.score), 2)))
    # The window is full at 1, above the threshold twice in a row at 2, and below the release at 5. Then above at 6 and
    # 7; but 151 ms are six inferences, and 210 ms are seven.
    assert found == [(2, "start", 0.9), (5, "end", 0.2), (again, "start", 0.9)]


def test_the_threshold_itself_is_not_above_it() -> None:
    output = tensor(1, 1 / 256, -128)
    decision = decisions.parse(table(labels=["word"], threshold=0.5)).bind(ModelIO(output, output, None))
    reference = decision.reference()
    assert reference.update(np.zeros(1), np.array([0])) is None
    assert reference.update(np.zeros(1), np.array([1])) is not None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"threshold": 0.5}, "labels.*is missing"),
        ({"labels": ["a", "a"], "threshold": 0.5}, "different names"),
        ({"labels": ["a"], "background": ["a"], "threshold": 0.5}, "names all labels"),
        ({"labels": ["a"]}, "threshold: is missing"),
        ({"labels": ["a"], "threshold": 0.5, "release": 0.6}, "more than the threshold"),
        ({"labels": ["a"], "threshold": 0.5, "smoth": 2}, 'smoth.*is unknown.*did you mean "smooth"'),
        ({"labels": ["a"], "threshold": 0.5, "refractory": 2, "refractory_ms": 3}, "give one of them"),
        ({"kind": "ghosts", "threshold": 0.5}, "not one of anomaly, boxes, labels"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(McugenError, match=words):
        decisions.parse(table(**fields))


def test_what_does_not_go_with_the_model_is_refused() -> None:
    three, one = tensor(3, 0.1, 0), tensor(1, 0.1, 0)
    labels = decisions.parse(table(labels=["a", "b"], threshold=0.5, refractory_ms=10))
    with pytest.raises(DataError, match="2 labels for 3 scores"):
        labels.bind(ModelIO(three, three, 0.1))
    with pytest.raises(DataError, match="the signal has no rate"):
        labels.bind(ModelIO(three, tensor(2, 0.1, 0), None))
    with pytest.raises(DataError, match="labels need quantized scores"):
        labels.bind(ModelIO(three, Tensor(0, "t", (1, 2), DType.FLOAT32), None))
    with pytest.raises(DataError, match="no autoencoder"):
        decisions.parse(table(kind="anomaly", threshold=1.0)).bind(ModelIO(three, one, 0.1))


def test_a_threshold_in_few_digits_means_the_very_score() -> None:
    rng = np.random.default_rng(3)
    for _ in range(400):
        decision = drawn(rng)
        score = int(rng.integers(0, 1 << int(rng.integers(1, 20))))
        threshold = decision.threshold_at(score)
        unit = decision.real(1)
        assert score * unit * (1 - 1e-12) <= threshold < (score + 1) * unit


def test_a_threshold_has_no_digit_too_many() -> None:
    wanted = decisions.parse(table(labels=["word"], smooth=5, threshold=0.5))
    decision = wanted.bind(ModelIO(tensor(1, 1 / 256, 0), tensor(1, 1 / 256, 0), 0.02))
    # Scores count 1/1280: 187 is from 0.14609 to 0.14687. 1088 is 0.85, but the float of that name lies below it.
    assert [decision.threshold_at(score) for score in (0, 187, 1087, 1088)] == [0.0, 0.1461, 0.85, 0.8501]


def test_other_thresholds_go_by_the_same_scores() -> None:
    """What an event starts above is moved; a release below the threshold stays, others go with it."""
    own = {"labels": ["a", "b"], "smooth": 2, "threshold": 0.5}
    model = ModelIO(tensor(2, 1 / 256, -128), tensor(2, 1 / 256, -128), 0.02)
    for given, moved, release in ((0.5, 0.75, 0.75), (0.25, 0.75, 0.25), (0.25, 0.125, 0.125)):
        wanted = decisions.parse(table(**own, release=given))
        other = wanted.at(moved)
        assert (other.gate.threshold, other.gate.release) == (moved, release)
        assert other.bind(model) == decisions.parse(table(**{**own, "threshold": moved}, release=release)).bind(model)
