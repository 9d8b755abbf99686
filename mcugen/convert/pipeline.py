"""The convert stage: any trained model in, a full int8 `.tflite` and its report out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.activations import Activations
from mcugen.convert import calibrate, flat
from mcugen.convert.compare import agreement, run_int8
from mcugen.convert.data import DataSource, choose, describe_inputs, load_samples, sample_shape, short_name
from mcugen.convert.data_checks import check_samples
from mcugen.convert.equivalents import use_equivalents
from mcugen.convert.inspect_source import Inspection, inspect_model
from mcugen.convert.load import load_tflite
from mcugen.convert.prepare import constant_outputs, fold_constants, widen_constants
from mcugen.convert.quantize_16x8 import quantize_16x8
from mcugen.convert.quantizer import Scheme, check_rules, choose_scheme
from mcugen.convert.rewrite import rewrite
from mcugen.convert.sources import identify
from mcugen.convert.types import (
    Agreement,
    Attempt,
    Calibration,
    Converted,
    QuantizationReport,
    Samples,
    SourceKind,
    TensorRange,
    TensorSpec,
)  # fmt: skip
from mcugen.convert.worker_client import Progress
from mcugen.errors import ConversionError, DataError, ModelError, ToolError
from mcugen.graph.schema import pack_model, unpack_model

_TOO_OFTEN_OUTSIDE = 0.01
_POOR_SQNR_DB = 15.0


def convert(
    source: object,
    data: DataSource | None = None,
    *,
    quantize: bool = True,
    activations: Activations = "int8",
    progress: Progress | None = None,
) -> Converted:
    """Make a full int8 model, one with int16 activations, or a float32 one.

    Float models are converted to float32 `.tflite`, run over the calibration samples, and quantized by the
    TFLite int8 specification. Quantized models are checked and taken as they are, byte for byte.

    Args:
        source: path of a `.keras`, `.h5` or `.tflite` file or SavedModel folder, the bytes of a `.tflite`, or
            a Keras model object.
        data: calibration data for float models, see :func:`mcugen.convert.data.load_samples`; at most 200
            samples are used, drawn over the whole set with a fixed seed.
        quantize: False leaves a float model in float32. Weights of other types are widened.
        activations: "int16" quantizes only weights to int8, by TensorFlow's quantizer.
        progress: called with a step's name and its share done, 0…1.

    Raises:
        ModelError: not a model, damaged, or one that no runtime here can run.
        DataError: no data for a float model, or data that does not fit; data for one that is not quantized.
        ConversionError: cannot be quantized, or is quantized already and was to stay float32.
        ToolError: TensorFlow is needed and not installed.
    """
    if data is not None and not quantize:
        raise DataError(
            "--no-quantize leaves the model in float32, which needs no calibration data",
            hint="Leave --data away, or --no-quantize",
        )
    found = identify(source)
    tflite, attempts = load_tflite(found, _step(progress, "load"))
    model = unpack_model(tflite)
    inspection = inspect_model(model)
    kind: SourceKind = found.kind if found.kind != "tflite" else (
        "int8 tflite" if inspection.form == "quantized" else
        "hybrid tflite" if inspection.form == "hybrid" else "float tflite"
    )  # fmt: skip
    if activations == "int16" and (not quantize or inspection.form == "quantized"):
        raise ConversionError(
            "int16 activations are made when a float model is quantized, and this one "
            + ("is quantized already" if quantize else "is to stay float32"),
            hint="Leave --activations away, or give the float model" if quantize else "Leave --no-quantize away",
        )
    if not quantize:
        return _keep_float(tflite, found.name, kind, inspection, attempts)
    if inspection.form == "quantized":
        return _take_as_it_is(tflite, found.name, kind, inspection, attempts, data is not None)
    if data is None:
        raise _no_data(inspection)
    prepared = _prepare(tflite, found.name, kind, inspection, attempts, data)
    return _quantize_16x8(prepared, progress) if activations == "int16" else _quantize(prepared, progress)


@dataclass(frozen=True, eq=False)
class FloatRunner:
    """A float model on the host: call it with (N, …) inputs for (N, …) outputs of its first output."""

    tflite: bytes
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __call__(self, *inputs: NDArray[Any]) -> NDArray[Any]:
        """Outputs (N, *output shape without batch), float32.

        Raises:
            DataError: inputs that do not fit.
        """
        return self.run(*inputs)[0]

    def run(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """All outputs."""
        named: DataSource = (
            inputs[0] if len(self.inputs) == 1 else {s.name: a for s, a in zip(self.inputs, inputs, strict=True)}
        )
        samples = load_samples(named, self.inputs)
        main = unpack_model(self.tflite).subgraphs[0]
        feeds = calibrate.feeds(samples, self.inputs)
        outputs = calibrate.observe(self.tflite, feeds, (), flat.ints(main.outputs)).outputs
        return tuple(o.reshape((len(o), *sample_shape(s))) for o, s in zip(outputs, self.outputs, strict=True))


def float_runner(source: object) -> FloatRunner:
    """A callable that runs a float model (or the float original of a `Converted`) on the host.

    Raises:
        ModelError: the model is quantized, or cannot be read.
        ConversionError, ToolError: as :func:`convert`.
    """
    given = source.float_tflite if isinstance(source, Converted) else source
    if given is None:
        raise ModelError("the model was quantized from the start, so it has no float form", hint="Give the float model")
    tflite, _ = load_tflite(identify(given))
    model = unpack_model(tflite)
    inspection = inspect_model(model)
    if inspection.form == "quantized":
        raise ModelError("the model is quantized, so it has no float form", hint="Give the float model")
    plain, _ = plain_float(model, tflite, inspection)
    return FloatRunner(plain, inspection.inputs, inspection.outputs)


def _take_as_it_is(
    tflite: bytes, name: str, kind: SourceKind, inspection: Inspection, attempts: tuple[Attempt, ...], data: bool
) -> Converted:
    notes = list(inspection.notes)
    if data:
        notes.append("the model is quantized already: the calibration data was not used")
    zeros = [np.zeros((1, *s.shape), _host_type(s)) for s in inspection.inputs]
    try:
        run_int8(tflite, zeros, inspection.inputs, inspection.outputs)
    except ToolError as error:
        notes.append(f"not tried in TensorFlow Lite Micro: {error.what}")
    report = QuantizationReport(
        kind, Calibration("none"), attempts, inspection.warnings, tuple(notes), inspection.inputs, inspection.outputs,
        int8_bytes=len(tflite),
    )  # fmt: skip
    return Converted(tflite, report, name)


def _keep_float(
    tflite: bytes, name: str, kind: SourceKind, inspection: Inspection, attempts: tuple[Attempt, ...]
) -> Converted:
    if inspection.form == "quantized":
        raise ConversionError(
            "the model is quantized already, so that --no-quantize has no float32 model to run",
            hint="Leave --no-quantize away, or give the float model",
        )
    plain, notes = plain_float(unpack_model(tflite), tflite, inspection)
    report = QuantizationReport(
        kind, Calibration("none"), attempts, inspection.warnings, (*inspection.notes, *notes), inspection.inputs,
        inspection.outputs, float_bytes=len(plain), quantized=False,
    )  # fmt: skip
    return Converted(plain, report, name, plain)


def _no_data(inspection: Inspection) -> DataError:
    what = "the model is float32, and int8 needs calibration data: samples of real input"
    if inspection.form == "hybrid":
        what = (
            f"the model is hybrid (float32 activations with quantized weights, first at {inspection.hybrid_op}), "
            "and full int8 needs calibration data: samples of real input"
        )
    return DataError(
        what,
        hint="Give --data with a .npz, .npy or .csv file or a folder of images that holds "
        f"{describe_inputs(inspection.inputs)}; 100 to 200 samples do. --data random works for a first try, "
        "but its accuracy means nothing",
    )


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A float model without ops on constants, and the samples to quantize it with. Warnings and notes are added to."""

    name: str
    kind: SourceKind
    inspection: Inspection
    attempts: tuple[Attempt, ...]
    everything: Samples
    samples: Samples
    feeds: list[NDArray[Any]]
    model: Any
    plain: bytes
    warnings: list[str]
    notes: list[str]


