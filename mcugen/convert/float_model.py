"""A float model and its calibration samples, quantized in one way or in many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert import calibrate
from mcugen.convert.choices import CALIBRATION_SAMPLES, Choices
from mcugen.convert.compare import LITTLE_SQNR_DB, POOR_SQNR_DB, agreement, run_int8
from mcugen.convert.data import DataSource, choose, load_samples
from mcugen.convert.data_checks import check_samples
from mcugen.convert.data_specs import short_name
from mcugen.convert.equalize import equalize
from mcugen.convert.equivalents import use_int16_equivalents
from mcugen.convert.features import FeatureScaling, behind, feature_scaling, take_out, units_of
from mcugen.convert.inspect_source import Inspection
from mcugen.convert.loops.merged import merge, split, touched
from mcugen.convert.loops.rounds import tied_rounds
from mcugen.convert.loops.variables import keeps_variables
from mcugen.convert.made_up import not_too_small
from mcugen.convert.observed import merged_copy, observe
from mcugen.convert.parts import Parts, output_parts, take_apart
from mcugen.convert.plain import plain_float
from mcugen.convert.quantize_16x8 import check_int16, quantize_16x8
from mcugen.convert.quantizer import Scheme, check_rules, decide
from mcugen.convert.readings import one_class_unless_scaled
from mcugen.convert.rewrite import rewrite
from mcugen.convert.types import (
    Agreement,
    Attempt,
    Calibration,
    Converted,
    OwnScaling,
    QuantizationReport,
    Samples,
    SourceKind,
    TensorRange,
)
from mcugen.errors import ConversionError, ModelError, ToolError
from mcugen.numerics.affine import normalize
from mcugen.progress import Progress, share_of
from mcugen.tflite import fields as flat
from mcugen.tflite.detections import detected_outputs
from mcugen.tflite.joined import joined_specs, write_joined
from mcugen.tflite.opened import OpenedModel, packed
from mcugen.tflite.schema_types import SubGraphT
from mcugen.tflite.units import write_units
from mcugen.tflite.unused import drop_unused_codes

_TOO_OFTEN_OUTSIDE = 0.01

_STEPS = 2000
"""Samples of a stream that calibrate, if there are so many: single steps, of which each goes on from the one before."""


class FloatModel:
    """A float32 model, ready to be quantized. It remembers what was observed on the samples.

    Raises:
        DataError: samples that do not fit the model.
        ConversionError: the model does not run on the host.
    """

    def __init__(
        self,
        model: OpenedModel,
        name: str,
        kind: SourceKind,
        inspection: Inspection,
        attempts: tuple[Attempt, ...],
        data: DataSource,
        names: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._kind = kind
        self._inspection = inspection
        self._attempts = attempts
        self.everything = load_samples(data, inspection.inputs, scale_images=not inspection.rescales_input, names=names)
        self._plain = plain_float(model, inspection, for_int8=True)
        known = feature_scaling(
            self._plain.model.schema, flat.ints(self._plain.model.main.inputs), always=inspection.has_scaler
        )
        self._warnings = (
            *inspection.warnings,
            *check_samples(
                self.everything,
                inspection.inputs,
                expects_pixels=inspection.rescales_input,
                scaling=inspection.scaling,
                measured=[s.position for s in known],
            ),
        )
        self._equalized: tuple[OpenedModel, int] | None = None
        self._otherwise: list[str] | None = None
        self._observed: dict[tuple[int, bool], calibrate.Observation] = {}

    @property
    def model(self) -> OpenedModel:
        """The float32 model."""
        return self._plain.model

    @property
    def scaling(self) -> OwnScaling | None:
        """What the model does first with its input; None where its source does not tell."""
        return self._inspection.scaling

    @property
    def has_parts_apart(self) -> bool:
        """Whether an output joins parts that differ much in size."""
        if not any(output_parts(self.model.schema)):
            return False
        samples = self._chosen(CALIBRATION_SAMPLES)
        joined, _ = take_apart(self.model.copy(), self._observe(Choices(), self.model, samples, None).outputs)
        return any(each.count > 1 for each in joined)

    def quantized(self, choices: Choices, progress: Progress | None = None, *, compare: bool = True) -> Converted:
        """Quantize the model.

        Args:
            compare: run the result on the samples, for the report's `agreement`.

        Raises:
            ConversionError: it cannot be quantized so.
            ToolError: TensorFlow is not installed, for int16 activations of the whole model.
        """
        samples = self._chosen(choices.samples)
        floats, pairs = self._equalized_form() if choices.equalize else (self.model, 0)
        warnings, notes = list(self._warnings), list(self._plain.notes)
        if choices.equalize:
            notes.append(f"the channels between {pairs} pairs of layers were equalized")
        ranges: tuple[TensorRange, ...] = ()
        if choices.activations == "int16":
            observation = self._observe(choices, floats, samples, None)
            feeds = calibrate.feeds(samples, self._inspection.inputs)
            network = floats.copy()
            scalings = feature_scaling(
                network, flat.ints(network.subgraphs[0].inputs), always=self._inspection.has_scaler
            )
            take_out(network, scalings)
            if rewritten := use_int16_equivalents(network):
                notes.append(f"{', '.join(rewritten)} became ops of the same result that run in int16")
            check_int16(network)
            drop_unused_codes(network)  # TensorFlow's quantizer looks for an op behind each
            if scalings:
                feeds = [normalize(a, u) for a, u in zip(feeds, units_of(scalings, len(feeds)), strict=True)]
            quantized = quantize_16x8(
                packed(network),
                feeds,
                observation.ranges,
                share_of(progress, "calibrate"),
                per_tensor_dense=choices.per_tensor_dense,
            )
            quantized = _with_units(quantized, scalings)
        else:
            check_rules(merged_copy(floats))  # before the long step
            observation = self._observe(choices, floats, samples, progress)
            model = floats.copy()
            apart = take_apart(model, observation.outputs) if choices.split_outputs else None
            rounds = tied_rounds(model)
            merged = merge(model)
            main = model.subgraphs[0]
            scalings = feature_scaling(model, merged.parts[0][1], always=self._inspection.has_scaler)
            places = take_out(model, scalings)
            kept = (n if apart is None else apart[1].get(n, -1) for n in choices.wide)
            watched = calibrate.float_activations(model)
            real = behind(scalings, observation.ranges)
            scheme = decide(
                model,
                replace(choices, wide=tuple(places[n] for n in kept if n in places)),
                real if samples.trusted else not_too_small(real),
                behind(scalings, observation.statistics),
                self._plain.trained,
                (*merged.ties, *rounds),
                made_up=not samples.trusted,
            )
            watched = [i for i in watched if i in scheme.activations]
            names = {i: short_name(flat.layer_of(flat.name_of(main.tensors[i], i))) for i in watched}
            inputs = _normalized(self.everything, scalings)
            computed = [i for i in watched if i in touched(model)]
            warnings += _range_warnings(inputs, floats.main, scheme, self._inspection, computed, names)
            rewrite(model, scheme, merged)
            if apart is not None and any(each.count > 1 for each in apart[0]):
                write_joined(model, apart[0])
            elif apart is not None:
                warnings.append("no output joins parts that differ in size by more than 16 times: none was taken apart")
            quantized = _with_units(packed(model), scalings)
            ranges = tuple(_tensor_range(names[i], i, real, scheme) for i in watched)
        notes += [
            f'input "{short_name(self._inspection.inputs[s.position].name)}" takes its features in the units of the '
            "data: the model's own scaling is part of how the input is quantized"
            for s in scalings
        ]
        warnings += self._read_otherwise(floats, samples, observation)
        compared: tuple[Agreement, ...] = ()
        if compare:
            compared = self._compare(quantized, choices, samples, observation, (warnings, notes), progress)
        if not samples.trusted:
            warnings.append("calibrated on random data: accuracy is meaningless; pass real samples with `data`")
        report = QuantizationReport(
            self._kind,
            _calibration(samples, self.everything),
            (*self._attempts, *observation.attempts),
            tuple(warnings),
            (*self._inspection.notes, *notes),
            flat.input_specs(quantized.schema),
            flat.output_specs(quantized.main),
            ranges,
            compared,
            len(floats.data),
            len(quantized.data),
            activations=choices.activations,
            choices=choices,
        )
        return Converted(quantized, report, self.name, floats, self.scaling)

    def _chosen(self, limit: int) -> Samples:
        """The samples to calibrate with: some of all, or the first steps of a stream."""
        if not keeps_variables(self.model.schema):
            return choose(self.everything, limit)
        steps = min(self.everything.count, max(limit, _STEPS))
        return self.everything.take(np.arange(steps))

    def _equalized_form(self) -> tuple[OpenedModel, int]:
        if self._equalized is None:
            model = self.model.copy()
            merged = merge(model)
            check_rules(model)
            pairs = equalize(model, self._plain.trained)
            split(model, merged)
            self._equalized = packed(model), pairs
        return self._equalized

    def _observe(
        self, choices: Choices, floats: OpenedModel, samples: Samples, progress: Progress | None
    ) -> calibrate.Observation:
        """What the model does on the samples, from memory if it was run on them already."""
        key = samples.count, choices.equalize
        known = self._observed.get(key)
        if known is None or (choices.needs_statistics and not known.statistics):
            self._observed[key] = observe(
                floats,
                calibrate.feeds(samples, self._inspection.inputs),
                statistics=choices.needs_statistics,
                progress=share_of(progress, "calibrate"),
            )
        return self._observed[key]

    def _read_otherwise(self, floats: OpenedModel, samples: Samples, observation: calibrate.Observation) -> list[str]:
        """Whether a classifier tells unlabelled images apart only if they are scaled otherwise."""
        if self._otherwise is None:
            self._otherwise = []
            spec, outputs = self._inspection.inputs[0], observation.outputs[0]
            asked = samples.trusted and samples.targets is None and len(self._inspection.inputs) == 1
            if asked and spec.dtype == "float32" and outputs.shape[1:-1] in ((), (1,)):
                self._otherwise = one_class_unless_scaled(
                    samples.inputs[0],
                    outputs.reshape(len(outputs), -1),
                    lambda values: calibrate.observe(
                        floats,
                        calibrate.feeds(replace(samples, inputs=(values,)), self._inspection.inputs),
                        (),
                        flat.ints(floats.main.outputs),
                    ).outputs[0],
                )
        return self._otherwise

    def _compare(
        self,
        quantized: OpenedModel,
        choices: Choices,
        samples: Samples,
        observation: calibrate.Observation,
        told: tuple[list[str], list[str]],
        progress: Progress | None,
    ) -> tuple[Agreement, ...]:
        """Run the quantized model on the samples; adds to the warnings and notes `told`."""
        warnings, notes = told
        inputs, outputs = flat.input_specs(quantized.schema), flat.output_specs(quantized.main)
        feeds = calibrate.feeds(samples, self._inspection.inputs)
        try:
            results = run_int8(quantized, feeds, inputs, outputs, share_of(progress, "compare"))
        except ToolError as error:
            notes.append(f"not tried in TensorFlow Lite Micro: {error.what}")
            return ()
        except ModelError as error:
            kind = choices.activations
            raise ConversionError(
                f"the model with {kind} activations was built, but {error.what}",
                hint=f"The layer named above, or the op it became, has no {kind} kernel for this use: rewrite it",
            ) from None
        parts = output_parts(self.model.schema)
        specs, detected = joined_specs(quantized.schema), detected_outputs(quantized.schema)
        compared = agreement(observation.outputs, results, specs, parts, detected)
        warnings += _result_warnings(samples, results, compared, parts)
        return compared


def _with_units(model: OpenedModel, scalings: Sequence[FeatureScaling]) -> OpenedModel:
    """The quantized network with the units that its features come in."""
    if not scalings:
        return model
    changed = model.copy()
    write_units(changed, units_of(scalings, len(flat.ints(model.main.inputs))))
    return packed(changed)


def _normalized(samples: Samples, scalings: Sequence[FeatureScaling]) -> Sequence[NDArray[Any]]:
    """The samples as the network takes them, without the scaling in front of it."""
    units = units_of(scalings, len(samples.inputs))
    return [normalize(values, given) for values, given in zip(samples.inputs, units, strict=True)]


def _calibration(samples: Samples, everything: Samples) -> Calibration:
    return Calibration(
        "data" if samples.trusted else "random",
        samples.origin,
        samples.count,
        everything.count,
        samples.trusted,
        samples.notes,
    )


def _tensor_range(name: str, i: int, observed: Mapping[int, tuple[float, float]], scheme: Scheme) -> TensorRange:
    return TensorRange(name, *observed[i], scheme.activations[i].scale, scheme.activations[i].zero_point)


def _range_warnings(
    inputs: Sequence[NDArray[Any]],
    main: SubGraphT,
    scheme: Scheme,
    inspection: Inspection,
    watched: list[int],
    names: Mapping[int, str],
) -> list[str]:
    found = []
    for i, spec, values in zip(flat.ints(main.inputs), inspection.inputs, inputs, strict=True):
        if i not in scheme.activations:
            continue
        params = scheme.activations[i]
        outside = float(np.mean((values < params.low - params.scale) | (values > params.high + params.scale)))
        if outside > _TOO_OFTEN_OUTSIDE:
            found.append(
                f'input "{short_name(spec.name)}": {outside:.0%} of all values lie outside the range of the samples '
                "used for calibration and saturate"
            )
    layers = [names[i] for i in watched if scheme.ranges[i] == (0.0, 0.0)]
    if layers:
        found.append(f"always zero on the calibration data: {', '.join(layers[:5])}{' …' if len(layers) > 5 else ''}")
    return found


def _result_warnings(
    samples: Samples, results: Sequence[NDArray[Any]], compared: Sequence[Agreement], parts: Sequence[Parts | None]
) -> list[str]:
    found = []
    differ = any(len(a) > 1 and bool(np.any(a != a[0])) for a in samples.inputs)
    for result, figures, cut in zip(results, compared, parts, strict=True):
        poor = POOR_SQNR_DB if cut is None else LITTLE_SQNR_DB
        lost = [part.output for part in figures.parts if part.sqnr_db is not None and part.sqnr_db < poor]
        if lost and cut is not None:
            found.append(
                f'layer "{short_name(cut.layer)}" joins parts of different size, and one scale leaves little of '
                f'{", ".join(lost)}: pass `split_outputs=True` for an output per part, or `activations="int16"`'
            )
        elif lost:
            found.append(
                f"one scale leaves little of {', '.join(lost)}, far smaller than the rest of the output: let the model "
                'return it apart, or pass `activations="int16"`'
            )
        if differ and bool(np.all(result == result[0])):
            found.append(f'output "{figures.output}" is the same for every sample')
        elif figures.sqnr_db is not None and figures.sqnr_db < POOR_SQNR_DB:
            found.append(
                f'output "{figures.output}": int8 differs much from float32 '
                f"(signal to noise {figures.sqnr_db:.1f} dB): check the calibration data"
            )
    return found
