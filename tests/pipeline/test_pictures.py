"""Pictures as recordings of a camera: every format's bytes, folders, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mcugen import api
from mcugen.errors import DataError
from mcugen.flow.sensors import read_recordings
from mcugen.frontends import Signal
from mcugen.frontends.image_pixels import FORMATS, decoded, encoded
from tests.frontends.configurations import image_signal
from tests.models import model_path

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 3)).astype(np.uint8)


@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_is_what_a_camera_would_give(form: str, tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "one.png")
    signal = image_signal(form, 12, 8)
    if form in ("yuyv", "uyvy"):
        with pytest.raises(DataError, match=f"is a picture, and {form} cannot be made of one without loss"):
            read_recordings(tmp_path / "one.png", signal)
        return
    (recording,) = read_recordings(tmp_path / "one.png", signal).items
    assert recording.frames.shape == (8, signal.channels)
    found = decoded(recording.frames, form)
    if form.startswith("rgb565"):
        assert np.abs(found - PIXELS.astype(int)).max() <= 7
        assert np.array_equal(encoded(found.astype(np.uint8), form), recording.frames)
    elif form.startswith("bayer"):
        where = form.removeprefix("bayer_").index("r")
        assert np.array_equal(found[..., 0], PIXELS[where // 2 :: 2, where % 2 :: 2, 0])
    elif form == "grey":
        assert np.abs(found[..., 0] - PIXELS @ [0.299, 0.587, 0.114]).max() < 2
    else:
        assert np.array_equal(found, PIXELS)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "one.png")
    with pytest.raises(DataError, match=r"one\.png: is 12×8, and the pipeline takes pictures of 16×8"):
        read_recordings(tmp_path / "one.png", image_signal("grey", 16, 8))
    with pytest.raises(DataError, match=r"one\.png: is a picture, and the pipeline takes sounds or arrays"):
        read_recordings(tmp_path, Signal("audio", "int16", 1, 16000))
    (tmp_path / "two.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(DataError, match=r"two\.png: is not a readable image"):
        read_recordings(tmp_path, image_signal("grey", 12, 8))


@pytest.mark.emulator
def test_a_folder_of_pictures_through_a_board(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        shade = np.full((40, 48, 3), 80 * number, np.uint8)
        Image.fromarray(shade).save(pictures / f"{number}.jpg")
    path = tmp_path / "pipeline.toml"
    path.write_text(
        '[input]\nkind = "image"\nformat = "rgb565le"\nwidth = 48\nheight = 40\n[frontend]\nkind = "image"\n'
        f'width = 16\nheight = 16\noutput = "int8"\n[model]\nfile = "{model_path("resnet")}"\n'
    )
    proof = api.verify(path, board="mps2-an386", inputs=pictures)
    assert proof.exit_code == 0
    assert proof.signal is not None
    assert (proof.signal.recordings, proof.signal.frames, proof.signal.inferences) == (3, 120, 3)
    assert proof.signal.passed
