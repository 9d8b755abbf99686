"""Accuracy in `quantize` and `deploy`: arguments, verdicts, JSON and what a person sees."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mcugen import api
from mcugen.assess.types import LayerNoise, Layers
from mcugen.errors import BoardError, ConversionError, DataError, ModelError
from mcugen.ui.accuracy import say_gate, show_assessment, show_layers
from mcugen.ui.terminal import make_console
from mcugen.verbs.quantize import Quantized
from tests.assess.conftest import Digits, network
from tests.cli.conftest import Cli, cli  # noqa: F401 (a fixture)
from tests.cli.test_json import assert_documented
from tests.convert.float_models import FloatModel, dense
from tests.schemas import check


@pytest.fixture
def model(digits: Digits, tmp_path: Path) -> Path:
    path = tmp_path / "digits.tflite"
    path.write_bytes(digits.model)
    return path


@pytest.fixture
def broken(digits: Digits, tmp_path: Path) -> Path:
    """A network that int8 does not carry: one hidden channel is 300 times the others."""
    (hidden, bias), (last, last_bias) = digits.layers
    factor = np.where(np.arange(len(bias)) == 5, np.float32(300), np.float32(1))
    path = tmp_path / "broken.tflite"
    path.write_bytes(network([(hidden * factor[:, None], bias * factor), (last / factor, last_bias)]))
    return path


def shown(made: Quantized) -> str:
    """What a person sees of the assessment and the layers."""
    stream = io.StringIO()
    console = make_console(stream)
    if made.assessment is not None:
        show_assessment(console, made.assessment)
        say_gate(console, made.assessment)
    if made.layers is not None:
        show_layers(console, made.layers)
    return stream.getvalue()


def test_quantize_judges_by_labels(digits: Digits, model: Path, tmp_path: Path) -> None:
    made = api.quantize(model, data=digits.save(tmp_path / "digits.npz"), max_drop=2, layers=True)
    assert made.exit_code == 0
    seen = shown(made)
    for words in (
        "accuracy",
        "top 3",
        "macro F1",
        "360 samples",
        "none of them were used for calibration",
        "lost here",
    ):
        assert words in seen
    assert "2 are allowed" in seen
    facts = check(made.to_dict())
    assert_documented({"accuracy": facts["accuracy"], "sqnr": facts["sqnr"]})
    accuracy = facts["accuracy"]
    assert [(run["arithmetic"], run["where"]) for run in accuracy["runs"]] == [("float32", "host"), ("int8", "host")]
    assert accuracy["gate"]["passed"]
    assert [layer["kind"] for layer in facts["sqnr"]["layers"]] == ["FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX"]


def test_too_much_lost_is_a_negative_verdict(digits: Digits, broken: Path, tmp_path: Path, cli: Cli) -> None:  # noqa: F811
    data, out = digits.save(tmp_path / "digits.npz"), tmp_path / "int8.tflite"
    ran = cli("quantize", broken, "--data", data, "--max-drop", 0.8, "-o", out)
    assert ran.code == 1
    assert "✖ accuracy lost" in ran.out
    assert "changed their class" in ran.out
    assert out.exists()  # the verdict is about the model, which is there to be looked at


def test_eval_data_and_a_metric_function(digits: Digits, model: Path) -> None:
    def share_of_sevens(outputs: Any, _labels: Any) -> float:
        return float(np.mean(outputs.reshape(len(outputs), -1).argmax(axis=1) == 7))

    evaluation = {"x": digits.x_test[:50], "y": digits.y_test[:50]}
    made = api.quantize(model, data=digits.x_train, eval_data=evaluation, metric=share_of_sevens, max_drop=5)
    assert made.assessment is not None
    assert (made.assessment.kind, made.assessment.metric) == ("function", "share_of_sevens")
    assert made.exit_code == 0
    check(made.to_dict())
    limited = api.quantize(model, data=digits.x_train, eval_data=evaluation, eval_samples=20)
    assert limited.assessment is not None
    assert (limited.assessment.samples, limited.assessment.available) == (20, 50)


def test_without_labels_a_person_sees_agreement(digits: Digits, model: Path) -> None:
    seen = shown(api.quantize(model, data=digits.x_test[:40], eval_data=digits.x_test[:40]))
    assert "the same samples were used for calibration" in seen
    assert "float and int8  cosine similarity" in seen
    assert "accuracy" not in seen


def test_an_iterator_is_read_once_for_both(digits: Digits, model: Path) -> None:
    pairs = zip(digits.x_train[:80], digits.y_train[:80], strict=True)
    made = api.quantize(model, data=pairs)
    assert made.assessment is not None
    assert (made.assessment.samples, made.assessment.calibrated_on) == (80, 80)


def test_data_without_labels_stays_as_it_was(digits: Digits, model: Path) -> None:
    made = api.quantize(model, data=digits.x_train[:50])
    assert (made.assessment, made.layers, made.exit_code) == (None, None, 0)
    assert check(made.to_dict())["accuracy"] is None


def test_calibration_data_whose_labels_fit_nothing_still_calibrates(digits: Digits, model: Path) -> None:
    strange = {"x": digits.x_train[:30], "y": [f"digit {n}" for n in digits.y_train[:30]]}
    made = api.quantize(model, data=strange)
    assert made.assessment is None
    assert made.model.report is not None
    assert any("not judged by the labels" in warning for warning in made.model.report.warnings)
    with pytest.raises(DataError, match="so that their numbers are unknown"):
        api.quantize(model, data=strange, max_drop=1)


def test_layers_of_a_float_model_that_tflm_does_not_run(
    digits: Digits, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise ModelError("TFLM has no such op")

    monkeypatch.setattr("mcugen.flow.judging.layer_noise", refuse)
    made = api.quantize(model, data=digits.x_train[:30], layers=True)
    assert made.layers is not None
    assert (made.layers.layers, made.layers.problem) == ((), "TFLM has no such op")
    assert check(made.to_dict())["sqnr"]["problem"] == "TFLM has no such op"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_drop": 1.0}, "needs labels"),
        ({"metric": "accuracy"}, "no labels"),
        ({"eval_samples": 0}, "0 samples"),
        ({"eval_data": "nowhere.npz"}, "no such file"),
    ],
)
def test_refusals(digits: Digits, model: Path, options: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        api.quantize(model, data=digits.x_train[:30], **options)


def test_wishes_that_a_quantized_model_cannot_grant(digits: Digits, model: Path, tmp_path: Path) -> None:
    int8 = api.quantize(model, data=digits.x_train[:30]).tflite
    path = tmp_path / "int8.tflite"
    path.write_bytes(int8)
    labelled = {"x": digits.x_test, "y": digits.y_test}
    with pytest.raises(ConversionError, match="already quantized"):
        api.quantize(path, layers=True)
    with pytest.raises(DataError, match="no float model"):
        api.quantize(path, eval_data=labelled, max_drop=1.0)
    with pytest.raises(DataError, match="no samples"):
        api.quantize(path, max_drop=1.0)
    with pytest.raises(ConversionError, match="nothing to compare"):
        api.deploy(path, board="mps2-an386", compare_float=True)
    with pytest.raises(BoardError, match="emulator"):
        api.deploy(model, board="mps2-an386", data=digits.x_train, port="socket://nowhere:1", compare_float=True)
    found = api.quantize(path, eval_data=labelled).assessment
    assert found is not None
    assert found.calibrated_on is None
    assert found.runs[0].value("accuracy") > 0.9


@pytest.mark.emulator
def test_deploy_on_the_device_and_beside_float32(
    digits: Digits,
    model: Path,
    tmp_path: Path,
    cli: Cli,  # noqa: F811
) -> None:
    data = digits.save(tmp_path / "digits.npz")
    command = (
        "deploy",
        model,
        "--data",
        data,
        "--board",
        "mps2-an386",
        "-o",
        tmp_path / "firmware",
        "--force",
        "--samples-on-device",
        25,
        "--samples",
        2,
        "--max-drop",
        3,
        "--compare-float",
    )
    ran = cli(*command, "--json")
    assert ran.code == 0, ran.err
    facts = ran.json
    assert_documented({name: facts[name] for name in ("accuracy", "sqnr", "against_float")})
    assert facts["verify"]["samples"] == 27
    device = facts["accuracy"]["runs"][2]
    assert (device["where"], device["samples"], device["equal_to_host"]) == ("device", 25, 25)
    both = facts["against_float"]
    assert both["before"]["score"] == device["float_score"]
    assert both["after"]["score"] == device["scores"]["accuracy"]
    assert both["after"]["flash"] == facts["flash"]["total"]
    assert both["ratios"]["model_flash"] < 0.5
    assert both["ratios"]["cost"] < 1
    assert both["ratios"]["cost"] == both["after"]["cost"] / both["before"]["cost"]


@pytest.mark.emulator
def test_a_float_form_that_does_not_fit_is_part_of_the_answer(tmp_path: Path, cli: Cli) -> None:  # noqa: F811
    rng = np.random.default_rng(0)
    path, data = tmp_path / "wide.tflite", tmp_path / "x.npz"
    path.write_bytes(network([(rng.normal(size=(10, 8000)).astype(np.float32), np.zeros(10, np.float32))]))
    np.savez(data, x=rng.uniform(size=(30, 8000)), y=rng.integers(0, 10, 30))
    ran = cli(
        "deploy",
        path,
        "--data",
        data,
        "--board",
        "microbit",
        "-o",
        tmp_path / "firmware",
        "--samples",
        1,
        "--samples-on-device",
        0,
        "--compare-float",
    )
    assert ran.code == 0, ran.err
    assert "float32 does not run there" in ran.out
    assert "needs" in ran.out


@pytest.mark.emulator
def test_folders_name_the_classes_in_the_firmware(digits: Digits, tmp_path: Path) -> None:
    """Images by class: labels to judge by, and names for whoever reads the results."""
    model = FloatModel()
    x = model.input((1, 8, 8, 1))
    x = model.op("RESHAPE", [x, model.constant([1, 64], np.int32)], (1, 64))
    for number, (weights, bias) in enumerate(digits.layers):
        x = dense(model, x, weights, bias, 1 if number == 0 else 0)
    (tmp_path / "m.tflite").write_bytes(model.build(x))
    for number, (image, label) in enumerate(zip(digits.x_test[:100], digits.y_test, strict=False)):
        folder = tmp_path / "images" / f"digit_{label}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.uint8(np.round(255 * image)).reshape(8, 8)).save(folder / f"{number}.png")
    proof = api.deploy(
        tmp_path / "m.tflite",
        board="mps2-an386",
        data=tmp_path / "images",
        out=tmp_path / "p",
        samples=1,
        samples_on_device=3,
    )
    assert proof.ready.project.manifest.labels == tuple(f"digit_{n}" for n in range(10))
    assert proof.assessment is not None
    assert proof.assessment.usefulness is not None
    assert proof.assessment.usefulness.verdict == "useful"
    ran = api.run(tmp_path / "p", inputs=tmp_path / "images")  # the folder alone, as data is read
    assert len(ran.costs) == 100
    assert np.mean(ran.outputs[0].argmax(axis=1) == np.sort(digits.y_test[:100])) > 0.8


@pytest.mark.parametrize(("lost", "said"), [(41.8, True), (5.9, False), (None, False)])
def test_the_layer_that_loses_most_is_named(lost: float | None, said: bool) -> None:
    """Also where nothing tells why."""
    noise = LayerNoise(3, "ADD", "block/add", "block/add", 12.0, 50.0, lost, -1.0, 1.0, 0.0)
    first = LayerNoise(0, "CONV_2D", "conv", "conv", 53.8, 55.0, 0.1, -1.0, 1.0, 0.0)
    stream = io.StringIO()
    show_layers(make_console(stream), Layers(16, (first, noise)))
    assert (f"op 3 ADD: most is lost here, {lost} dB, in block/add" in stream.getvalue()) is said
