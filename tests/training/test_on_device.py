"""Learning on emulated boards: every step equals the reference's, and one of a changed kernel does not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.device.connecting import open_device
from mcugen.device.training import TrainingDevice
from mcugen.errors import DataError, DeviceError, ProjectError, TrainingError
from mcugen.flow.inputs import read_inputs
from mcugen.flow.project import open_project
from tests.schemas import check
from tests.zoo import float_model, samples
from tests.zoo.layers import Net

pytestmark = pytest.mark.emulator

STEPS = 6


def data(count: int = 60, classes: int = 12) -> dict[str, Any]:
    """Labelled samples of the zoo's ds_cnn."""
    labels = np.random.default_rng(2).integers(0, classes, count)
    return {"x": samples("ds_cnn", count, seed=4), "y": labels}


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose last layer learns, verified."""
    folder = tmp_path_factory.mktemp("learn") / "project"
    proof = api.deploy(
        float_model("ds_cnn"),
        board="mps2-an386",
        data=data(),
        trainable="words",
        training="rate=0.002",
        train=STEPS,
        samples=2,
        out=folder,
    )
    learned = proof.training
    assert proof.exit_code == 0
    assert proof.verdict.bit_exact
    assert learned is not None
    assert (learned.steps, learned.equal, learned.first) == (STEPS, STEPS, "")
    assert learned.outputs_equal
    assert learned.cost > 1000
    assert f"in {proof.plan.train_bytes} bytes of RAM beside the model's arena" in (folder / "README.md").read_text()
    facts = check(proof.to_dict())
    assert facts["training"]["steps"] == {"total": STEPS, "equal": STEPS}
    assert facts["training"]["ram"] == proof.plan.train_bytes <= facts["ram"]["total"]
    return folder


def test_a_project_is_verified_again(learner: Path) -> None:
    proof = api.verify(learner, train=STEPS, data=data(), samples=2, seed=3)
    assert proof.exit_code == 0
    assert proof.training is not None
    assert proof.training.equal == STEPS
    assert proof.training.accuracy is not None


def test_without_data_the_steps_are_made_up(learner: Path) -> None:
    proof = api.verify(learner, train=3, samples=1)
    assert proof.training is not None
    assert proof.training.passed
    assert proof.training.accuracy is None
    assert "random" in proof.training.origin


def test_a_changed_kernel_is_found(learner: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mutant"
    shutil.copytree(learner, folder)
    kernel = folder / "lib" / "mcg_model" / "kernels" / "mcg_train_sgd.h"
    text = kernel.read_text()
    assert "w[i] = w[i] + v[i];" in text
    kernel.write_text(text.replace("w[i] = w[i] + v[i];", "w[i] = w[i] + v[i] * 1.001f;"))
    proof = api.verify(folder, train=STEPS, data=data(), samples=1)
    assert proof.exit_code == 1
    assert proof.verdict.bit_exact, "the body is as it was"
    learned = proof.training
    assert learned is not None
    assert learned.equal == 0
    assert "step 1" in learned.first
    assert "parameters differ" in learned.first
    check(proof.to_dict())


def test_the_head_goes_out_and_in_again(learner: Path) -> None:
    _, model, board, plan = open_project(learner)
    elf = learner / ".pio" / "build" / board.name / "firmware.elf"
    assert model.head is not None
    net = model.head.net
    inputs = [samples("ds_cnn", 1)[0][np.newaxis]]
    sample = read_inputs(inputs, plan.graph).samples[0]
    with open_device(elf, board, model_sha256=plan.graph.sha256) as device:
        device_learner = TrainingDevice(device)
        assert device_learner.info.fingerprint == net.fingerprint
        assert device_learner.read_head() == net.initial.astype("<f4").tobytes()
        device.run(sample)
        before = device_learner.predict()
        device_learner.step(3)
        learned = device_learner.read_head()
        assert learned != net.initial.tobytes()
        after = device_learner.predict()
        assert after[3] > before[3]
        device_learner.reset()
        assert device_learner.predict().tobytes() == before.tobytes()
        device_learner.write_head(learned)
        assert device_learner.read_head() == learned
        assert device_learner.predict().tobytes() == after.tobytes()
        with pytest.raises(DeviceError, match="BAD_INDEX"):
            device_learner.step(net.outputs)
        with pytest.raises(DeviceError, match="bytes, the given one"):
            device_learner.write_head(learned[4:])
        with pytest.raises(DeviceError, match="BAD_LENGTH"):
            device_learner.step(np.zeros(net.outputs + 1, np.float32))


def test_a_step_needs_an_inference(learner: Path) -> None:
    _, _, board, plan = open_project(learner)
    elf = learner / ".pio" / "build" / board.name / "firmware.elf"
    with (
        open_device(elf, board, model_sha256=plan.graph.sha256) as device,
        pytest.raises(DeviceError, match="BAD_STATE"),
    ):
        TrainingDevice(device).step(0)


def small_network() -> bytes:
    """Convolutions, a depthwise one, pools, a residual addition and dense layers, float32."""
    net = Net(3)
    x = net.conv(net.input((1, 10, 10, 2)), 6, name="first")
    x = net.add(x, net.conv(net.depthwise(x, name="wide"), 6, (1, 1), activation="NONE", name="narrow"), name="both")
    x = net.conv(net.pool("MAX_POOL_2D", x, (2, 2), name="half"), 8, (3, 3), (2, 2), activation="RELU6", name="second")
    x = net.reshape(net.pool("AVERAGE_POOL_2D", x, (3, 3), name="pool"), (1, 8), name="flat")
    return net.build(net.softmax(net.dense(net.dense(x, 7, activation="RELU", name="hidden"), 3, name="classes")))


@pytest.mark.parametrize(
    ("board", "training"),
    [
        ("mps2-an386", "rate=0.05,momentum=0.5,batch=2"),
        ("netduinoplus2", "rate=0.01,optimizer=adam"),
        ("lm3s6965evb", "rate=0.01,optimizer=adam,batch=2"),
        ("qemu-virt-rv32", "rate=0.01,optimizer=adam"),
    ],
)
def test_whole_networks_learn_on_many_cores(board: str, training: str, tmp_path: Path) -> None:
    """With an FPU and without, on Arm and RISC-V."""
    rng = np.random.default_rng(1)
    given = {"x": rng.normal(size=(20, 10, 10, 2)).astype(np.float32), "y": rng.integers(0, 3, 20)}
    proof = api.deploy(
        small_network(),
        board=board,
        data=given,
        trainable="all",
        training=training,
        train=STEPS,
        samples=2,
        out=tmp_path / "project",
    )
    assert proof.exit_code == 0
    assert proof.training is not None
    assert proof.training.equal == STEPS
    assert proof.training.head_bytes == 4 * proof.ready.model.head.net.parameters  # type: ignore[union-attr]


def test_firmware_that_does_not_learn_says_so(tmp_path: Path) -> None:
    api.generate(float_model("ds_cnn"), board="mps2-an386", data="random", out=tmp_path / "plain")
    with pytest.raises(TrainingError, match="no layer of this firmware learns"):
        api.verify(tmp_path / "plain", train=2)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"trainable": "all", "training": "optimizer=adam,momentum=0.5"}, "momentum is a setting of the optimizer sgd"),
        ({"trainable": "all", "training": "optimizer=adamw"}, "'adamw' is no optimizer. Choose sgd or adam"),
        ({"trainable": "nothing"}, "no layer with weights is called 'nothing'"),
        ({"trainable": "  ,"}, "names no layer"),
        ({"training": "rate=0.1"}, "no layer is trained"),
        ({"train": 3}, "no layer is trained"),
        ({"trainable": "all", "train": -1}, "not a number of steps"),
        ({"trainable": "all", "training": "rate=0"}, "rate is '0'"),
        ({"trainable": "all", "training": "rate=nan"}, "rate is 'nan'"),
        ({"trainable": "all", "training": "speed=1"}, "'speed' is no setting"),
        ({"trainable": "all", "training": "rate"}, "no NAME=VALUE"),
        ({"trainable": "all", "training": "loss=hinge"}, "'hinge' is no loss"),
        ({"trainable": "all", "training": "classes=3"}, "3 classes, and the model has 12"),
        ({"trainable": "all", "runtime": "tflm"}, "compiled ahead of time only"),
        ({"trainable": "all", "compare_float": True}, "about a model as a whole"),
        ({"trainable": "all", "max_drop": 1.0}, "about a model as a whole"),
        ({"trainable": "words", "quantize": False}, "float32 body differs"),
    ],
)
def test_refusals(given: dict[str, Any], match: str, tmp_path: Path) -> None:
    out = tmp_path / "project"
    with pytest.raises((TrainingError, DataError, ProjectError), match=match):
        api.deploy(float_model("ds_cnn"), board="mps2-an386", data=data(), out=out, **given)
    assert not out.exists()


def test_a_pipeline_file_is_no_model_to_train(tmp_path: Path) -> None:
    (tmp_path / "pipeline.toml").write_text("")
    with pytest.raises(TrainingError, match="trains a model alone, not one in a pipeline"):
        api.deploy(tmp_path / "pipeline.toml", board="mps2-an386", trainable="all", out=tmp_path / "project")


def test_labels_are_needed_and_must_exist(tmp_path: Path) -> None:
    out = tmp_path / "project"
    how: dict[str, Any] = {"board": "mps2-an386", "out": out, "trainable": "all", "train": 2}
    with pytest.raises(DataError, match="has no labels"):
        api.deploy(float_model("ds_cnn"), data=data()["x"], **how)
    with pytest.raises(DataError, match="has the class 13, and the trained layers have 12"):
        api.deploy(float_model("ds_cnn"), data={**data(), "y": np.full(60, 13)}, **how)


def test_layers_that_are_not_trained_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="takes a constant or a second input"):
        api.deploy(float_model("transformer"), board="mps2-an386", data="random", trainable="all", out=tmp_path / "p")
    with pytest.raises(TrainingError, match="comes after"):
        api.deploy(float_model("ds_cnn"), board="mps2-an386", data="random", trainable="first", out=tmp_path / "p")


def test_a_damaged_description_is_refused(learner: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(learner, folder)
    for content in ("{", "[]", '{"schema": "other"}', '{"schema": "mcugen.training/1", "layers": 3}'):
        (folder / "model" / "training.json").write_text(content)
        with pytest.raises((ProjectError, TrainingError), match=r"training\.json"):
            open_project(folder)
