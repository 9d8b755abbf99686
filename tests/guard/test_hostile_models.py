"""Files that would run code, write or read: built here, as an attacker would. They do nothing but be refused."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert
from mcugen.errors import ConversionError

pytestmark = [pytest.mark.tensorflow, pytest.mark.xdist_group("tensorflow")]


def keras_zip(path: Path, config: Any, weights: bytes | None = None) -> Path:
    """A `.keras` archive with a configuration of the attacker's."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0", "date_saved": ""}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights if weights is not None else empty_h5())
    return path


def empty_h5() -> bytes:
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w"):
        pass
    return file.getvalue()


def h5(path: Path, config: Any) -> Path:
    """An HDF5 file as Keras 2 writes it."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.13.1"
        file.attrs["backend"] = "tensorflow"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([], "S1")
    return path


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    start = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, 4], "dtype": "float32", "name": "input"},
        "registered_name": None,
    }
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "model", "layers": [start, *layers]},
        "registered_name": None,
    }


def lambda_layer(module: str, function: str) -> dict[str, Any]:
    return {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {
            "name": "sneaky",
            "function": {
                "module": module, "class_name": "function", "config": function, "registered_name": function,
            },
            "arguments": {"shell": True},
        },
        "registered_name": None,
    }  # fmt: skip


def dense(**config: Any) -> dict[str, Any]:
    return {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"name": "sneaky", "units": 2, **config},
        "registered_name": None,
    }


def call(module: str, function: str) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": function, "registered_name": function}


OP_LAMBDA = {
    "class_name": "Functional",
    "config": {
        "name": "model",
        "layers": [
            {
                "class_name": "InputLayer",
                "config": {"batch_input_shape": [None, 4], "dtype": "float32", "name": "input"},
                "name": "input",
                "inbound_nodes": [],
            },
            {
                "class_name": "TFOpLambda",
                "config": {"name": "sneaky", "trainable": True, "dtype": "float32", "function": "io.write_file"},
                "name": "sneaky",
                "inbound_nodes": [["{marker}", -1, -1, {"contents": "owned"}]],
            },
        ],
        "input_layers": [["input", 0, 0]],
        "output_layers": [["input", 0, 0]],
    },
}

NESTED = sequential({**sequential(lambda_layer("subprocess", "check_output")), "registered_name": None})
IN_A_WRAPPER = sequential(
    {
        "module": "keras.layers",
        "class_name": "TimeDistributed",
        "config": {"name": "outer", "layer": lambda_layer("subprocess", "check_output")},
        "registered_name": None,
    }
)

CONFIGS: dict[str, tuple[Any, str]] = {
    "a Lambda that names a function": (
        sequential(lambda_layer("subprocess", "check_output")),
        r'layer "sneaky": is a Lambda layer',
    ),
    "a Lambda in a nested model": (NESTED, 'layer "sneaky": is a Lambda layer'),
    "a Lambda in a wrapper": (IN_A_WRAPPER, 'layer "sneaky": is a Lambda layer'),
    "a TFOpLambda that writes": (OP_LAMBDA, r"calls tf.io.write_file, which does more than compute"),
    "an initializer of another module": (
        sequential(dense(kernel_initializer=call("os", "system"))),
        r"uses the function os.system, which is not one of Keras",
    ),
    "a function of Keras from elsewhere": (
        sequential(dense(activation=call("sneaky_module", "relu"))),
        r"looks for relu in the module sneaky_module, which is not of Keras",
    ),
    "another registered name": (
        sequential(dense(activation={**call("builtins", "relu"), "registered_name": "check_output"})),
        r"uses the function builtins.check_output",
    ),
    "a class of another module": (
        sequential({**dense(), "module": "subprocess", "class_name": "Popen"}),
        r"uses the class subprocess.Popen",
    ),
    "a layer's name in another module": (
        sequential({**dense(), "module": "sneaky_module"}),
        r"looks for Dense in the module sneaky_module",
    ),
    "a model of others": (
        sequential({**dense(filepath="/tmp/model"), "class_name": "TFSMLayer"}),
        r"uses the class keras.layers.TFSMLayer",
    ),
    "a pickle": (
        sequential({**dense(module="gASVAA=="), "class_name": "TorchModuleWrapper"}),
        r"uses the class keras.layers.TorchModuleWrapper",
    ),
    "a vocabulary from a file": (
        sequential({**dense(vocabulary="/etc/passwd"), "class_name": "StringLookup"}),
        r"uses the class keras.layers.StringLookup",
    ),
    "a loss of a nested model": (
        sequential({**sequential(), "compile_config": {"loss": call("os", "system")}}),
        r"uses the function os.system",
    ),
    "an activation by another name": (
        sequential(dense(activation="keras.utils.get_file")),
        r'its activation "keras.utils.get_file" is not one of Keras',
    ),
    "an op of another module": (
        sequential({**dense(), "module": "keras.src.utils.file_utils", "class_name": "Copy"}),
        r"uses the class keras.src.utils.file_utils.Copy",
    ),
}

CONTAINERS: dict[str, Callable[[Path, Any], Path]] = {
    "zip.keras": keras_zip,
    "hdf5.h5": h5,
    "hdf5.keras": h5,  # Keras goes by the suffix, and so did a check
    "zip.h5": keras_zip,
    "zip": keras_zip,
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", CONFIGS)
def test_keras_files_with_code_are_refused(
    name: str, container: str, tmp_path: Path, in_this_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, message = CONFIGS[name]
    marker = tmp_path / "marker"
    config = json.loads(json.dumps(config).replace("{marker}", str(marker)))
    path = CONTAINERS[container](tmp_path / f"model.{container}", config)
    with pytest.raises(ConversionError, match=message):
        convert(path, "random")
    assert not marker.exists()


@pytest.mark.parametrize("container", ["zip.keras", "hdf5.h5", "hdf5.keras"])
def test_they_are_refused_in_the_confined_process_too(container: str, tmp_path: Path) -> None:
    """The whole way, once for each container."""
    path = CONTAINERS[container](
        tmp_path / f"model.{container}", sequential(lambda_layer("subprocess", "check_output"))
    )
    with pytest.raises(ConversionError, match=r'model.*layer "sneaky": is a Lambda layer.*`trust_model`'):
        convert(path, "random")


def test_weights_that_point_elsewhere(tmp_path: Path, in_this_process: None) -> None:
    import h5py

    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["key"] = np.arange(4.0)
    for name, make in {
        "external link": lambda file: file.__setitem__("layer", h5py.ExternalLink(str(secret), "key")),
        "external data": lambda file: file.create_dataset(
            "data", (4,), "f8", external=[(str(tmp_path / "raw"), 0, 32)]
        ),
        "soft link": lambda file: file.__setitem__("layer", h5py.SoftLink("/elsewhere")),
    }.items():
        weights = io.BytesIO()
        with h5py.File(weights, "w") as file:
            make(file)
        path = keras_zip(tmp_path / f"{name}.keras", sequential(dense()), weights.getvalue())
        with pytest.raises(ConversionError, match=r'model\.weights\.h5: "/?\w+" points into another file|/layer'):
            convert(path, "random")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("config.json", "{}", "holds a file twice"), ("model.weights.npz", "x", "NumPy archive")],
)
def test_archives_that_readers_could_take_differently(
    name: str, content: str, message: str, tmp_path: Path, in_this_process: None
) -> None:
    path = keras_zip(tmp_path / "model.keras", sequential(dense()))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, content)
    with pytest.raises(ConversionError, match=message):
        convert(path, "random")


@pytest.fixture(scope="module")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SavedModels that write a file while they are loaded, while they run, or never but could."""
    tf = pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("saved")
    target = str(folder / "owned")

    class Honest(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32)])
        def __call__(self, x: Any) -> Any:
            return x * 2.0

    class Calls(tf.Module):  # type: ignore[misc]
        def __init__(self, action: Callable[[Any], Any]) -> None:
            self.action = action

        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32)])
        def __call__(self, x: Any) -> Any:
            self.action(x)
            return x * 2.0

    def through_a_function(x: Any) -> None:
        def write() -> Any:
            tf.io.write_file(target, "x")
            return 1

        tf.cond(tf.reduce_sum(x) > 0, tf.function(write), lambda: 0)

    ops = tf.raw_ops
    kinds: dict[str, Any] = {
        "honest": Honest(),
        "WriteFile": Calls(lambda x: tf.io.write_file(target, "x")),
        "WriteFile in a branch": Calls(through_a_function),
        "EagerPyFunc": Calls(lambda x: tf.py_function(Path(target).touch, [], [])),
        "ReadFile": Calls(lambda x: tf.io.read_file("/etc/passwd")),
        "MatchingFiles": Calls(lambda x: tf.io.matching_files("/etc/*")),
        "PrintV2": Calls(lambda x: ops.PrintV2(input="x", output_stream=f"file://{target}")),
        "SaveV2": Calls(lambda x: ops.SaveV2(prefix=target, tensor_names=["x"], shape_and_slices=[""], tensors=[x])),
        "RestoreV2": Calls(
            lambda x: ops.RestoreV2(prefix=target, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32])
        ),
        "TextLineDataset": Calls(
            lambda x: ops.TextLineDataset(filenames=["/etc/passwd"], compression_type="", buffer_size=0)
        ),
    }
    for name, module in kinds.items():
        tf.saved_model.save(module, str(folder / name.replace(" ", "_")))
    # One that writes while it is loaded: the initializer of a table.
    table = Honest()
    words = folder / "words.txt"
    words.write_text("a\nb\n")
    table.lookup = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        ),
        -1,
    )
    tf.saved_model.save(table, str(folder / "InitializeTableFromTextFileV2"))
    return folder


