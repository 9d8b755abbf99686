"""What TensorFlow Lite Micro needs for the same models: TFLM of August 2026 with CMSIS-NN, GCC 12.2.

Only the model's ops registered. Instructions are counted exactly on QEMU 7.2, for one inference after a warm one, with
the input of `pattern`. Code is everything in flash without the model, with `Register_*_INT8()`; arena is the smallest
that works; stack is measured by painting. M0 runs TFLM's reference kernels. The three models with state were measured
through `mcugen verify --runtime tflm`, one step of a sequence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SOURCE = "TFLM with CMSIS-NN, GCC 12.2"


@dataclass(frozen=True)
class Baseline:
    """TFLM's figures for one model. `instructions` by core; sizes in bytes, on Cortex-M4F."""

    file: str
    output_hash: str
    instructions: dict[str, int] = field(default_factory=dict)
    code: int = 0
    model: int = 0
    arena: int = 0
    stack: int = 0


TARGETS = {
    "kws": {
        "dsp": (4_600_000, 3_900_000),
        "cortex-m55": (1_250_000, 900_000),
        "cortex-m3": (7_400_000,),
        "cortex-m0": (25_000_000,),
    },
    "vww": {
        "dsp": (8_000_000, 6_500_000),
        "cortex-m55": (3_000_000, 2_200_000),
        "cortex-m3": (14_000_000,),
        "cortex-m0": (50_000_000,),
    },
    "resnet": {
        "dsp": (17_000_000, 14_500_000),
        "cortex-m55": (3_400_000, 2_400_000),
        "cortex-m3": (29_000_000,),
        "cortex-m0": (75_000_000,),
    },
    "ad": {
        "dsp": (420_000, 360_000),
        "cortex-m55": (120_000, 100_000),
        "cortex-m3": (750_000,),
        "cortex-m0": (1_500_000,),
    },
}
"""Instructions that the kernels are meant to need at most, and where there is a second figure, the one to hope for."""

MODELS = {
    "kws": Baseline(
        "kws_ref_model.tflite",
        "4e535c25",
        {
            "cortex-m4": 7_697_902,
            "cortex-m7": 7_643_679,
            "cortex-m55": 1_813_690,
            "cortex-m3": 10_532_661,
            "cortex-m0": 72_035_159,
        },
        code=52_940,
        model=53_936,
        arena=22_832,
        stack=1_180,
    ),
    "vww": Baseline(
        "vww_96_int8.tflite",
        "ab66ecb1",
        {
            "cortex-m4": 24_101_962,
            "cortex-m7": 24_025_588,
            "cortex-m55": 6_558_338,
            "cortex-m3": 31_959_377,
            "cortex-m0": 164_433_648,
        },
        code=52_940,
        model=333_288,
        arena=100_720,
        stack=1_180,
    ),
    "resnet": Baseline(
        "pretrainedResnet_quant.tflite",
        "c33c05f7",
        {
            "cortex-m4": 29_861_680,
            "cortex-m7": 30_023_397,
            "cortex-m55": 4_910_121,
            "cortex-m3": 41_846_040,
            "cortex-m0": 169_496_935,
        },
        code=50_744,
        model=98_496,
        arena=55_008,
        stack=1_180,
    ),
    "ad": Baseline(
        "ad01_int8.tflite",
        "26124dd8",
        {
            "cortex-m4": 582_964,
            "cortex-m7": 583_256,
            "cortex-m55": 149_997,
            "cortex-m3": 955_982,
            "cortex-m0": 3_409_501,
        },
        code=27_604,
        model=276_976,
        arena=3_024,
        stack=684,
    ),
    "micro_speech": Baseline(
        "micro_speech_quantized.tflite",
        "e4a1bbfd",
        {"cortex-m4": 1_495_336},
        code=43_744,
        model=18_800,
        arena=6_848,
        stack=1_172,
    ),
    "hello_world": Baseline(
        "hello_world_int8.tflite",
        "6d0b6dd7",
        {"cortex-m4": 3_525},
        code=27_604,
        model=2_704,
        arena=1_168,
        stack=684,
    ),
    "okay_nabu": Baseline(
        "okay_nabu.tflite",
        "050c5d1f",
        {"cortex-m4": 260_062},
        code=67_111,
        model=73_084,
        arena=22_304,
        stack=748,
    ),
    "lstm": Baseline(
        "trained_lstm_int8.tflite",
        "24e3379b",
        {"cortex-m4": 574_341},
        code=43_623,
        model=12_620,
        arena=3_952,
        stack=1_308,
    ),
    "keyword": Baseline(
        "keyword_scrambled_8bit.tflite",
        "53b931ab",
        {"cortex-m4": 119_941},
        code=41_475,
        model=28_284,
        arena=10_448,
        stack=652,
    ),
}
