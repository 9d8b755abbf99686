"""From any source to an opened `.tflite`: as it is, or float32 made by a framework's converter in the worker."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcugen.convert import real_detections
from mcugen.convert.cut import CutModel
from mcugen.convert.foreign import load_foreign
from mcugen.convert.from_uint8 import NOTE, computes_in_uint8, from_uint8
from mcugen.convert.given_shapes import given_shapes
from mcugen.convert.given_signature import given_signature, refuse_signature
from mcugen.convert.kept import Kept, find_kept, keep, kept_key, read_scaling
from mcugen.convert.keras_inputs import live_scaling
from mcugen.convert.keras_scale import Dimension
from mcugen.convert.real_detections import needs_real_detections, with_real_detections
from mcugen.convert.signatures import with_signature
from mcugen.convert.sized import with_shapes
from mcugen.convert.sources import Source
from mcugen.convert.types import Attempt, OwnScaling
from mcugen.convert.worker_client import run_worker
from mcugen.errors import ConversionError, McugenError, ModelError, ToolError
from mcugen.guard.own_objects import given_objects
from mcugen.guard.trust import is_trusted
from mcugen.outputs import temporary_folder
from mcugen.progress import Share
from mcugen.tflite.opened import OpenedModel, open_model

_WAYS = {
    "saved_model": (("load as SavedModel", False),),
    "frozen graph": (("load as a frozen graph", False),),
    "checkpoint": (("load as a checkpoint", False),),
}
"""How what is no Keras file is loaded, and whether with Keras 2."""

_CUT = "Say what it computes from what: `signature='input->output'`; or freeze it without ops of training"
_SAVE_AGAIN = {"frozen graph": _CUT, "checkpoint": _CUT}
FRONT_STEP = "the largest difference of the front end from the layers whose place it takes"
_SAVE_FROM_KERAS = "Save it again with Keras 3 (model.save('model.keras')) or as a SavedModel (model.export(folder))"


@dataclass(frozen=True, eq=False)
class Loaded:
    """A source as a `.tflite`, what was tried on the way, what its layers do first with the input (or None), and notes
    of what was changed in it."""

    model: OpenedModel
    attempts: tuple[Attempt, ...] = ()
    scaling: OwnScaling | None = None
    notes: tuple[str, ...] = ()


def load_tflite(source: Source, progress: Share | None = None, data: object = None) -> Loaded:
    """The source as a `.tflite`.

    Args:
        data: calibration data, which a PyTorch module is exported with.

    Raises:
        ConversionError: no way worked; every attempt is in the message.
        ModelError: a PyTorch program that is damaged or would run code, or a module without data.
        ToolError: a framework is needed and not installed.
    """
    if given_objects() is not None and source.kind not in ("keras", "keras h5", "saved_model"):
        raise _no_objects(source.name)
    if source.kind != "tflite" and source.kind not in _WAYS:
        refuse_signature()
    if source.kind == "tflite":
        opened = with_signature(source.opened or open_model(source.data), given_signature())
        opened = with_shapes(opened, given_shapes()) if given_shapes() else opened
        notes: tuple[str, ...] = ()
        if needs_real_detections(opened.schema):
            opened, notes = with_real_detections(opened), (real_detections.NOTE,)
        if computes_in_uint8(opened.schema):
            return Loaded(from_uint8(opened), notes=(*notes, NOTE))
        return Loaded(opened, notes=notes)
    with temporary_folder() as folder:
        if source.kind in ("pytorch", "pytorch object", "onnx", "onnx object"):
            return Loaded(*load_foreign(source, folder, data))
        if source.kind == "keras object":
            return _from_object(source.model, folder, progress)
        assert source.path is not None
        return _from_file(source.kind, source.path, folder, progress, trusted=is_trusted(), cut=source.cut)


def load_scaled(source: Source, dimension: Dimension, factor: float) -> bytes:
    """A Keras model's architecture with its width or input size times `factor`, untrained, as float32 `.tflite`.

    Raises:
        ModelError: not a Keras model, whose architecture alone can be changed.
        ConversionError: it cannot be built so.
        ToolError: TensorFlow is needed and not installed.
    """
    if source.kind not in ("keras", "keras h5", "keras object"):
        raise ModelError(
            "only the architecture of a Keras model can be scaled",
            where=source.name,
            hint="Pass the .keras or .h5 file that this model came from, or omit `scale`",
        )
    with temporary_folder() as folder:
        path = source.path
        if path is None:
            path = folder / "given.keras"
            source.model.save(path)
        kind, trusted = ("keras" if source.path is None else source.kind), source.path is None or is_trusted()
        return _from_file(kind, path, folder, None, trusted=trusted, scale=(dimension, factor)).model.data


def _from_file(
    kind: str,
    path: Path,
    folder: Path,
    progress: Share | None,
    *,
    trusted: bool,
    scale: tuple[Dimension, float] | None = None,
    cut: CutModel | None = None,
) -> Loaded:
    ways = _WAYS.get(kind, (("load with Keras 3", False), ("load with Keras 2 (tf_keras)", True)))
    own = given_objects()
    if own is not None:
        if kind in _WAYS:
            raise _no_objects(str(path))
        # Not in the folder itself, where the process would take it for a module before it is confined.
        (folder / "own").mkdir(exist_ok=True)
        own = Path(shutil.copyfile(own, folder / "own" / own.name))
    signature = given_signature()
    if cut is not None:
        ways = ways[:1]
        cut.write_probe(folder)
    plain = scale is None and cut is None and not given_shapes() and not signature
    key = kept_key(kind, path, own, trusted=trusted) if plain and kind != "checkpoint" else ""  # which is several files
    if key and (kept := find_kept(key)) is not None:
        return Loaded(open_model(kept.tflite), kept.attempts, kept.scaling)
    attempts: list[Attempt] = []
    for step, legacy in ways:
        request = {
            "job": "convert",
            "kind": kind,
            "path": str(path.resolve()),
            "legacy": legacy,
            "trusted": trusted,
            "scale": scale,
            "own": str(own) if own is not None else None,
            "shapes": given_shapes(),
            "signature": signature,
            "cut": cut.request if cut is not None else None,
        }
        try:
            answer = run_worker(folder, request, legacy_keras=legacy, progress=progress, model=path)
        except ToolError as error:
            if not attempts:
                raise
            attempts.append(Attempt(step, error.what))
            continue
        if not answer.error:
            attempts.append(Attempt(step, "ok"))
            if cut is not None:
                attempts.append(Attempt(FRONT_STEP, f"{answer.result['difference']:.3g}"))
            loaded = _made(folder, attempts, answer.result)
            if key and kept_key(kind, path, own, trusted=trusted) == key:  # nobody changed the file in the meantime
                keep(key, Kept(loaded.model.data, loaded.attempts, loaded.scaling))
            return loaded
        attempts.append(Attempt(step, answer.error))
    raise ConversionError(
        "the model could not be loaded: " + "; ".join(f"{a.step}: {a.outcome}" for a in attempts),
        where=str(path),
        hint=_SAVE_AGAIN.get(kind, _SAVE_FROM_KERAS),
    )


def _no_objects(where: str) -> ModelError:
    return ModelError("takes no `custom_objects`: only Keras files name classes", where=where, hint="Omit it")


def _made(folder: Path, attempts: Sequence[Attempt], result: Mapping[str, Any]) -> Loaded:
    """What the worker left in the folder, and what it found."""
    scaling = read_scaling(result.get("scaling"))
    return Loaded(open_model((folder / "float.tflite").read_bytes()), tuple(attempts), scaling)


def _from_object(model: Any, folder: Path, progress: Share | None) -> Loaded:
    """A Keras object goes through a file into the worker; if it cannot (own classes), TensorFlow runs here."""
    attempts: list[Attempt] = []
    legacy = any(c.__module__.split(".")[0] == "tf_keras" for c in type(model).__mro__)
    path = folder / "given.keras"
    step = "save the model object and load it again"
    try:
        model.save(path)
    except Exception as error:  # Keras raises whatever the user's layers raise
        attempts.append(Attempt(step, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"))
    else:
        # The user's own object: what its file names are the user's own layers.
        request = {
            "job": "convert",
            "kind": "keras",
            "path": str(path),
            "legacy": legacy,
            "trusted": True,
            "shapes": given_shapes(),
        }
        answer = run_worker(folder, request, legacy_keras=legacy, progress=progress)
        attempts.append(Attempt(step, answer.error or "ok"))
        if not answer.error:
            return _made(folder, attempts, answer.result)
    from mcugen.convert.tensorflow_jobs import convert_keras, explain

    step = "convert the model object in this process"
    try:
        tflite = convert_keras(model, given_shapes())
    except McugenError:
        raise
    except Exception as error:  # whatever the converter raises
        attempts.append(Attempt(step, explain(error)))
        raise ConversionError(
            "the model object could not be converted: " + "; ".join(f"{a.step}: {a.outcome}" for a in attempts),
            hint="Build it from Keras layers with a fixed input shape",
        ) from error
    return Loaded(open_model(tflite), (*attempts, Attempt(step, "ok")), live_scaling(model))
