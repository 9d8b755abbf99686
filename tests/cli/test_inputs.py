"""Inputs that users give: every accepted form gives the same samples, everything else is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcugen.convert.data import load_samples
from mcugen.convert.types import OwnScaling
from mcugen.errors import DataError, ProjectError
from mcugen.flow.inputs import read_inputs
from mcugen.flow.labels import read_labels
from mcugen.graph import Graph
from mcugen.numerics.affine import dequantize, quantize
from mcugen.outputs import check_output, write_file
from mcugen.runtimes.aot.graph import read_graph
from mcugen.tflite.types import TensorSpec as DataSpec
from tests.cli.conftest import int8_model
from tests.kernels.single_op import TensorSpec, build_model

VALUES = np.array([[-128, -5, 0, 3, 64, 127], [1, 2, 3, 4, 5, 6]], np.int8)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return read_graph(int8_model())


def two_inputs() -> Graph:
    a = TensorSpec((1, 3), scale=0.1, zero_point=0, name="a")
    b = TensorSpec((1, 3), scale=0.1, zero_point=0, name="b")
    return read_graph(build_model("ADD", None, [a, b], [TensorSpec((1, 3), scale=0.2, zero_point=0, name="sum")]))


@pytest.mark.parametrize("array", [VALUES, VALUES[:, np.newaxis]], ids=["rows", "rows with batch"])
def test_forms_of_many_samples(graph: Graph, array: np.ndarray) -> None:
    given = read_inputs(array, graph)
    assert [sample[0].tolist() for sample in given.samples] == [[row.tolist()] for row in VALUES]
    assert given.notes == ()


@pytest.mark.parametrize("array", [VALUES[0], VALUES[:1]], ids=["bare", "with batch"])
def test_forms_of_one_sample(graph: Graph, array: np.ndarray) -> None:
    (sample,) = read_inputs(array, graph).samples
    assert sample[0].tolist() == VALUES[:1].tolist()


def test_floats_are_quantized_and_it_is_said(graph: Graph) -> None:
    tensor = graph.tensor(graph.inputs[0])
    given = read_inputs(dequantize(VALUES, tensor), graph)
    assert [sample[0][0].tolist() for sample in given.samples] == VALUES.tolist()
    assert "scale 0.02" in given.notes[0]


def test_files(graph: Graph, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", VALUES)
    np.savez(tmp_path / "named.npz", image=VALUES, other=np.zeros(3))
    np.savez(tmp_path / "single.npz", whatever=VALUES)
    np.savez(tmp_path / "x.npz", x=VALUES, y=np.zeros(2))
    for name in ("x.npy", "named.npz", "single.npz", "x.npz"):
        assert len(read_inputs(str(tmp_path / name), graph).samples) == 2, name


def test_several_inputs_by_name(tmp_path: Path) -> None:
    a, b = np.zeros((2, 3), np.int8), np.ones((2, 3), np.int8)
    np.savez(tmp_path / "ab.npz", b=b, a=a)
    given = read_inputs(tmp_path / "ab.npz", two_inputs())
    assert [[array.tolist() for array in sample] for sample in given.samples] == [[[[0] * 3], [[1] * 3]]] * 2
    assert len(read_inputs([a, b], two_inputs()).samples) == 2


def test_refusals(graph: Graph, tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", p=VALUES, q=VALUES)
    with pytest.raises(DataError, match="cannot tell which array holds the samples"):
        read_inputs(tmp_path / "two.npz", graph)
    with pytest.raises(DataError, match="1 array for 2 model inputs"):
        read_inputs(VALUES, two_inputs())
    with pytest.raises(DataError, match="different numbers of samples"):
        read_inputs([np.zeros((2, 3), np.int8), np.zeros((4, 3), np.int8)], two_inputs())
    with pytest.raises(DataError, match="uint8"):
        read_inputs(VALUES.astype(np.uint8), graph)


def rows_of(source: Path, graph: Graph) -> list[list[int]]:
    return [sample[0][0].tolist() for sample in read_inputs(source, graph).samples]


def calibration_rows(source: Path, graph: Graph) -> list[list[int]]:
    """What `data` takes from the same file, as the input's own integers."""
    tensor = graph.tensor(graph.inputs[0])
    spec = DataSpec(tensor.name, tensor.shape, tensor.dtype.value, tensor.scale, tensor.zero_point)
    (array,) = load_samples(source, (spec,)).inputs
    return (array if array.dtype == np.int8 else quantize(array, tensor)).tolist()


