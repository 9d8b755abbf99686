"""The convert stage: any trained model in, a full int8 `.tflite` and its report out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert import calibrate
from mcugen.convert.choices import Choices
from mcugen.convert.compare import run_int8
from mcugen.convert.data import DataSource, load_samples
from mcugen.convert.data_specs import describe_inputs, sample_shape
from mcugen.convert.early import stated_inputs
from mcugen.convert.features import feature_scaling, take_out, units_of
from mcugen.convert.float_model import FloatModel
from mcugen.convert.inspect_source import Inspection, inspect_model
from mcugen.convert.load import load_tflite
from mcugen.convert.loops.merged import merge
from mcugen.convert.loops.prepared import check_control_flow
from mcugen.convert.loops.rounds import tied_rounds
from mcugen.convert.made_up import made_up_ranges
from mcugen.convert.plain import host_type, plain_float
from mcugen.convert.quantizer import check_rules, decide
from mcugen.convert.rewrite import rewrite
from mcugen.convert.scaler import given_scaler, with_scaler
from mcugen.convert.sources import identify
from mcugen.convert.types import Attempt, Calibration, Converted, QuantizationReport, SourceKind
from mcugen.errors import ConversionError, DataError, ModelError, ToolError
from mcugen.guard.trust import is_trusted
from mcugen.names import Activations
from mcugen.progress import Progress, share_of
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel, packed
from mcugen.tflite.types import TensorSpec
from mcugen.tflite.units import write_units
from mcugen.verify.parted_oracle import NoReferenceError

_CHECKED = ("keras", "keras h5", "saved_model", "frozen graph", "checkpoint")
_TRUSTED = "the model's file was not checked, as `trust_model` asked: what it names ran on this machine"


def convert(
    source: object,
    data: DataSource | None = None,
    *,
    quantize: bool = True,
    activations: Activations = "int8",
    choices: Choices | None = None,
    sizes_only: bool = False,
    names: Sequence[str] = (),
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
        choices: how a float model is quantized, in place of `activations`; defaults if None.
        sizes_only: without data, quantize a float model by its shapes: nothing is run, and all that the result says
            is how large it is.
        names: of the classes, by number, for labels that are text.
        progress: called with a step's name and its share done, 0…1.

    Raises:
        ModelError: not a model, damaged, or one that no runtime here can run.
        DataError: no data for a float model, or data that does not fit; data for one that is not quantized.
        ConversionError: cannot be quantized, or is already quantized and was to stay float32.
        ToolError: TensorFlow is needed and not installed.
    """
    if data is not None and not quantize:
        raise DataError(
            "`quantize=False` takes no calibration data",
            hint="Omit either `data` or `quantize=False`",
        )
    chosen = choices if choices is not None else Choices(activations=activations)
    if quantize and data is None and not sizes_only and (inputs := stated_inputs(identify(source))) is not None:
        raise _no_data(inputs)  # before a framework is started
    loaded = _load(source, data, progress)
    inspection = loaded.inspection
    if chosen.activations == "int16" and (not quantize or inspection.form == "quantized"):
        raise ConversionError(
            "int16 activations need a float model to quantize, and this one "
            + ("is already quantized" if quantize else "is to stay float32"),
            hint="Omit `activations`, or pass the float model" if quantize else "Omit `quantize=False`",
        )
    if chosen.split_outputs and (not quantize or inspection.form == "quantized"):
        raise ConversionError(
            "outputs are taken apart when a model is quantized, and this one "
            + ("is already" if quantize else "is to stay float32"),
            where="`split_outputs`",
            hint="Omit it, or pass the float model" if quantize else "Omit it, or `quantize=False`",
        )
    if not quantize:
        return _keep_float(loaded)
    if inspection.form == "quantized":
        return _take_as_it_is(loaded, data is not None)
    if sizes_only and data is None:
        return _by_its_shapes(loaded)
    return _float_model(loaded, data, names).quantized(chosen, progress)


