"""How accuracy is shown: float32 against the quantized model, sample by sample and layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console

from mcugen.assess import Assessment, BeforeAfter, Flip, LayerNoise, Layers, OnBoard, Run
from mcugen.text import bar, number, size, tail
from mcugen.ui.quantization import agreement_text
from mcugen.ui.terminal import columns, grid, say_note, say_verdict

_SHOWN_FLIPS = 5
_SHOWN_CLASSES = 12
_FULL_BAR_DB = 60.0

_TITLES = {
    "top_3": "top 3",
    "top_5": "top 5",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "map": "mAP@[.5:.95]",
    "map_50": "mAP@0.5",
    "mean_absolute_error": "mean absolute error",
    "mean_squared_error": "mean squared error",
}
_SHARES = frozenset({"accuracy", "top_3", "top_5", "macro_f1", "map", "map_50"})


def show_assessment(console: Console, found: Assessment, names: Sequence[str] = (), verbose: bool = True) -> None:
    """Scores of every run, and how many samples changed their class.

    Args:
        names: of the classes; their numbers without.
        verbose: also how close the outputs are, the confusion matrix if it is small, and which samples changed.
    """
    console.print()
    of_all = f" of {number(found.available)}" if found.available > found.samples else ""
    rows = [("judged by", f"{number(found.samples)}{of_all} samples, {found.origin}")]
    rows += [("", text) for text in (_calibration_text(found), *found.notes) if text]
    if verbose:
        rows += [(f"float and {found.runs[-1].arithmetic}", agreement_text(each)) for each in found.agreement]
    console.print(grid(rows))
    if found.metric:
        console.print(_scores(found))
    device = found.run("device", quantized=True) or found.run("device", quantized=False)
    if device is not None:
        console.print(grid([("on the device", _device_text(found, device))]))
    if verbose and found.classes and found.classes <= _SHOWN_CLASSES:
        _show_confusion(console, found, names)
    if found.flips is not None:
        flips = found.flips
        text = f"{number(flips.count)} of {number(found.samples)} samples changed their class"
        if flips.count:
            text += f": {number(flips.broken)} wrong now, {number(flips.fixed)} right now"
        console.print()
        listed = [("", _flip_text(flip, names)) for flip in flips.examples[:_SHOWN_FLIPS]] if verbose else []
        console.print(grid([("flipped", text), *listed]))


def say_gate(console: Console, found: Assessment) -> None:
    """The verdict on what was lost, if there was a limit."""
    gate = found.gate
    if gate is None:
        return
    metric = title(gate.metric)
    drop = round(gate.drop, 2) or 0.0  # no -0.00
    change = f"lost {drop:.2f} points" if drop > 0 else f"gained {-drop:.2f} points" if drop < 0 else "lost nothing"
    say_verdict(console, gate.passed, f"{metric} {change} from float32, {gate.max_drop:g} are allowed (--max-drop)")


def say_usefulness(console: Console, found: Assessment) -> None:
    """The verdict on the model itself: whether it says more than a guess. What computes it may still be right."""
    judged = found.usefulness
    if judged is None:
        return
    if judged.verdict == "useful":
        say_verdict(console, True, f"the model says more than a guess: {judged.text}")
    else:
        say_note(console, judged.text)


def title(metric: str) -> str:
    """A metric's name for people."""
    return _TITLES.get(metric, metric)


def score_text(metric: str, value: float) -> str:
    """A metric's value: shares in percent, all else as a number."""
    return f"{100 * value:.2f} %" if metric in _SHARES else f"{value:.4g}"


def _calibration_text(found: Assessment) -> str:
    if found.calibrated_on is None:
        return ""
    if found.calibrated_on == found.samples:
        return "the same samples were used for calibration"
    if found.calibrated_on == 0:
        return "none of them were used for calibration"
    return f"{number(found.calibrated_on)} of them were also used for calibration"


def _scores(found: Assessment) -> object:
    headings = ["", *(_run_title(run) for run in found.runs)]
    metrics = [score.metric for score in found.runs[0].scores]
    rows = []
    for metric in metrics:
        values = [next((s.value for s in run.scores if s.metric == metric), None) for run in found.runs]
        rows.append([title(metric), *("–" if value is None else score_text(metric, value) for value in values)])
    rows.append(["samples", *(number(run.samples) for run in found.runs)])
    return columns(headings, rows, right=range(1, len(headings)))


def _device_text(found: Assessment, run: Run) -> str:
    equal = f"{number(run.equal_to_host or 0)} of {number(run.samples)} samples gave the same bits as on the host"
    if run.float_score is None or run.samples == found.samples:
        return equal
    return f"{equal}; on them the {title(found.metric)} of float32 is {score_text(found.metric, run.float_score)}"