def _prepare(
    tflite: bytes,
    name: str,
    kind: SourceKind,
    inspection: Inspection,
    attempts: tuple[Attempt, ...],
    data: DataSource,
) -> _Prepared:
    everything = load_samples(data, inspection.inputs, scale_images=not inspection.rescales_input)
    samples = choose(everything)
    warnings = [
        *inspection.warnings,
        *check_samples(everything, inspection.inputs, expects_pixels=inspection.rescales_input),
    ]
    model = unpack_model(tflite)
    plain, notes = plain_float(model, tflite, inspection, for_int8=True)
    feeds = calibrate.feeds(samples, inspection.inputs)
    return _Prepared(name, kind, inspection, attempts, everything, samples, feeds, model, plain, warnings, notes)


def _quantize(prepared: _Prepared, progress: Progress | None) -> Converted:
    model = prepared.model
    check_rules(model)  # before the long step

    main = model.subgraphs[0]
    watched = calibrate.float_activations(model)
    observation = calibrate.observe(
        prepared.plain, prepared.feeds, watched, flat.ints(main.outputs), progress=_step(progress, "calibrate")
    )
    scheme = choose_scheme(model, observation.ranges)
    names = {i: short_name(flat.layer_of(flat.name_of(main.tensors[i], i))) for i in watched}
    prepared.warnings.extend(_range_warnings(prepared.everything, main, scheme, prepared.inspection, watched))
    rewrite(model, scheme)
    ranges = tuple(
        TensorRange(names[i], *observation.ranges[i], scheme.activations[i].scale, scheme.activations[i].zero_point)
        for i in watched
    )
    return _compared(prepared, pack_model(model), observation, ranges, "int8", progress)


