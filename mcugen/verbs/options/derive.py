"""Makes a verb's command from its public function, so that every parameter is written once.

An option of the command line is a parameter of the function: `PARAMETERS` says how each is spelled there. What a verb
spells otherwise, or has alone, it names itself.

Errors, notes and warnings reach users of :mod:`mcugen.api` as well, so they name parameters, in backticks: `data`,
`quantize=False`, `arena=BYTES`. The command line shows them as options: --data, --no-quantize, --arena BYTES. What
to do next is a call to them, `api.flash(DIR, port=PORT)`, and a command to others: mcugen flash DIR --port PORT.
"""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcugen.verbs.options import comparing, learning, loading, shared, tflm, tuning

if TYPE_CHECKING:
    pass

UNSPELLED = ("progress", "choose")
"""Parameters that the command itself fills in."""


@dataclass(frozen=True)
class Spelling:
    """How a parameter is spelled on the command line.

    Attributes:
        option: a type that Typer understands.
        name: of the option's own parameter, where it is another one.
        default: on the command line, where it is another one.
        required: on the command line, even where the function has a default.
        value: the option's value → the parameter's.
    """

    option: Any
    name: str = ""
    default: Any = inspect.Parameter.empty
    required: bool = False
    value: Callable[[Any], Any] = lambda given: given


PARAMETERS: Mapping[str, Spelling] = {
    "model": Spelling(shared.Model),
    "target": Spelling(shared.Target),
    "board": Spelling(shared.Board),
    "format": Spelling(shared.Format),
    "core": Spelling(shared.CoreName),
    "name": Spelling(shared.Name),
    "share_arena": Spelling(shared.ShareArena),
    "context": Spelling(shared.Context),
    "evidence": Spelling(shared.EvidencePack),
    "data": Spelling(shared.Data),
    "out": Spelling(shared.OutDir),
    "port": Spelling(shared.Port),
    "report": Spelling(shared.Report),
    "linker_script": Spelling(shared.LinkerScript),
    "labels": Spelling(shared.Labels),
    "optimize": Spelling(shared.Optimize),
    "rows": Spelling(shared.Rows),
    "runtime": Spelling(shared.RuntimeName),
    "force": Spelling(shared.Force),
    "custom_ops": Spelling(shared.CustomOps, "custom_op", None, value=lambda given: given or ()),
    "trust_model": Spelling(shared.TrustModel),
    "custom_objects": Spelling(shared.CustomObjects),
    "input_shape": Spelling(shared.InputShape),
    "scaler": Spelling(shared.Scaler),
    "quantize": Spelling(shared.NoQuantize, "no_quantize", False, value=lambda given: not given),
    "activations": Spelling(shared.ActivationsName),
    "split_outputs": Spelling(shared.SplitOutputs),
    "inputs": Spelling(shared.Inputs),
    "samples": Spelling(shared.Samples),
    "seed": Spelling(shared.Seed),
    "layers": Spelling(shared.Layers),
    "paced": Spelling(shared.Paced),
    "stream": Spelling(shared.Stream),
    "emulator": Spelling(shared.Emulator),
    "probe": Spelling(shared.Probe),
    "tool": Spelling(shared.FlashTool),
    "flash": Spelling(shared.NoFlash, "no_flash", False, value=lambda given: not given),
    "eval_data": Spelling(shared.EvalData),
    "eval_samples": Spelling(shared.EvalSamples),
    "samples_on_device": Spelling(shared.SamplesOnDevice),
    "metric": Spelling(shared.MetricName),
    "task": Spelling(shared.TaskName),
    "max_drop": Spelling(shared.MaxDrop),
    "max_ms": Spelling(shared.MaxMs),
    "cycles": Spelling(shared.NoCycles, "no_cycles", False, value=lambda given: not given),
    "compare_float": Spelling(shared.CompareFloat),
    "auto": Spelling(tuning.Auto),
    "max_flash": Spelling(tuning.MaxFlash),
    "max_ram": Spelling(tuning.MaxRam),
    "max_instructions": Spelling(tuning.MaxInstructions),
    "trials": Spelling(tuning.Trials),
    "search_seed": Spelling(tuning.SearchSeed),
    "tflm": Spelling(shared.Tflm),
    "keep_names": Spelling(shared.KeepNames),
    "model_slot": Spelling(shared.ModelSlot),
    "arena": Spelling(shared.Arena),
    "tflm_build": Spelling(tflm.TflmBuild),
    "plain": Spelling(tflm.Plain),
    "pushed": Spelling(tflm.Pushed),
    "reserve": Spelling(tuning.Reserve),
    "reference": Spelling(comparing.Reference),
    "signature": Spelling(loading.Signature),
    "trainable": Spelling(learning.Trainable),
    "training": Spelling(learning.Training),
    "train": Spelling(learning.Train),
}

ALONE = (
    "boards", "clean", "count", "cut", "dequantize", "draw", "engine", "epochs", "events", "file", "forget",
    "image_size", "install", "jobs", "keep", "listen", "max_false_accepts_per_hour", "measure", "patience", "protocol",
    "provider", "rate", "record", "scale", "scheduler", "speed", "tolerance", "weights",
)  # fmt: skip
"""Parameters of single verbs, whose options have their names."""