def open_float(
    source: object, data: DataSource | None, progress: Progress | None = None, *, names: Sequence[str] = ()
) -> FloatModel:
    """A float model that can be quantized in many ways.

    Raises:
        ConversionError: the model is already quantized.
        ModelError, DataError, ToolError: as :func:`convert`.
    """
    loaded = _load(source, data, progress)
    if loaded.inspection.form == "quantized":
        raise ConversionError(
            "the model is already quantized, so there is nothing to search for",
            hint="Pass the float model, or omit `auto=True`",
        )
    return _float_model(loaded, data, names)


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A `.tflite` of any form, and where it came from."""

    model: OpenedModel
    name: str
    kind: SourceKind
    inspection: Inspection
    attempts: tuple[Attempt, ...]


def _load(source: object, data: DataSource | None, progress: Progress | None) -> _Loaded:
    found = identify(source)
    given = load_tflite(found, share_of(progress, "load"), data)
    model, scaling, scaler = given.model, given.scaling, given_scaler()
    if scaler is not None:
        model, scaling = with_scaler(model, scaler)
    inspection = replace(inspect_model(model, scaling), has_scaler=scaler is not None)
    inspection = replace(inspection, notes=(*given.notes, *inspection.notes))
    if is_trusted() and found.kind in _CHECKED:
        inspection = replace(inspection, warnings=(_TRUSTED, *inspection.warnings))
    kind: SourceKind = (
        found.kind
        if found.kind != "tflite"
        else (
            "int8 tflite"
            if inspection.form == "quantized"
            else "hybrid tflite"
            if inspection.form == "hybrid"
            else "float tflite"
        )
    )
    return _Loaded(model, found.name, kind, inspection, given.attempts)


def _float_model(loaded: _Loaded, data: DataSource | None, names: Sequence[str]) -> FloatModel:
    check_control_flow(loaded.model.schema)  # before data is asked for
    if data is None:
        raise _no_data(loaded.inspection.inputs, loaded.inspection.hybrid_op)
    return FloatModel(loaded.model, loaded.name, loaded.kind, loaded.inspection, loaded.attempts, data, names)


def _by_its_shapes(loaded: _Loaded) -> Converted:
    """A float model with made-up scales."""
    inspection = loaded.inspection
    plain = plain_float(loaded.model, inspection, for_int8=True)
    model = plain.model.copy()
    rounds = tied_rounds(model)
    merged = merge(model)
    check_rules(model)
    scalings = feature_scaling(model, merged.parts[0][1], always=inspection.has_scaler)
    take_out(model, scalings)
    ranges = made_up_ranges(model, inspection.inputs, pixels=inspection.rescales_input)
    rewrite(model, decide(model, Choices(), ranges, {}, plain.trained, (*merged.ties, *rounds), made_up=True), merged)
    write_units(model, units_of(scalings, len(inspection.inputs)))
    quantized = packed(model)
    report = QuantizationReport(
        loaded.kind,
        Calibration("shapes", "shapes", trusted=False),
        loaded.attempts,
        (*inspection.warnings, "sizes only: without data, all scales are made up"),
        (*inspection.notes, *plain.notes),
        flat.input_specs(quantized.schema),
        flat.output_specs(quantized.main),
        float_bytes=len(plain.model.data),
        int8_bytes=len(quantized.data),
    )
    return Converted(quantized, report, loaded.name, plain.model)


@dataclass(frozen=True, eq=False)
class FloatRunner:
    """A float model on the host: call it with (N, …) inputs for (N, …) outputs of its first output."""

    model: OpenedModel
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
        feeds = calibrate.feeds(samples, self.inputs)
        outputs = calibrate.observe(self.model, feeds, (), flat.ints(self.model.main.outputs)).outputs
        return tuple(o.reshape((len(o), *sample_shape(s))) for o, s in zip(outputs, self.outputs, strict=True))


def float_runner(source: object) -> FloatRunner:
    """A callable that runs a float model (or the float original of a `Converted`) on the host.

    Raises:
        ModelError: the model is quantized, or cannot be read.
        ConversionError, ToolError: as :func:`convert`.
    """
    given = source.float_model if isinstance(source, Converted) else source
    if given is None:
        raise ModelError("the model was quantized from the start, so it has no float form", hint="Pass the float model")
    model = load_tflite(identify(given)).model
    inspection = inspect_model(model)
    if inspection.form == "quantized":
        raise ModelError("the model is quantized, so it has no float form", hint="Pass the float model")
    plain = plain_float(model, inspection)
    return FloatRunner(plain.model, inspection.inputs, inspection.outputs)


def _take_as_it_is(loaded: _Loaded, data: bool) -> Converted:
    inspection = loaded.inspection
    notes = list(inspection.notes)
    if data:
        notes.append("the model is already quantized: the calibration data was not used")
    zeros = [np.zeros((1, *s.shape), host_type(s)) for s in inspection.inputs]
    try:
        run_int8(loaded.model, zeros, inspection.inputs, inspection.outputs)
    except (ToolError, NoReferenceError) as error:
        notes.append(f"not tried in TensorFlow Lite Micro: {error.what}")
    report = QuantizationReport(
        loaded.kind,
        Calibration("none"),
        loaded.attempts,
        inspection.warnings,
        tuple(notes),
        inspection.inputs,
        inspection.outputs,
        int8_bytes=len(loaded.model.data),
    )
    return Converted(loaded.model, report, loaded.name)


def _keep_float(loaded: _Loaded) -> Converted:
    inspection = loaded.inspection
    if inspection.form == "quantized":
        raise ConversionError(
            "the model is already quantized, so `quantize=False` has no float32 model to run",
            hint="Omit `quantize=False`, or pass the float model",
        )
    plain = plain_float(loaded.model, inspection)
    report = QuantizationReport(
        loaded.kind,
        Calibration("none"),
        loaded.attempts,
        inspection.warnings,
        (*inspection.notes, *plain.notes),
        inspection.inputs,
        inspection.outputs,
        float_bytes=len(plain.model.data),
        quantized=False,
    )
    return Converted(plain.model, report, loaded.name, plain.model, inspection.scaling)


def _no_data(inputs: Sequence[TensorSpec], hybrid_op: str = "") -> DataError:
    """There is none for a float model.

    Args:
        hybrid_op: the first op of a hybrid model that has quantized weights.
    """
    what = "the model is float32, and int8 needs calibration data: samples of real input"
    if hybrid_op:
        what = (
            f"the model is hybrid (float32 activations with quantized weights, first at {hybrid_op}), "
            "and full int8 needs calibration data: samples of real input"
        )
    return DataError(
        what,
        hint="Pass `data` with a .npz, .npy or .csv file or a folder of images that holds "
        f'{describe_inputs(inputs)}; 100 to 200 samples do. `data="random"` works for a first try, '
        "but its accuracy means nothing",
    )