def _quantize_16x8(prepared: _Prepared, progress: Progress | None) -> Converted:
    outputs = flat.ints(prepared.model.subgraphs[0].outputs)
    observation = calibrate.observe(prepared.plain, prepared.feeds, (), outputs)
    made = quantize_16x8(prepared.plain, prepared.feeds, _step(progress, "calibrate"))
    return _compared(prepared, made, observation, (), "int16", progress)


def _compared(
    prepared: _Prepared,
    quantized: bytes,
    observation: calibrate.Observation,
    ranges: tuple[TensorRange, ...],
    activations: Activations,
    progress: Progress | None,
) -> Converted:
    """Run the quantized model on the samples, and say how it was made and how well it follows the float one."""
    samples, everything = prepared.samples, prepared.everything
    warnings, notes = prepared.warnings, prepared.notes
    main = unpack_model(quantized).subgraphs[0]
    inputs, outputs = flat.input_specs(main), flat.output_specs(main)
    compared: tuple[Agreement, ...] = ()
    try:
        results = run_int8(quantized, prepared.feeds, inputs, outputs, _step(progress, "compare"))
    except ToolError as error:
        notes.append(f"not tried in TensorFlow Lite Micro: {error.what}")
    except ModelError as error:
        raise ConversionError(
            f"the model with {activations} activations was made, but {error.what}",
            hint=f"The layer named above, or the op it became, has no {activations} kernel for this use: rewrite it",
        ) from None
    else:
        compared = agreement(observation.outputs, results, outputs)
        warnings.extend(_result_warnings(samples, results, compared))
    if not samples.trusted:
        warnings.append("calibrated on random data: accuracy means nothing; give real samples with --data")
    calibration = Calibration(
        "data" if samples.trusted else "random",
        samples.origin,
        samples.count,
        everything.count,
        samples.trusted,
        samples.notes,
    )
    report = QuantizationReport(
        prepared.kind,
        calibration,
        (*prepared.attempts, *observation.attempts),
        tuple(warnings),
        (*prepared.inspection.notes, *notes),
        inputs,
        outputs,
        ranges,
        compared,
        len(prepared.plain),
        len(quantized),
        activations=activations,
    )
    return Converted(quantized, report, prepared.name, prepared.plain)