HOSTILE_OPS = [
    "WriteFile", "WriteFile in a branch", "EagerPyFunc", "ReadFile", "MatchingFiles", "PrintV2", "SaveV2", "RestoreV2",
    "TextLineDataset", "InitializeTableFromTextFileV2",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_OPS)
def test_saved_models_that_do_more_than_compute(name: str, saved_models: Path, in_this_process: None) -> None:
    with pytest.raises(ConversionError, match=f"the op {name.split()[0]} is not one that a model computes with"):
        convert(saved_models / name.replace(" ", "_"), "random")
    assert not (saved_models / "owned").exists()


def test_an_honest_saved_model_loads(saved_models: Path) -> None:
    assert convert(saved_models / "honest", "random").report.attempts[0].ok


def test_main_ops_run_while_loading(saved_models: Path, tmp_path: Path, in_this_process: None) -> None:
    """TensorFlow runs what a collection of the graph names: its own save function must not be among it."""
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(saved_models / "honest", tmp_path / "model")
    file = tmp_path / "model" / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    graph = saved.meta_graphs[0]
    saves = graph.saver_def.save_tensor_name.split(":")[0]
    graph.collection_def["saved_model_main_op"].node_list.value[:] = [saves]
    file.write_bytes(saved.SerializeToString())
    with pytest.raises(ConversionError, match="the op StatefulPartitionedCall is not one"):
        convert(tmp_path / "model", "random")


