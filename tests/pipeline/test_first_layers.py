"""A Keras model's first layers become a front end, which gives what they gave, on an emulated board as on the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.errors import ConversionError, McugenError, PipelineError
from mcugen.flow.survey import find_fallbacks
from mcugen.pipeline import read_pipeline
from tests.schemas import check

pytestmark = [pytest.mark.emulator, pytest.mark.tensorflow]

LABELS = np.random.default_rng(0).integers(0, 3, 24)


def drawn() -> np.random.Generator:
    """The same for every test, whichever ran before."""
    return np.random.default_rng(1)


def built(first: list[Any], shape: tuple[int, ...], dtype: str = "float32", *, functional: bool = True) -> Any:
    """A model whose first layers are these, with something behind them that a network of integers can hold."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    rest = [layers.Flatten(), layers.Dense(6, activation="relu"), layers.Dense(3, activation="softmax", name="class")]
    if not functional:
        return keras.Sequential([keras.Input(shape, dtype=dtype), *first, *rest], name="whole")
    value = given = keras.Input(shape, dtype=dtype)
    for layer in (*first, *rest):
        value = layer(value)
    return keras.Model(given, value, name="whole")


def camera() -> tuple[Any, np.ndarray]:
    import keras

    layers = keras.layers
    first = [
        layers.Rescaling(1 / 127.5, -1, name="scale"),
        layers.CenterCrop(30, 40, name="crop"),
        layers.Resizing(12, 16, crop_to_aspect_ratio=True, name="resize"),
    ]
    return built(first, (36, 48, 3), functional=False), drawn().integers(0, 256, (24, 36, 48, 3)).astype(np.uint8)


def shrunk() -> tuple[Any, np.ndarray]:
    import keras

    first = [keras.layers.Resizing(7, 9, interpolation="area", name="resize"), keras.layers.Rescaling(1 / 255)]
    return built(first, (20, 30, 1)), drawn().integers(0, 256, (24, 20, 30, 1)).astype(np.uint8)


def sound() -> tuple[Any, np.ndarray]:
    import keras

    mel = keras.layers.MelSpectrogram(
        fft_length=256, sequence_length=200, sequence_stride=125, sampling_rate=8000, num_mel_bins=16, name="mel"
    )
    return built([mel], (1500,)), np.clip(drawn().normal(0, 0.3, (24, 1500)), -1, 1).astype(np.float32)


def loud() -> tuple[Any, np.ndarray]:
    """Of sound as integers, in magnitudes."""
    import keras

    layers = keras.layers
    mel = layers.MelSpectrogram(
        fft_length=128, sequence_stride=64, sampling_rate=8000, num_mel_bins=12, power_to_db=False, mag_exp=1.0
    )
    return built([layers.Rescaling(1 / 32768), mel], (800,)), drawn().integers(-32768, 32768, (24, 800)).astype(
        np.float32
    )


def buckets() -> tuple[Any, np.ndarray]:
    import keras

    layers = keras.layers
    bins = layers.Discretization(num_bins=5, name="bins")
    values = drawn().normal(0, 1, (24, 4)).astype(np.float32)
    bins.adapt(values)
    return built([bins, layers.CategoryEncoding(5, output_mode="one_hot", name="ones")], (4,)), values


def tokens() -> tuple[Any, np.ndarray]:
    import keras

    first = [keras.layers.CategoryEncoding(9, output_mode="count", name="ones")]
    return built(first, (4,), "int32", functional=False), drawn().integers(0, 9, (24, 4)).astype(np.int32)