@pytest.mark.parametrize(
    "arrays",
    [
        {"anything": VALUES},
        {"anything": VALUES, "y": np.zeros(2)},
        {"anything": VALUES, "ids": np.arange(2)},
        {"samples": VALUES, "masks": np.ones((2, 6), np.int8)},
        {"image": VALUES, "x": np.zeros((2, 6), np.int8)},
        {"one": VALUES[0]},
    ],
    ids=["any key", "with labels", "the only one with rows", "a usual key", "named after the input", "one sample"],
)
def test_npz_is_read_as_calibration_data_is(graph: Graph, tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    wanted = VALUES[:1] if "one" in arrays else VALUES
    assert rows_of(tmp_path / "x.npz", graph) == calibration_rows(tmp_path / "x.npz", graph) == wanted.tolist()


def test_of_split_data_inputs_are_the_test_samples(graph: Graph, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x_train=np.zeros((9, 6), np.int8), x_test=VALUES, y_train=np.zeros(9))
    given = read_inputs(tmp_path / "x.npz", graph)
    assert [sample[0][0].tolist() for sample in given.samples] == VALUES.tolist()
    assert "the samples whose names end in _test were used" in given.notes


def test_an_input_may_be_named_as_labels_are(tmp_path: Path) -> None:
    specs = [TensorSpec((1, 3), scale=0.1, zero_point=0, name=name) for name in ("x", "y")]
    graph = read_graph(build_model("ADD", None, specs, [TensorSpec((1, 3), scale=0.2, zero_point=0, name="sum")]))
    np.savez(tmp_path / "xy.npz", x=np.zeros((1, 3), np.int8), y=np.ones((1, 3), np.int8))
    ((x, y),) = read_inputs(tmp_path / "xy.npz", graph).samples
    assert (x.tolist(), y.tolist()) == ([[0, 0, 0]], [[1, 1, 1]])


@pytest.mark.parametrize("header", ["", "a,b,label,c,d,e,f\n"], ids=["no header", "a column of labels"])
def test_csv_rows_are_reals(graph: Graph, tmp_path: Path, header: str) -> None:
    reals = dequantize(VALUES, graph.tensor(graph.inputs[0]))
    lines = [[f"{value:.6f}" for value in row] for row in reals]
    if header:
        lines = [[*row[:2], "7", *row[2:]] for row in lines]
    (tmp_path / "x.csv").write_text(header + "\n".join(",".join(row) for row in lines) + "\n")
    assert rows_of(tmp_path / "x.csv", graph) == calibration_rows(tmp_path / "x.csv", graph) == VALUES.tolist()
    with pytest.raises(DataError, match="has 2 inputs, which this format cannot store"):
        read_inputs(tmp_path / "x.csv", two_inputs())


def test_csv_rows_are_integers_where_the_input_takes_such(tmp_path: Path) -> None:
    rows = TensorSpec((1, 3), "int32", name="ids")
    graph = read_graph(build_model("RESHAPE", None, [rows], [TensorSpec((3,), "int32", name="out")]))
    (tmp_path / "x.csv").write_text("1,2,-3\n4,5,16777215\n")
    assert rows_of(tmp_path / "x.csv", graph) == [[1, 2, -3], [4, 5, 16777215]]
    for beyond in ("1,2,0.5\n", "1,2,16777217\n", "1,2,3e9\n"):
        (tmp_path / "x.csv").write_text(beyond)
        with pytest.raises(DataError, match="int32"):
            read_inputs(tmp_path / "x.csv", graph)


def test_a_csv_with_text_labels_is_read(graph: Graph, tmp_path: Path) -> None:
    tensor = graph.tensor(graph.inputs[0])
    rows = [",".join(f"{value:.6g}" for value in row) for row in dequantize(VALUES, tensor)]
    (tmp_path / "x.csv").write_text("\n".join(f"{row},{name}" for row, name in zip(rows, ("up", "down"), strict=True)))
    assert rows_of(tmp_path / "x.csv", graph) == VALUES.tolist()


@pytest.mark.parametrize("form", ["mapping", "rows", "generator", "flat"])
def test_objects_are_read_as_calibration_data_is(form: str) -> None:
    image = TensorSpec((1, 2, 3, 1), scale=0.02, zero_point=3, name="image")
    graph = read_graph(
        build_model("RELU", None, [image], [TensorSpec((1, 2, 3, 1), scale=0.02, zero_point=3, name="r")])
    )
    reals = dequantize(VALUES, graph.tensor(graph.inputs[0])).reshape(2, 2, 3, 1)
    sources = {
        "mapping": lambda: {"x": reals, "y": [0, 1]},
        "rows": lambda: {"image": reals[..., 0]},
        "generator": lambda: ((each, 1) for each in reals),
        "flat": lambda: reals.reshape(2, 6),
    }
    given = read_inputs(sources[form](), graph)
    assert [sample[0].reshape(-1).tolist() for sample in given.samples] == VALUES.tolist()


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "white"),
    [
        ("int8", 1.0, -128, 127),
        ("int8", 1 / 255, -128, 127),
        ("int16", 255 / 32767, 0, 32767),
        ("int16", 1 / 32767, 0, 32767),
    ],
)
def test_images_are_scaled_as_the_model_was_quantized(
    tmp_path: Path, dtype: str, scale: float, zero_point: int, white: int
) -> None:
    spec = TensorSpec((1, 2, 2, 1), dtype, scale=scale, zero_point=zero_point, name="image")
    graph = read_graph(
        build_model("RESHAPE", None, [spec], [TensorSpec((1, 4), dtype, scale=scale, zero_point=zero_point)])
    )
    Image.new("L", (2, 2), 255).save(tmp_path / "white.png")
    given = read_inputs(tmp_path, graph)
    assert given.samples[0][0].reshape(-1).tolist() == [white] * 4
    # Where only the source tells: float32 has no range.
    image, row = TensorSpec((1, 2, 2, 1), "float32", name="image"), TensorSpec((1, 4), "float32")
    floats = read_graph(build_model("RESHAPE", None, [image], [row]))
    for scaling, value in ((None, 1.0), (OwnScaling(1 / 255, "rescaling"), 255.0)):
        assert read_inputs(tmp_path, floats, scaling).samples[0][0].max() == value


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv", "x.parquet"])
@pytest.mark.parametrize("content", ["objects", "damaged", "empty"])
def test_what_cannot_be_read_is_refused_as_calibration_data_is(
    graph: Graph, tmp_path: Path, name: str, content: str
) -> None:
    path = tmp_path / name
    if content == "objects":
        objects = np.array([{"a": 1}], dtype=object)
        np.save(path, objects, allow_pickle=True) if name == "x.npy" else np.savez(path, x=objects)
        path = path if path.exists() else path.with_name(f"{name}.npz").rename(path)
    else:
        path.write_bytes(b"\xff\xfe\x00 damaged" if content == "damaged" else b"")
    with pytest.raises(DataError) as ours:
        read_inputs(path, graph)
    with pytest.raises(DataError) as theirs:
        calibration_rows(path, graph)
    assert (ours.value.what, ours.value.where) == (theirs.value.what, theirs.value.where)
    if content == "objects" and name in ("x.npy", "x.npz"):
        assert "Python objects, which are not loaded" in ours.value.what