REPEATED = {"ports": "--port"}
"""Parameters that take several values, whose options take one and are repeated."""


def command_for(
    verb: Callable[..., Any], summary: str, show: Callable[..., None], *, details: bool = False, **own: Any
) -> Callable[..., int]:
    """The command of a verb: options from the function's parameters, in the order of `PARAMETERS`; prints the result.

    Args:
        verb: the public function. It may take `progress`, and `choose`, which asks at the terminal.
        summary: the first lines of the command's help.
        show: draws the verb's result on a console.
        details: `show` takes `verbose` as well, and the command has that option.
        own: options (or spellings) of this verb's, by parameter: they replace those of `PARAMETERS`.
    """
    parameters = inspect.signature(verb).parameters
    spelled = {name: option if isinstance(option, Spelling) else Spelling(option) for name, option in own.items()}
    known = {**PARAMETERS, **spelled}
    named = sorted(
        (name for name in parameters if name not in UNSPELLED),
        key=lambda name: list(PARAMETERS).index(name) if name in PARAMETERS else len(PARAMETERS),
    )

    def command(**given: Any) -> int:
        from mcugen.ui.choice import terminal_choice
        from mcugen.ui.terminal import Terminal

        terminal = Terminal(given.pop("json"), as_options)
        how = {"verbose": given.pop("verbose")} if details else {}
        arguments = {name: known[name].value(given[known[name].name or name]) for name in named}
        if "choose" in parameters:
            arguments["choose"] = terminal_choice(terminal)
        positional = [arguments.pop(name) for name in named if parameters[name].kind is _POSITIONAL]
        with terminal.progress() as progress:
            result = verb(*positional, **arguments, progress=progress)
        return terminal.show(result, lambda console: show(console, result, **how))

    options = [_parameter(name, known[name], parameters[name].default) for name in named]
    if details:
        options.append(inspect.Parameter("verbose", _KEYWORD, default=False, annotation=shared.Verbose))
    options.append(inspect.Parameter("json", _KEYWORD, default=False, annotation=shared.Json))
    options.sort(key=lambda option: option.default is not inspect.Parameter.empty)
    command.__signature__ = inspect.Signature(options, return_annotation=int)  # type: ignore[attr-defined]
    command.__annotations__ = {option.name: option.annotation for option in options}
    command.__doc__ = summary
    return command


_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def _parameter(name: str, spelling: Spelling, default: Any) -> inspect.Parameter:
    if spelling.required:
        default = inspect.Parameter.empty
    elif spelling.default is not inspect.Parameter.empty:
        default = spelling.default
    return inspect.Parameter(spelling.name or name, _KEYWORD, default=default, annotation=spelling.option)


_QUOTED = re.compile(r"`(?P<name>[a-z][a-z_]*)(?:=(?P<value>[^`]+))?`")
_CALL = re.compile(r"`api\.(?P<verb>[a-z_]+)\((?P<arguments>[^`]*)\)`")
_ARGUMENT = re.compile(r"""(?:(?P<name>[a-z_]+)=)?(?P<value>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,]+)(?:, |$)""")


def as_options(text: str) -> str:
    """A text with the parameters in it spelled as options, and calls as commands; what is neither stays as it is."""
    return _QUOTED.sub(_spelled, _CALL.sub(_command, text)) if "`" in text else text


def _command(found: re.Match[str]) -> str:
    """`api.flash('my dir', port=PORT)` as one types it: mcugen flash 'my dir' --port PORT."""
    words = ["mcugen", found["verb"]]
    for argument in _ARGUMENT.finditer(found["arguments"]):
        name, value = argument["name"], argument["value"]
        literal = value[0] in "'\""
        plain = shlex.quote(ast.literal_eval(value)) if literal else value
        if name is None:
            words.append(plain)
        elif (option := _option(name)) and value in ("True", "False"):
            words.append(option)
        else:
            words += [option, plain]
    return " ".join(words)


def _spelled(found: re.Match[str]) -> str:
    name, value = found["name"], found["value"]
    option = _option(name)
    if not option:
        return found[0]
    if value is None or value in ("True", "False"):
        # Where a flag says no, its option is the parameter's False.
        denied = option.startswith("--no-")
        return found[0] if value == str(denied) else option
    return f"{option} {_bare(value)}"


def _option(name: str) -> str:
    """The option of a parameter; "" where it has none."""
    if name in REPEATED:
        return REPEATED[name]
    return f"--{name.replace('_', '-')}" if name in ALONE else _declared(PARAMETERS.get(name))


def _declared(spelling: Spelling | None) -> str:
    """The long option of a spelling; "" for arguments, which have none."""
    if spelling is None:
        return ""
    info: Any = spelling.option.__metadata__[0]
    names = (info.default, *(info.param_decls or ()))
    return next((name for name in names if isinstance(name, str) and name.startswith("--")), "")


def _bare(value: str) -> str:
    """A Python value as a shell takes it: without quotes, and of a list its item."""
    return value.removeprefix("[").removesuffix("]").strip("\"'")