KINDS = {
    camera: ("image", "image", 36),
    shrunk: ("image", "image", 20),
    sound: ("audio", "spectrogram", 1500),
    loud: ("audio", "spectrogram", 800),
    buckets: ("table", "categories", 1),
    tokens: ("table", "categories", 1),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_first_layers_become_a_front_end(kind: Any, tmp_path: Path) -> None:
    model, values = kind()
    signal, front, frames = KINDS[kind]
    path = tmp_path / "whole.keras"
    model.save(path)
    out = tmp_path / "firmware"
    proof = api.deploy(path, board="mps2-an386", data=(values, LABELS), out=out)
    check(proof.to_dict())
    assert proof.exit_code == 0
    assert proof.signal is not None
    assert (proof.signal.passed, proof.signal.rows, proof.signal.frames) == (True, 16, 16 * frames)
    loaded = proof.ready.model
    assert loaded.report is not None
    assert "became a front end" in loaded.report.notes[0]
    assert loaded.report.attempts[1].step.startswith("the largest difference of the front end")
    # The whole model in Keras and what is left of it in TFLM, behind the front end, decide alike.
    assert proof.assessment is not None
    found = proof.assessment.run("host", quantized=False)
    assert found is not None
    right = float(np.mean(model.predict(values, verbose=0).argmax(axis=1) == LABELS))
    assert found.value("accuracy") == pytest.approx(right, abs=1.5 / 24)  # one of 24
    # The project's own pipeline file is a whole one.
    kept = read_pipeline(out / "model" / "pipeline.toml")
    assert kept.signal.kind == signal
    assert kept.front_end.emitted().kind == front
    again = api.verify(out / "model" / "pipeline.toml", board="mps2-an386", samples=2)
    assert again.exit_code == 0


def test_a_keras_object_random_data_and_what_it_is_judged_by(tmp_path: Path) -> None:
    model, values = sound()
    judged_by = (values, LABELS)
    proof = api.deploy(model, board="mps2-an386", data="random", eval_data=judged_by, out=tmp_path / "firmware")
    assert proof.exit_code == 0
    assert not proof.trusted
    assert proof.signal is not None
    assert proof.signal.inferences == 16
    assert proof.assessment is not None
    assert [run.samples for run in proof.assessment.runs if run.where == "host"] == [24, 24]


def test_all_verbs_treat_a_model_alike(tmp_path: Path) -> None:
    """What becomes a front end in `deploy` is one wherever it can be, and elsewhere refused with its name."""
    model, values = sound()
    path, data = tmp_path / "whole.keras", (values, LABELS)
    model.save(path)
    inspected = api.inspect(path, board="mps2-an386")
    assert "became a front end" in inspected.notes[0]
    assert inspected.plan.app_bytes > 3000
    sized = api.fit(path, boards=["mps2-an386"], cycles=False)
    proof = api.deploy(path, board="mps2-an386", data=data, auto=True, trials=1, out=tmp_path / "firmware")
    assert proof.exit_code == 0
    assert proof.signal is not None
    assert (proof.signal.passed, proof.signal.rows) == (True, 16)
    assert proof.ready.plan.app_bytes == inspected.plan.app_bytes
    assert {step.op.kind for step in proof.ready.plan.steps} == {step.op.kind for step in inspected.plan.steps}
    assert sized.candidates[0].weights == inspected.weights
    assert find_fallbacks(path).exit_code == 0
    pipeline = tmp_path / "pipeline.toml"
    pipeline.write_text(f'[input]\nkind = "audio"\nrate = 8000\n[frontend]\nkind = "raw"\n[model]\nfile = "{path}"\n')
    words = r'"mel" \(MelSpectrogram\): .*becomes a front end'
    alone: list[tuple[Any, dict[str, Any]]] = [
        (api.quantize, {"model": path, "data": data}),
        (api.quantize, {"model": path, "data": data, "auto": True, "trials": 1}),
        (api.push, {"model": path, "data": data, "port": str(tmp_path)}),
        (api.fit, {"model": path, "scale": "width"}),
        (api.deploy, {"model": pipeline, "board": "mps2-an386", "data": "random", "out": tmp_path / "other"}),
    ]
    for verb, arguments in alone:
        with pytest.raises(PipelineError if verb is not api.fit else ConversionError, match=words):
            verb(**arguments)
    assert not (tmp_path / "other").exists()


def test_images_that_are_no_bytes_stay_with_the_model(tmp_path: Path) -> None:
    import keras

    model = built([keras.layers.Resizing(6, 8)], (12, 16, 1))
    data = drawn().uniform(0, 1, (24, 12, 16, 1)).astype(np.float32)
    proof = api.deploy(model, board="mps2-an386", data=data, out=tmp_path / "firmware")
    assert proof.exit_code == 0
    assert proof.signal is None


def refused(first: list[Any], shape: tuple[int, ...], dtype: str = "float32", **wishes: Any) -> str:
    model = built(first, shape, dtype)
    data = np.zeros((4, *shape), np.int32 if dtype == "int32" else np.float32)
    with pytest.raises(McugenError, match=r"layer|become") as caught:
        api.deploy(model, board="mps2-an386", data=data, flash=False, **wishes)
    return str(caught.value)


def test_what_no_front_end_computes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.chdir(tmp_path)
    layers = keras.layers
    mel: dict[str, Any] = {"fft_length": 256, "sequence_stride": 128, "sampling_rate": 8000, "name": "mel"}
    for settings, words in (
        ({"window": "hamming"}, 'layer "mel" (MelSpectrogram): has the window "hamming"'),
        ({"mag_exp": 1.5}, "has mag_exp=1.5, and front ends take 1 and 2"),
    ):
        text = refused([layers.MelSpectrogram(**mel, **settings)], (1500,))
        assert words in text
        assert "Compute it before the model" in text
    text = refused([layers.Rescaling(0.5), layers.MelSpectrogram(**mel)], (1500,))
    assert "comes behind Rescaling, which scales by something else than 1/32768" in text
    text = refused([layers.MelSpectrogram(**mel)], (1500,), runtime="tflm")
    assert '"mel" (MelSpectrogram): becomes a front end, and those are compiled ahead of time only' in text
    text = refused([layers.Dense(4), layers.Discretization([0.0, 1.0], name="late")], (4,))
    assert "layer late: computes no numbers that a network of integers can hold" in text
    text = refused([layers.STFTSpectrogram(frame_length=64, name="stft")], (1500, 1))
    assert "layer stft: computes no numbers that a network of integers can hold" in text
    assert not list(tmp_path.iterdir())


def test_values_that_no_sensor_gives_are_refused(tmp_path: Path) -> None:
    model, values = sound()
    with pytest.raises(McugenError, match="those of samples of sound are from −1 to 1"):
        api.deploy(model, board="mps2-an386", data=values * 3000, out=tmp_path / "firmware")


def test_a_front_end_that_differs_from_the_layers_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from mcugen.flow import first_layers
    from mcugen.pipeline.from_layers import front_of_layers

    def shifted(*arguments: Any) -> Any:
        made = front_of_layers(*arguments)
        assert made is not None
        front: Any = made.pipeline.front_end
        return replace(made, pipeline=replace(made.pipeline, front_end=replace(front, left=front.left + 1)))

    monkeypatch.setattr(first_layers, "front_of_layers", shifted)
    model, values = camera()
    with pytest.raises(McugenError, match=r"layer resize: gives other values than the front end .* by up to \d+"):
        api.deploy(model, board="mps2-an386", data=values, out=tmp_path / "firmware")
    assert not (tmp_path / "firmware").exists()
