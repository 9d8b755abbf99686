"""What is suspicious about a device, and what is not."""

from __future__ import annotations

import numpy as np

from mcugen.monitor.health import STUCK, WINDOW, Health
from mcugen.tflite.types import TensorSpec
from tests.monitor.fakes import facts, reading, scores

LOGITS = TensorSpec("logits", (1, 4), "int8", 0.1, 0)


def after(health: Health, count: int, make: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for number in range(1, count + 1):
        found = health.judge(make(number))  # type: ignore[operator]
    return found


def test_a_device_that_works_is_not_suspected() -> None:
    health = Health(facts())
    assert after(health, 100, lambda n: reading([scores(n % 90, 0, -n % 90)], number=n)) == {}


def test_an_output_that_does_not_change() -> None:
    health = Health(facts())
    assert after(health, STUCK - 1, lambda n: reading([scores(1, 2, 3)], number=n)) == {}
    found = after(health, 1, lambda n: reading([scores(1, 2, 3)], number=n))
    assert "has not changed" in found["stuck"]
    assert "stuck" not in after(health, 1, lambda n: reading([scores(1, 2, 4)], number=n))


def test_an_output_that_does_not_change_because_the_input_does_not() -> None:
    same = [np.zeros((1, 8), np.int8)]
    assert "stuck" not in after(Health(facts()), 2 * STUCK, lambda n: reading([scores(1, 2, 3)], number=n, inputs=same))


def test_saturation_is_at_limits_that_mean_clipping() -> None:
    def clipped(n: int) -> object:
        return reading([np.array([[127, n % 50, -128, 3]], np.int8)], number=n)

    found = after(Health(facts(outputs=(LOGITS,), labels=())), WINDOW, clipped)
    assert "50%" in found["saturated 0"]
    relu = TensorSpec("relu", (1, 4), "int8", 0.1, -128)
    rectified = after(
        Health(facts(outputs=(relu,), labels=())),
        WINDOW,
        lambda n: reading([np.array([[-128, n % 50, -128, 3]], np.int8)], number=n),
    )
    assert rectified == {}
    sure = after(Health(facts()), WINDOW, lambda n: reading([scores(127, -128, -128 + n % 2)], number=n))
    assert sure == {}  # probabilities of 0 and 1


def test_drift_comes_and_goes() -> None:
    health = Health(facts())
    found = after(health, WINDOW, lambda n: reading([scores(n, 2, 3)], number=n, outside=0.3))
    assert "30%" in found["drift"]
    assert after(health, WINDOW, lambda n: reading([scores(n, 2, 3)], number=n)) == {}


def test_inputs_of_a_few_levels() -> None:
    found = after(
        Health(facts()),
        WINDOW,
        lambda n: reading([scores(n, 2, 3)], number=n, inputs=[np.full((1, 8), n % 2, np.int8)]),
    )
    assert "uses 2 of 256 levels" in found["narrow 0"]


def test_numbers_that_are_none() -> None:
    real = TensorSpec("y", (1, 2), "float32")
    found = Health(facts(outputs=(real,), labels=())).judge(reading([np.array([[1.0, np.nan]], np.float32)]))
    assert "NaN" in found["not finite"]
