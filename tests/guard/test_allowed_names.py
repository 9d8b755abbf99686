"""The lists of what a model may name: complete for honest models, and without what does more than compute."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from mcugen.convert.load import load_tflite
from mcugen.convert.sources import identify
from mcugen.errors import ConversionError, ModelError
from mcugen.guard import graph_ops, keras_names
from mcugen.guard.keras_config import check_config

pytestmark = [pytest.mark.tensorflow, pytest.mark.xdist_group("tensorflow")]

REFUSED_LAYERS = {
    "DenseFeatures", "FlaxLayer", "IntegerLookup", "JaxLayer", "Lambda", "StringLookup", "TFSMLayer",
    "TextVectorization", "TorchModuleWrapper",
}  # fmt: skip
ABSTRACT = {"AbstractRNNCell", "Layer", "Wrapper"}


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_every_layer_is_allowed_or_refused_on_purpose(package: str) -> None:
    """A layer that a new Keras brings is looked at by a person first."""
    module = pytest.importorskip(package).layers
    layers = {name for name in dir(module) if inspect.isclass(getattr(module, name))} - ABSTRACT
    assert not layers - keras_names.LAYERS - REFUSED_LAYERS
    assert not keras_names.LAYERS & REFUSED_LAYERS


@pytest.mark.parametrize("kind", ["initializers", "regularizers", "constraints", "dtype_policies"])
def test_every_setting_is_allowed(kind: str) -> None:
    module = getattr(pytest.importorskip("keras"), kind)
    classes = {name for name in dir(module) if inspect.isclass(getattr(module, name)) and name[0].isupper()}
    assert not classes - keras_names.SETTINGS - {"Initializer", "Regularizer", "Constraint"}


def test_every_activation_is_allowed() -> None:
    module = pytest.importorskip("keras").activations
    functions = {name for name in dir(module) if name[0] != "_" and callable(getattr(module, name))}
    assert functions - {"deserialize", "serialize", "get"} <= keras_names.FUNCTIONS


def test_ops_of_graphs_exist_and_keep_to_themselves() -> None:
    pytest.importorskip("tensorflow")
    from tensorflow.python.framework import op_def_registry

    definitions = {name: op_def_registry.get(name) for name in graph_ops.ALLOWED | graph_ops.SAVES}
    assert not [name for name, found in definitions.items() if found is None]
    words = re.compile(r"File|PyFunc|Print|Save|Dataset|Iterator|Debug|Summary|Proto|Rpc|Send|Recv|Tpu|TPU|Xla|Queue")
    suspicious = {name for name in graph_ops.ALLOWED if words.search(name)}
    assert suspicious == set()
    # Random numbers, lists and tables have state of their own, in memory.
    stateful = {name for name in graph_ops.COMPUTES if definitions[name].is_stateful}
    harmless = r"Random|Truncated|Cudnn|Multinomial|HashTable|Assert|CheckNumerics|Empty$"
    assert not [name for name in stateful if not re.search(harmless, name)]


@pytest.mark.parametrize("module", ["core", "einops", "image", "linalg", "math", "nn", "numpy"])
def test_modules_of_ops_hold_no_class_that_does_more(module: str) -> None:
    """An op of Keras 3 is named by module and class: whatever class the module holds could be meant."""
    found = importlib.import_module(f"keras.src.ops.{module}")
    operation = importlib.import_module("keras.src.ops.operation").Operation
    tensors = {"KerasTensor", "SymbolicArguments", "Function", "Model"}
    for name, item in vars(found).items():
        if inspect.isclass(item) and name[0].isupper() and name not in tensors:
            assert issubclass(item, operation) or not hasattr(item, "from_config"), name


# Those with layers of their own, and of each version of Keras one that is all ordinary layers. The others were checked
# by hand, with both packages; their files name nothing else.
APPLICATIONS = ["ConvNeXtTiny", "EfficientNetV2B0", "MobileNetV3Small"]


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", APPLICATIONS)
def test_honest_models_of_the_applications_pass(name: str, package: str) -> None:
    module = pytest.importorskip(package)
    build = getattr(module.applications, name, None)
    if build is None:
        pytest.skip(f"{package} has no {name}")
    model = build(weights=None, input_shape=(224, 224, 3))
    check_config(json.loads(model.to_json()), name)
    module.backend.clear_session()


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_the_own_layer_of_inception_resnet_passes(package: str) -> None:
    """All others of its 780 layers are ordinary ones."""
    module = pytest.importorskip(package)
    own = importlib.import_module(f"{package}.src.applications.inception_resnet_v2").CustomScaleLayer
    x = module.Input((8, 8, 3))
    model = module.Model(x, own(scale=0.2)([x, module.layers.Conv2D(3, 1)(x)]))
    check_config(json.loads(model.to_json()), package)


def old_network(name: str) -> Any:
    """A Keras 2 model with a layer of ConvNeXt's; its file names no modules."""
    tf_keras = pytest.importorskip("tf_keras")
    scale = importlib.import_module("tf_keras.src.applications.convnext").LayerScale
    x = tf_keras.Input((8, 8, 3))
    y = scale(0.5, 3, name="scale")(tf_keras.layers.Conv2D(3, 1)(x))
    whole = tf_keras.Input((8, 8, 3))
    return tf_keras.Model(whole, tf_keras.layers.Flatten()(tf_keras.Model(x, y, name=name)(whole)))


