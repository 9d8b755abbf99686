"""Advice that messages give about models: how to get it, and how to follow it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcugen import api
from mcugen.convert import Choices, convert, open_float
from tests import zoo
from tests.convert import test_from_uint8 as uint8
from tests.convert import test_parts as parts
from tests.docs.advised_models import (
    BOARD,
    SCALED,
    X,
    class_names,
    cumsum,
    edit,
    endless,
    evaluated,
    exported,
    files,
    floats,
    generated,
    image,
    int8,
    keyword_project,
    labelled,
    large,
    nested,
    paired,
    refused_by_tensorflow,
    runs,
    searched,
    two_inputs,
)


@dataclass(frozen=True)
class Case:
    """`wrong` gets the advice, as an error or among a conversion's warnings; each of `right` follows a part of it."""

    file: str
    advice: str
    wrong: Callable[[Path], Any]
    right: tuple[Callable[[Path], Any], ...]


CASES = [
    Case(
        "convert/pipeline.py",
        "Omit either `data` or `quantize=False`",
        lambda _: convert(floats(), X, quantize=False),
        (lambda _: convert(floats(), X), lambda _: convert(floats(), quantize=False)),
    ),
    Case(
        "convert/pipeline.py",
        "Omit `activations`, or pass the float model",
        lambda _: convert(int8(), activations="int16"),
        (lambda _: convert(int8()),),
    ),
    Case(
        "convert/pipeline.py",
        "Omit `quantize=False`",
        lambda _: convert(floats(), quantize=False, activations="int16"),
        (lambda _: convert(floats(), X),),
    ),
    Case(
        "convert/pipeline.py",
        "Omit it, or `quantize=False`",
        lambda _: convert(floats(), quantize=False, choices=Choices(split_outputs=True)),
        (
            lambda _: convert(floats(), quantize=False),
            lambda _: convert(floats(), X, choices=Choices(split_outputs=True)),
        ),
    ),
    Case(
        "convert/pipeline.py",
        "Pass the float model, or omit `auto=True`",
        lambda _: open_float(int8(), X),
        (lambda _: open_float(floats(), X).quantized(Choices()), lambda _: convert(int8())),
    ),
    Case(
        "convert/pipeline.py",
        "Omit `quantize=False`, or pass the float model",
        lambda _: convert(int8(), quantize=False),
        (lambda _: convert(int8()), lambda _: convert(floats(), quantize=False)),
    ),
    Case(
        "convert/pipeline.py",
        "Pass `data` with a .npz, .npy or .csv file or a folder of images that holds …; 100 to 200 samples do. "
        '`data="random"` works for a first try, but its accuracy means nothing',
        lambda _: convert(floats()),
        (lambda _: convert(floats(), X), lambda _: convert(floats(), "random")),
    ),
    Case(
        "convert/quantize_16x8.py",
        "Omit `activations` for int8, or write the layer with other ops",
        lambda _: convert(floats("ELU"), X, activations="int16"),
        (lambda _: convert(floats("ELU"), X),),
    ),
    Case(
        "convert/quantize_16x8.py",
        "Omit `activations` for int8, or rewrite the op",
        refused_by_tensorflow,
        (lambda _: convert(floats(), X),),
    ),
    Case(
        "convert/loops/counted.py",
        "Give sequences a fixed length, or run the model in float32 with `quantize=False`",
        lambda _: convert(endless(), np.ones((3, 1), np.float32)),
        (lambda _: runs(endless(), quantize=False),),
    ),
    Case(
        "convert/float_model.py",
        "calibrated on random data: accuracy is meaningless; pass real samples with `data`",
        lambda _: convert(floats(), "random"),
        (lambda _: convert(floats(), X),),
    ),
    Case(
        "convert/from_uint8.py",
        "Pass the float model with `data`: it is quantized to int8 here. If only this file is left, look for a newer "
        "one of the same network: int8 and float32 files are published of most",
        lambda _: convert(uint8.network(pool=2)),
        (lambda _: convert(floats(), X),),
    ),
    Case(
        "convert/load.py",
        "Pass the .keras or .h5 file that this model came from, or omit `scale`",
        lambda folder: api.fit(files(folder)["int8"], scale="width", cycles=False),
        (lambda folder: api.fit(files(folder)["int8"], cycles=False),),
    ),
    Case(
        "convert/scaler.py",
        "Pass the float model, or omit `scaler`",
        lambda folder: generated(folder, "int8", scaler={"mean": [0.0] * 8, "scale": [2.0] * 8}),
        (
            lambda folder: generated(folder, "int8"),
            lambda folder: generated(folder, "float", "b", data=X, scaler={"mean": [0.0] * 8, "scale": [2.0] * 8}),
        ),
    ),
    Case(
        "ops/advice.py",
        "`quantize=False` runs the model in float32, where this op has a kernel",
        lambda _: convert(cumsum(), np.ones((3, 4), np.float32)),
        (lambda _: runs(cumsum(), quantize=False),),
    ),
    Case(
        "convert/data_labels.py",
        "Give the names of all classes by `labels`, in the model's order",
        lambda folder: labelled(folder, labels=["cat", "dog", "cow", "pig"]),
        (lambda folder: labelled(folder, labels=["cat", "dog", "cow", "hen"]),),
    ),
    Case(
        "assess/task.py",
        "Give the names of all classes by `labels`, in the model's order",
        lambda folder: api.quantize(
            floats(), data={"x": X, "y": ["cat", "dog"] * 30}, out=folder / "q.tflite", metric="accuracy"
        ),
        (
            lambda folder: api.quantize(
                floats(),
                data={"x": X, "y": ["cat", "dog"] * 30},
                out=folder / "q.tflite",
                metric="accuracy",
                labels=["cat", "dog", "cow", "hen"],
            ),
        ),
    ),
    Case(
        "project/mlperf.py",
        'Omit `protocol="mlperf"`, or `rows="pushed"`',
        lambda folder: api.generate(image(), board=BOARD, out=folder / "a", protocol="mlperf", rows="pushed"),
        (
            lambda folder: api.generate(image(), board=BOARD, out=folder / "b", rows="pushed"),
            lambda folder: api.generate(image(), board=BOARD, out=folder / "c", protocol="mlperf"),
        ),
    ),
    Case(
        "project/folder.py",
        "Choose another output folder, or pass `force=True`: it replaces changed files and keeps added ones",
        lambda folder: (generated(folder, "int8"), edit(folder), generated(folder, "int8")),
        (
            lambda folder: generated(folder, "int8", "another"),
            lambda folder: generated(folder, "int8", force=True),
        ),
    ),
    Case(
        "flow/runtime.py",
        "TFLM's kernels come prebuilt with its library: omit `optimize`",
        lambda folder: generated(folder, "int8", runtime="tflm", optimize="size"),
        (lambda folder: generated(folder, "int8", runtime="tflm"),),
    ),
    Case(
        "flow/runtime.py",
        'Add `runtime="tflm"`',
        lambda folder: generated(folder, "int8", keep_names=True),
        (lambda folder: generated(folder, "int8", keep_names=True, runtime="tflm"),),
    ),
    Case(
        "flow/tuning.py",
        "Add `auto=True`, or omit `…`",
        lambda folder: labelled(folder, max_flash=100_000),
        (lambda folder: labelled(folder),),
    ),
    Case(
        "flow/tuning.py",
        "Omit it, or `auto=True`",
        lambda folder: labelled(folder, auto=True, split_outputs=True),
        (lambda folder: labelled(folder, split_outputs=True), lambda folder: searched(folder)),
    ),
    Case(
        "flow/tuning.py",
        "Omit …, or `auto=True`",
        lambda folder: labelled(folder, auto=True, activations="int16"),
        (lambda folder: searched(folder),),
    ),
    Case(
        "flow/tuning.py",
        "Pass `board` with a board that has one; `api.boards()` says which",
        lambda folder: searched(folder, max_instructions=100_000),
        (lambda folder: searched(folder, max_instructions=100_000, board=BOARD),),
    ),
    Case(
        "verbs/quantize.py",
        "Add `auto=True`, or omit `board`",
        lambda folder: labelled(folder, board=BOARD),
        (lambda folder: labelled(folder), lambda f: searched(f, board=BOARD)),
    ),
    Case(
        "flow/judging.py",
        'Pass `eval_data=X.npz` with "x" and "y"',
        lambda folder: api.quantize(int8(), out=folder / "q.tflite", metric="accuracy"),
        (lambda folder: evaluated(folder, int8(), metric="accuracy"),),
    ),
    Case(
        "flow/judging.py",
        "Pass the float model and `data`",
        lambda folder: evaluated(folder, int8(), max_drop=50.0),
        (lambda folder: evaluated(folder, floats(), max_drop=50.0, data=X),),
    ),
    Case(
        "flow/labels.py",
        'Pass a text file with one name per line, or the names with commas: `labels="cat,dog"`',
        lambda folder: labelled(folder, labels=str(folder / "names.txt")),
        (
            lambda folder: labelled(folder, labels="cat,dog,cow,hen"),
            lambda folder: labelled(folder, labels=class_names(folder)),
        ),
    ),
    Case(
        "verbs/export.py",
        "Quantize each first: `api.quantize(MODEL, data=D, out=FILE)`",
        lambda folder: exported(folder, ["float", "int8"], data=X),
        (
            lambda folder: (
                api.quantize(floats(), data=X, out=folder / "first.tflite"),
                exported(folder, ["int8", "int8"], name=["a", "b"]),
            ),
        ),
    ),
    Case(
        "verbs/export.py",
        "Omit `context=True`",
        lambda folder: exported(
            folder, ["int8", "int8"], format="firmware", board=BOARD, context=True, name=["a", "b"]
        ),
        (lambda folder: exported(folder, ["int8", "int8"], format="firmware", board=BOARD, name=["a", "b"]),),
    ),
    Case(
        "verbs/export.py",
        "Make it: `api.generate(MODEL, board=BOARD, out=DIR)`",
        lambda folder: exported(folder, "int8", format="firmware", board=BOARD),
        (lambda folder: generated(folder, "int8"),),
    ),
    Case(
        "flow/exporting.py",
        "Pass a name for each: `name=[NAME, NAME]`",
        lambda folder: exported(folder, ["int8", "int8"]),
        (lambda folder: exported(folder, ["int8", "int8"], name=["a", "b"]),),
    ),
    Case(
        "flow/exporting.py",
        "Pass `board=BOARD`",
        lambda folder: exported(folder, ["int8", "int8"], format="firmware", core="cortex-m4f", name=["a", "b"]),
        (lambda folder: exported(folder, ["int8", "int8"], format="firmware", board=BOARD, name=["a", "b"]),),
    ),
    Case(
        "convert/float_model.py",
        "one scale leaves little of …, far smaller than the rest of the output: let the model return it apart, or pass "
        '`activations="int16"`',
        lambda _: convert(parts.one_layer(), parts.DATA),
        (lambda _: convert(parts.one_layer(), parts.DATA, activations="int16"),),
    ),
    Case(
        "convert/loops/counted.py",
        "Move the inner loop out, or run the model in float32 with `quantize=False`",
        lambda _: convert(nested(), np.ones((3, 1), np.float32)),
        (lambda _: runs(nested(), quantize=False),),
    ),
    Case(
        "flow/exporting.py",
        'Choose another goal: `optimize="balanced"`',
        lambda folder: paired(folder, zoo.model("resnet"), optimize="ram"),
        (lambda folder: paired(folder, zoo.model("resnet"), optimize="balanced"),),
    ),
    Case(
        "flow/exporting.py",
        "Omit `share_arena=True`: each model gets an arena of its own",
        lambda folder: paired(folder, zoo.model("svdf"), share_arena=True),
        (lambda folder: paired(folder, zoo.model("svdf")),),
    ),
    Case(
        "flow/exporting.py",
        "Pass `share_arena=True` if they never run at once, or choose a board with more memory",
        lambda folder: paired(folder, large(), board="stm32vldiscovery"),
        (
            lambda folder: paired(folder, large(), board="stm32vldiscovery", share_arena=True),
            lambda folder: paired(folder, large(), "b"),
        ),
    ),
    Case(
        "project/project.py",
        "Make one: `api.generate(MODEL, board=BOARD, out=DIR)`",
        lambda folder: api.build(folder / "out"),
        (lambda folder: generated(folder, "int8"),),
    ),
    Case(
        "project/mlperf.py",
        'Omit `protocol="mlperf"`',
        lambda folder: api.generate(two_inputs(), board=BOARD, out=folder / "a", protocol="mlperf"),
        (lambda folder: api.generate(two_inputs(), board=BOARD, out=folder / "a"),),
    ),
    Case(
        "project/mlperf.py",
        'Omit `protocol="mlperf"`, or pass the model without its scaling',
        lambda folder: keyword_project(folder, scaler=SCALED, protocol="mlperf"),
        (
            lambda folder: keyword_project(folder, scaler=SCALED),
            lambda folder: keyword_project(folder, "b", protocol="mlperf"),
        ),
    ),
]