def _run_title(run: Run) -> str:
    return run.arithmetic if run.arithmetic == "float32" and run.where == "host" else f"{run.arithmetic}, {run.where}"


def _show_confusion(console: Console, found: Assessment, names: Sequence[str]) -> None:
    """What the quantized model says on the host; the float model's where nothing was quantized."""
    run = found.run("host", quantized=True) or found.runs[0]
    if run.confusion is None:
        return
    console.print()
    labels = [_class_name(n, names) for n in range(found.classes)]
    rows = [
        [label, *(number(count) if count else "·" for count in row)]
        for label, row in zip(labels, run.confusion, strict=True)
    ]
    console.print(columns([f"{run.arithmetic}: is \\ read as", *labels], rows, right=range(1, len(labels) + 1)))


def _flip_text(flip: Flip, names: Sequence[str]) -> str:
    label, before, after = (_class_name(n, names) for n in (flip.label, flip.before, flip.after))
    return f"sample {flip.sample}, a {label}: {before} in float32, {after} now"


def _class_name(n: int, names: Sequence[str]) -> str:
    return names[n] if n < len(names) else str(n)


WORTH_A_WORD_DB = 6.0
"""A bit of precision: so much is said even where nothing is known of the reason."""


def show_layers(console: Console, found: Layers) -> None:
    """Signal to noise per layer, a bar each, and the suspects under it."""
    console.print()
    if found.problem:
        say_note(console, f"layers were not compared: {found.problem}")
        return
    rows = [
        [layer.kind, tail(layer.name, 32), _db(layer.sqnr_db), _db(layer.limit_db), _lost(layer), _bar(layer)]
        for layer in found.layers
    ]
    headings = ("op", "layer", "SQNR dB", "at best", "lost here", "")
    console.print(columns(headings, rows, right=(2, 3, 4)))
    for layer in found.layers:
        for suspect in layer.suspects:
            say_note(console, f"op {layer.index} {layer.kind} ({suspect.kind}): {suspect.text}")
    worst = max(found.layers, key=lambda layer: layer.lost_db or 0.0, default=None)
    if worst is not None and (worst.lost_db or 0.0) >= WORTH_A_WORD_DB and not worst.suspects:
        say_note(console, f"op {worst.index} {worst.kind}: most is lost here, {worst.lost_db:.1f} dB, in {worst.name}")
    if found.unmatched:
        say_note(console, f"without a partner in the float model: {', '.join(found.unmatched)}")


def _db(value: float | None) -> str:
    return "equal" if value is None else f"{value:.1f}"


def _lost(layer: LayerNoise) -> str:
    return "" if layer.lost_db is None or layer.lost_db < 0.05 else f"{layer.lost_db:.1f}"


def _bar(layer: LayerNoise) -> str:
    return bar((_FULL_BAR_DB if layer.sqnr_db is None else layer.sqnr_db) / _FULL_BAR_DB, 16)


def show_against_float(console: Console, found: BeforeAfter) -> None:
    """Flash, RAM, cost and accuracy of both forms, side by side."""
    console.print()
    before, after = found.before, found.after
    rows = [
        _figure("flash", found, "flash", size),
        _figure("of it the model", found, "model_flash", size),
        _figure("RAM", found, "ram", size),
        _figure("of it the arena", found, "arena", size),
        _figure(f"{found.unit} per inference", found, "cost", number),
    ]
    if found.metric:
        rows.append([f"{title(found.metric)}, {number(found.samples)} samples", *_scores_of(found), ""])
    console.print(columns((f"on {found.board}", before.arithmetic, after.arithmetic, ""), rows, right=(1, 2, 3)))
    if before.problem:
        say_note(console, f"float32 does not run there: {before.problem}")


def _figure(name: str, found: BeforeAfter, figure: str, show: Callable[[int], str]) -> list[str]:
    values = [getattr(form, figure) for form in (found.before, found.after)]
    ratio = found.ratio(figure)
    return [name, *("–" if v is None else show(v) for v in values), _ratio_text(ratio)]


def _scores_of(found: BeforeAfter) -> list[str]:
    forms: tuple[OnBoard, OnBoard] = (found.before, found.after)
    return ["–" if form.score is None else score_text(found.metric, form.score) for form in forms]


def _ratio_text(ratio: float | None) -> str:
    """How much smaller: "3.1× less"."""
    if ratio is None or ratio == 0:
        return ""
    return f"{1 / ratio:.2f}× less" if ratio <= 1 else f"{ratio:.2f}× more"