def test_an_object_may_not_be_the_save_function(saved_models: Path, tmp_path: Path, in_this_process: None) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(saved_models / "honest", tmp_path / "model")
    file = tmp_path / "model" / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    graph = saved.meta_graphs[0]
    name = next(f.signature.name for f in graph.graph_def.library.function if "traced_save" in f.signature.name)
    graph.object_graph_def.nodes.add().bare_concrete_function.concrete_function_name = name
    file.write_bytes(saved.SerializeToString())
    with pytest.raises(ConversionError, match=r"the op \w+ is not one that a model computes with"):
        convert(tmp_path / "model", "random")


def test_ops_of_no_known_library(saved_models: Path, tmp_path: Path, in_this_process: None) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(saved_models / "honest", tmp_path / "model")
    file = tmp_path / "model" / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    saved.meta_graphs[0].graph_def.library.function[0].node_def.add(name="own", op="MyOwnOp")
    file.write_bytes(saved.SerializeToString())
    with pytest.raises(ConversionError, match=r'node "own" of function .* the op MyOwnOp is not one'):
        convert(tmp_path / "model", "random")
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ConversionError, match=r"saved_model\.pb is truncated"):
        convert(tmp_path / "model", "random")


def test_a_persons_own_lambda_runs_on_trust(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Lambda(lambda x: x * 2.0)])
    model.save(tmp_path / "mine.keras")
    from mcugen import api

    with pytest.raises(ConversionError, match="is a Lambda layer"):
        api.quantize(tmp_path / "mine.keras", data="random")
    report = api.quantize(tmp_path / "mine.keras", data="random", trust_model=True).model.report
    assert report is not None
    assert "was not checked, as `trust_model` asked" in report.warnings[0]


def test_what_is_trusted_is_confined_all_the_same(tmp_path: Path, saved_models: Path) -> None:
    """A graph that writes, loaded on trust: it can write nowhere."""
    from mcugen import api

    with pytest.raises(ConversionError, match=r"could not be loaded|cannot convert"):
        api.quantize(saved_models / "WriteFile", data="random", trust_model=True)
    assert not (saved_models / "owned").exists()