def test_quantize_rounds_halves_away_from_zero_and_saturates(graph: Graph) -> None:
    tensor = graph.tensor(graph.inputs[0])  # scale 0.02, zero point 3
    real = np.array([0.0, 0.01, -0.01, 0.03, -0.03, 1e30, -1e30], np.float32)
    assert quantize(real, tensor).tolist() == [3, 4, 2, 5, 1, 127, -128]


def test_labels(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("cat\n\n dog \n")
    assert read_labels(str(tmp_path / "labels.txt")) == ("cat", "dog")
    assert read_labels("cat,dog") == read_labels(["cat", "dog"]) == ("cat", "dog")
    assert read_labels(None) == ()
    for wrong, why in (
        (str(tmp_path / "absent.txt"), "the labels cannot be read"),
        (",", "0 labels"),
        ("x" * 101 + ",y", "longer than 100 characters"),
    ):
        with pytest.raises(DataError, match=why):
            read_labels(wrong)


def test_files_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out.bin"
    write_file(target, b"old")

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fdopen", fail)
    with pytest.raises(ProjectError, match="No space left"):
        write_file(target, b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_inputs_are_recognised_through_links(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"x")
    (tmp_path / "link.tflite").symlink_to(model)
    with pytest.raises(ProjectError, match="overwrite"):
        check_output(tmp_path / "link.tflite", inputs=[model])
    check_output(tmp_path / "new.tflite", inputs=[model])


@pytest.mark.parametrize(
    ("reals", "said"),
    [
        (np.linspace(0, 255, 60).reshape(10, 6), "were clipped"),
        (np.linspace(0, 1, 60).reshape(10, 6) / 255, "levels"),
    ],
    ids=["not divided by 255", "divided by 255 twice"],
)
def test_reals_of_another_scale_are_warned_of(graph: Graph, reals: np.ndarray, said: str) -> None:
    given = read_inputs(reals.astype(np.float32), graph)
    assert said in given.warnings[0]
    assert "quantized for [-2.62, 2.48]" in given.warnings[0]


def test_reals_of_the_models_scale_are_not_warned_of(graph: Graph) -> None:
    reals = np.linspace(-2.5, 2.5, 60, dtype=np.float32).reshape(10, 6)
    assert read_inputs(reals, graph).warnings == ()
    assert read_inputs(np.zeros((1, 6), np.float32), graph).warnings == ()


def test_the_same_sample_again_and_again_is_warned_of(graph: Graph) -> None:
    (warning,) = read_inputs(np.repeat(VALUES[:1], 3, axis=0), graph).warnings
    assert warning.startswith("the model sees 3 identical samples")
