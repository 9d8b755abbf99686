"""Detections as the emitted header gives them, in C: equal to what outputs say."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mcugen.assess import found_boxes
from mcugen.emit.style import Style
from mcugen.environment import find_host_compiler
from mcugen.reference import NumpyReference
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from mcugen.tflite.detections import places_of_graph
from tests.kernels.test_detection_postprocess import build, drawn

PROGRAM = """
#include "{name}.h"
#include <string.h>
{context}
int detect(const float *boxes, uint32_t box_bytes, const float *scores, uint32_t score_bytes, float *to);
int detect(const float *boxes, uint32_t box_bytes, const float *scores, uint32_t score_bytes, float *to) {{
  {name}_init({only});
  memcpy({name}_input0({only}), boxes, box_bytes);
  memcpy({name}_input1({only}), scores, score_bytes);
  {name}_invoke({only});
  const uint32_t count = {name}_detection_count({only});
  for (uint32_t i = 0; i < count && i < {NAME}_MOST_DETECTIONS; i++) {{
    const {name}_detection found = {name}_get_detection({first}i);
    *to++ = found.ymin, *to++ = found.xmin, *to++ = found.ymax, *to++ = found.xmax;
    *to++ = found.score, *to++ = (float)found.label;
  }}
  return (int)count;
}}
"""


@pytest.mark.parametrize("style", [Style("finder"), Style("finder", arena="context")], ids=lambda s: s.arena)
@pytest.mark.parametrize("each", [1, 2])
def test_the_header_gives_what_was_found(tmp_path: Path, style: Style, each: int) -> None:
    model = build(max_classes_per_detection=each, rows=10 * each * each)
    graph = read_graph(model)
    for path, text in emit_model(make_plan(graph), style=style).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    context = style.arena == "context"
    words = {"only": "&memory", "first": "&memory, "} if context else {"only": "", "first": ""}
    declared = "static finder_context memory;" if context else ""
    (tmp_path / "main.c").write_text(PROGRAM.format(name="finder", NAME="FINDER", context=declared, **words))
    compiler = find_host_compiler()
    assert compiler is not None
    library = tmp_path / "libfinder.so"
    sources = [str(tmp_path / "main.c"), str(tmp_path / "finder.c")]
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library)]
    done = subprocess.run([compiler, *flags, *sources, "-lm"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    detect = ctypes.CDLL(str(library)).detect
    places = places_of_graph(graph)
    assert places is not None
    for boxes, scores in drawn(60, 4):
        to = np.zeros(6 * 10 * each, np.float32)
        given = [value for array in (boxes, scores) for value in (array.ctypes.data_as(ctypes.c_void_p), array.nbytes)]
        count = detect(*given, to.ctypes.data_as(ctypes.c_void_p))
        outputs = [values.reshape(1, *values.shape[1:]) for values in NumpyReference(model).run([boxes, scores])]
        (found,) = found_boxes(outputs, places)
        assert count == found.count > 0
        rows = to.reshape(-1, 6)[:count]
        np.testing.assert_array_equal(rows[:, :4], found.corners.astype(np.float32))
        np.testing.assert_array_equal(rows[:, 4], found.scores.astype(np.float32))
        np.testing.assert_array_equal(rows[:, 5], found.classes)