def plain_float(
    model: Any, tflite: bytes, inspection: Inspection, *, for_int8: bool = False
) -> tuple[bytes, list[str]]:
    """Bring the model (in place) to float32 without ops on constants; its bytes and what was done.

    `for_int8` also replaces ops that run in float32 alone by others of the same result.
    """
    notes = []
    widened = widen_constants(model)
    if widened and inspection.form == "hybrid":
        notes.append(
            f"the model came with {widened} quantized weight tensors (dynamic range), which were widened to float32 "
            "first; converting from the original float model keeps more accuracy"
        )
    elif widened:
        notes.append(f"{widened} float16 weight tensors were widened to float32")
    plain = pack_model(model) if widened else tflite
    folded = constant_outputs(model)
    if folded:
        zeros = [np.zeros((1, *s.shape), _host_type(s)) for s in inspection.inputs]
        values = calibrate.observe(plain, zeros, (), flat.ints(model.subgraphs[0].outputs), keep=folded).values
        fold_constants(model, values)
        plain = pack_model(model)
        notes.append(f"{len(folded)} tensors that depend on constants and shapes alone were computed once")
    rewritten = use_equivalents(model) if for_int8 else []
    if rewritten:
        plain = pack_model(model)
        notes.append(f"{', '.join(rewritten)} became ops of the same result that run in int8")
    return plain, notes


def _host_type(spec: TensorSpec) -> np.dtype[Any]:
    return flat.NUMPY_TYPES.get(spec.dtype, np.dtype("int8"))


def _range_warnings(
    everything: Samples, main: Any, scheme: Scheme, inspection: Inspection, watched: list[int]
) -> list[str]:
    found = []
    for i, spec, values in zip(flat.ints(main.inputs), inspection.inputs, everything.inputs, strict=True):
        if i not in scheme.activations:
            continue
        params = scheme.activations[i]
        outside = float(np.mean((values < params.low - params.scale) | (values > params.high + params.scale)))
        if outside > _TOO_OFTEN_OUTSIDE:
            found.append(
                f'input "{short_name(spec.name)}": {outside:.0%} of all values lie outside the range of the samples '
                "used for calibration and saturate"
            )
    dead = [i for i in watched if scheme.ranges[i] == (0.0, 0.0)]
    layers = [flat.layer_of(flat.name_of(main.tensors[i], i)) for i in dead]
    if layers:
        found.append(f"always zero on the calibration data: {', '.join(layers[:5])}{' …' if len(layers) > 5 else ''}")
    return found


def _result_warnings(samples: Samples, results: Sequence[NDArray[Any]], compared: Sequence[Agreement]) -> list[str]:
    found = []
    differ = any(len(a) > 1 and bool(np.any(a != a[0])) for a in samples.inputs)
    for result, figures in zip(results, compared, strict=True):
        if differ and bool(np.all(result == result[0])):
            found.append(f'output "{figures.output}" is the same for every sample')
        elif figures.sqnr_db is not None and figures.sqnr_db < _POOR_SQNR_DB:
            found.append(
                f'output "{figures.output}": int8 differs much from float32 '
                f"(signal to noise {figures.sqnr_db:.1f} dB): check the calibration data"
            )
    return found


def _step(progress: Callable[[str, float], None] | None, name: str) -> Callable[[float], None] | None:
    if progress is None:
        return None

    def tell(fraction: float) -> None:
        progress(name, fraction)

    return tell
