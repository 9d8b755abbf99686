"""What a model is to the MLPerf Tiny benchmark."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from mcugen.errors import ProjectError
from mcugen.graph.types import DType, Quantization, Tensor
from mcugen.project.mlperf import Benchmark, benchmark_of


@dataclass(frozen=True)
class Plan:
    """As much of a plan as the benchmark looks at."""

    source: Tensor
    result: Tensor
    rows: str = "whole"

    def input_tensors(self) -> list[Tensor]:
        return [self.source]

    def output_tensors(self) -> list[Tensor]:
        return [self.result]


def autoencoder(quant: Quantization | None) -> Plan:
    result = Tensor(1, "out", (1, 640), DType.INT8, Quantization((0.3,), (96,)))
    return Plan(Tensor(0, "in", (1, 640), DType.INT8, quant), result)


def test_an_input_that_comes_row_by_row_is_refused() -> None:
    plan = replace(autoencoder(Quantization((0.39,), (89,))), rows="pushed")
    with pytest.raises(ProjectError, match="sends the input as a whole"):
        benchmark_of(plan)  # type: ignore[arg-type]


def test_the_autoencoder_gets_real_numbers() -> None:
    made = benchmark_of(autoencoder(Quantization((0.39,), (89,))))  # type: ignore[arg-type]
    assert made == Benchmark("ad01", "FLOAT32", 640 * 4, 640, result_is_error=True)


@pytest.mark.parametrize("quant", [None, Quantization((0.0,), (0,))])
def test_real_numbers_need_a_scale(quant: Quantization | None) -> None:
    with pytest.raises(ProjectError, match="ad01 gets real numbers, which this model's int8 input has no scale for"):
        benchmark_of(autoencoder(quant))  # type: ignore[arg-type]
