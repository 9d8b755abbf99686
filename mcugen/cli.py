"""The command line. This is the one place that prints errors and chooses exit codes.

Exit codes: 0 done; 1 a negative verdict; 2 an error that the user can do something about; 70 a bug in mcugen;
130 stopped with Ctrl-C; 143 ended by SIGTERM.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.exceptions import TyperException

from mcugen import __version__
from mcugen.environment import typed
from mcugen.errors import McugenError
from mcugen.outputs import forget_standard_output, guard_standard_streams
from mcugen.verbs import verb_command, verb_names
from mcugen.verbs.options.derive import as_options
from mcugen.verbs.options.settings import FILE, READERS, read_settings

EXIT_USER_ERROR = 2
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


def main() -> NoReturn:
    """Entry point of the command `mcugen`."""
    guard_standard_streams()
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (head, less) has gone
        forget_standard_output()
        code = 1
    except McugenError as error:  # what was still to be printed
        code = _say(error, as_json=False)
    sys.exit(code)


def _say(error: McugenError, as_json: bool) -> int:
    from mcugen.ui.terminal import Terminal

    Terminal(as_json, as_options).error(error)
    return EXIT_USER_ERROR


def run(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code; prints errors."""
    as_json = "--json" in arguments
    try:
        with typed(arguments):
            named = [name for name in arguments[:1] if name in verb_names()]
            code = make_app(named)(args=list(arguments), prog_name="mcugen", standalone_mode=False)
    except McugenError as error:
        return _say(error, as_json)
    except TyperException as error:
        return _usage_error(error, as_json)
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        if not _interrupted:
            return _bug(error, as_json)
        code = EXIT_INTERRUPTED  # somebody made another error of Ctrl-C
    if code == EXIT_INTERRUPTED:
        with contextlib.suppress(OSError):
            sys.stderr.write("\nstopped\n")
    return int(code or 0)


class _WhenGiven:
    """What turns the text of a parameter into its value, made when there is something to turn.

    Typer imports Pydantic for it, and makes a model per parameter: a tenth of a warm `deploy`.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        is_default = type(value) in (int, float, str) and type(value) is type(param.default) and value == param.default
        is_text = type(value) is str and param.type_descriptor.annotation is str
        if is_default or is_text:
            return value
        return self._make().coerce(value, param=param, ctx=ctx)


class _Plain:
    """Help that shows no types where they say nothing: those of flags and arguments."""

    def get_params(self, ctx: Any) -> Any:
        params = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            make = getattr(param, "get_runtime_param", None)
            if make is not None and not isinstance(make, partial):
                object.__setattr__(param, "get_runtime_param", partial(_WhenGiven, make))
            if isinstance(param, TyperOption) and param.is_flag:
                param.metavar = ""
            elif isinstance(param, TyperArgument):
                object.__setattr__(param, "display_type_rich", lambda ctx: None)
        return params


class PlainCommand(_Plain, TyperCommand):
    """A verb. What `mcugen.toml` in the current folder says is its options' default."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        verb = str(self.name)
        if verb in READERS and not {"--help", "-h"} & set(args) and (settings := read_settings(Path(FILE))):
            kinds = {str(p.name): "argument" if isinstance(p, TyperArgument) else "option" for p in self.params}
            given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
            typed_here = [given[name] for name, kind in kinds.items() if kind == "argument" and name != "action"]
            if all(not isinstance(value, str) or settings.names(value) for value in typed_here):
                ctx.default_map = settings.for_verb(verb, kinds)
        return list(super().parse_args(ctx, args))


class PlainGroup(_Plain, TyperGroup):
    """All of them."""


def make_app(verbs: Sequence[str] = ()) -> typer.Typer:
    """The Typer application with these verbs, or with all: one alone takes a fraction of the time."""
    app = typer.Typer(
        cls=PlainGroup,
        name="mcugen",
        help="From a trained model to bare-metal firmware that is proved, bit for bit, on the target.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in verbs or verb_names():
        app.command(name, cls=PlainCommand)(verb_command(name))
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"mcugen {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before the verb; they do all their work in callbacks."""


def _usage_error(error: TyperException, as_json: bool) -> int:
    from mcugen.ui.terminal import Terminal, error_dict, print_error, print_json

    message = error.format_message()
    if not message:  # no arguments at all: Typer has printed the help
        return EXIT_USER_ERROR
    hint = "Run mcugen --help or mcugen VERB --help"
    print_error(Terminal().err, what=message, hint=hint)
    if as_json:
        print_json(error_dict("UsageError", message, hint=hint))
    return EXIT_USER_ERROR


def _bug(error: Exception, as_json: bool) -> int:
    from mcugen.ui.terminal import Terminal, error_dict, print_error, print_json

    traceback.print_exception(error)
    what = f"this is a bug in mcugen {__version__} ({type(error).__name__})"
    hint = "Please report it with the lines above, the command, and the model if you can share it"
    print_error(Terminal().err, what=what, hint=hint)
    if as_json:
        print_json(error_dict("InternalError", f"{what}: {error}", hint=hint))
    return EXIT_BUG


_interrupted: list[int] = []
"""The signals of Ctrl-C that came."""


def _interrupt(number: int, frame: FrameType | None) -> None:
    _interrupted.append(number)
    signal.default_int_handler(number, frame)


def _terminate(_signal: int, _frame: object) -> NoReturn:
    # As an exception, so that emulators are stopped and temporary folders removed on the way out.
    raise SystemExit(EXIT_TERMINATED)