def test_old_files_of_the_applications_load(tmp_path: Path) -> None:
    """Keras itself does not find the layer again: `Unknown layer: 'LayerScale'`."""
    old_network("convnext_own").save(tmp_path / "net.h5")
    model = load_tflite(identify(tmp_path / "net.h5")).model
    assert len(model.main.outputs) == 1


def test_the_same_name_elsewhere_is_somebody_elses(tmp_path: Path) -> None:
    old_network("network").save(tmp_path / "net.h5")
    with pytest.raises(ConversionError, match=r'layer "scale": uses the class LayerScale, which is not one of Keras'):
        load_tflite(identify(tmp_path / "net.h5"))


@pytest.mark.parametrize("name", ["CustomScaleLayer", "Custom>CustomScaleLayer"])
def test_old_names_count_inside_their_network(name: str) -> None:
    layer = {"class_name": name, "config": {"name": "scaled", "scale": 0.2}}
    model: dict[str, Any] = {"class_name": "Functional", "config": {"name": "inception_resnet_v2", "layers": [layer]}}
    check_config(model, "old.h5")
    model["config"]["name"] = "network"
    with pytest.raises(ModelError, match=r'layer "scaled": uses the class .*CustomScaleLayer, which is not one of'):
        check_config(model, "old.h5")
    layer["module"] = "somewhere"
    model["config"]["name"] = "inception_resnet_v2"
    with pytest.raises(ModelError, match=r"uses the class somewhere.*CustomScaleLayer"):
        check_config(model, "old.h5")


def test_models_with_ops_and_own_layers_pass(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    from mcugen.qat import layers as qat_layers

    x = keras.Input((4, 3))
    y = keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True))(x)
    y = keras.ops.mean(keras.ops.relu(y) * 2.0 + x[:, :, :1], axis=1)
    y = qat_layers.FakeQuantize()(keras.layers.Dense(3, kernel_regularizer="l2", activation="silu")(y))
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    inner.compile("adam", "mse", metrics=["mae"])
    model = keras.Model(x, inner(y))
    model.compile(loss=lambda a, b: a - b)  # what the outermost model was compiled with is not loaded
    check_config(json.loads(model.to_json()), "model")


def nested(depth: int) -> Any:
    config: Any = {"class_name": "Dense", "config": {"name": "deep", "activation": "evil"}}
    for _ in range(depth):
        config = {"class_name": "TimeDistributed", "config": {"layer": config}}
    return config


def test_depth_hides_nothing() -> None:
    with pytest.raises(ModelError, match='layer "deep": its activation "evil" is not one of Keras'):
        check_config(nested(5000), "model")


def test_names_are_shown_without_their_tricks() -> None:
    config = {"class_name": "\x1b[2JEvil\n", "config": {"name": "a\x1b[31m"}}
    with pytest.raises(ModelError) as raised:
        check_config(config, "model")
    assert "\x1b" not in str(raised.value)
    assert "\n" not in str(raised.value)
