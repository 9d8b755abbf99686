"""`mcugen ci init`: a test of a model's firmware and the CI job that runs it, for somebody else's repository."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mcugen import __version__
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import as_options

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.flow.proof import Proof
    from mcugen.progress import Progress

Provider = Literal["github", "gitlab"]

JOBS: dict[str, str] = {"github": ".github/workflows/firmware.yml", "gitlab": ".gitlab-ci.yml"}
TEST = "tests/test_firmware.py"
MINUTES = 30
"""After which a job is stopped that hangs. A first one, which installs TensorFlow, takes some ten."""
ACCURACY_SLACK_POINTS = 1.0
SLACK_PERCENT = 5
"""Room in the written budgets: a CI machine's compiler is another version."""

_SAFE_PATH = re.compile(r"[\w./ +,=@-]+")
"""Paths go into YAML, shell commands and Python; what could mean something there is refused."""


@dataclass(frozen=True, eq=False, repr=False)
class Initialized(Brief):
    """The written files, and what the firmware measured when its budgets were written."""

    folder: Path
    files: tuple[str, ...]
    proof: Proof
    test_command: str
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "mcugen.ci/1",
            "mcugen": __version__,
            "folder": str(self.folder),
            "files": list(self.files),
            "test_command": self.test_command,
            "board": self.proof.board.name,
            "flash": self.proof.firmware.flash.total,
            "ram": self.proof.firmware.ram.total,
            "instructions": self.proof.cost.invoke,
            "cycles": _cycles(self.proof),
        }


def ci(
    model: str | Path,
    *,
    board: str,
    folder: str | Path = ".",
    provider: Provider = "github",
    data: str | None = None,
    eval_data: str | None = None,
    install: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Initialized:
    """Write a test of a model's firmware with budgets, and the CI job that runs it.

    The firmware is built and verified first: its figures become the budgets, with some room.

    Args:
        model: a model file or generated project inside `folder`.
        board: board with an emulator.
        folder: the repository.
        provider: CI service, "github" or "gitlab".
        data: calibration data for a float model: a file inside `folder`, or "random".
        eval_data: labelled samples, a file inside `folder`: the accuracy on the device gets a limit, too.
        install: what pip installs in the job. Default: mcugen from where it was installed here (a Git repository, a
            path inside `folder`, an index that pip is set to), with the extras that the model needs.
        force: overwrite existing files.

    Raises:
        ProjectError: files exist, a path is outside `folder`, the firmware is not bit-exact, or mcugen was installed
            from where a CI machine cannot get it.
        McugenError: anything that stops the build or the verification.
    """
    from mcugen.errors import BoardError, ProjectError
    from mcugen.flow.boards import named_board
    from mcugen.flow.origin import requirement
    from mcugen.outputs import write_file
    from mcugen.verbs.verify import verify

    root = Path(folder)
    if not root.is_dir():
        raise ProjectError("is not a folder", where=str(root), hint="Pass the root of your repository")
    chosen = named_board(board)
    if chosen.emulator is None:
        raise BoardError(
            "has no emulator, so CI cannot run it without hardware",
            where=board,
            hint="Choose an emulated board with the same core; `api.boards()` lists them",
        )
    files = (JOBS[provider], TEST)
    for name in files:
        if (root / name).exists() and not force:
            raise ProjectError(
                "exists already",
                where=str(root / name),
                hint="`force=True` replaces it; docs/TESTING.md has both to copy",
            )
    inside = _inside(root, model, "the model")
    given = data if data in (None, "random") else _inside(root, data, "the data")
    board_name = chosen.name if not board.endswith(".toml") else _inside(root, board, "the board file")
    judged_by = None if eval_data is None else _inside(root, eval_data, "the evaluation data")
    requirements = [install] if install else requirement(root, _extras(root / inside))
    proof = verify(
        root / inside,
        board=board,
        samples=4,
        data=given if given in (None, "random") else root / given,
        progress=progress,
    )
    if not proof.verdict.passed:
        raise ProjectError(
            "the firmware differs from the oracle, so there is nothing to test against",
            where=str(model),
            hint="`api.verify(MODEL, board=BOARD, layers=True)` names the op that differs",
        )
    accuracy = None if judged_by is None else _accuracy(proof, root, judged_by)
    given_options = f"--mcugen-model={shlex.quote(inside)} --mcugen-board={shlex.quote(board_name)}"
    test_command = f"python -m pytest {TEST} {given_options}"
    contents = _render(proof, provider, test_command, requirements, given, accuracy)
    for name, text in zip(files, contents, strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_file(root / name, text.encode())
    return Initialized(root, files, proof, test_command)


def _inside(root: Path, given: str | Path, what: str) -> str:
    """A path relative to the repository, as the job's commands name it."""
    from mcugen.errors import ProjectError

    path = Path(given) if Path(given).exists() else root / given
    if not path.exists():
        raise ProjectError(f"{what} does not exist", where=str(given), hint="Pass a path inside the repository")
    try:
        relative = path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        raise ProjectError(
            f"{what} is outside the repository {root}",
            where=str(given),
            hint="Copy it in: a CI machine has no other files",
        ) from None
    if not _SAFE_PATH.fullmatch(relative):
        raise ProjectError(
            f"the path of {what} contains characters that are special in a shell or in YAML",
            where=repr(relative),
            hint="Rename it: letters, digits, '.', '_', '-' and '/' are safe",
        )
    return relative


def _extras(model: Path) -> str:
    """The extra that converting the model needs; a .tflite, or a project, needs none."""
    from mcugen.flow.project import is_project

    suffix = model.suffix.lower()
    if suffix == ".tflite" or is_project(model):
        return ""
    return {".pt2": "torch", ".onnx": "onnx"}.get(suffix, "tf")


def _accuracy(proof: Proof, root: Path, data: str) -> dict[str, str]:
    """What the test of accuracy says. The device is bit-exact, so the host tells."""
    from mcugen.errors import DataError
    from mcugen.flow.defaults import SAMPLES_ON_DEVICE
    from mcugen.flow.judging import Wishes, judge_on_host

    wishes = Wishes(eval_data=str(root / data), eval_samples=SAMPLES_ON_DEVICE, metric="accuracy")
    found = judge_on_host(proof.ready.model, None, wishes).assessment
    measured = found.runs[-1].value("accuracy") if found is not None else None
    if found is None or measured is None:
        raise DataError("there are no labels to judge by", where=data, hint='Pass an .npz with "x" and "y"')
    limit = math.floor(max(0.0, 100 * measured - ACCURACY_SLACK_POINTS) * 10) / 1000
    return {
        "measured": f"{100 * measured:.2f} %",
        "samples": f"{found.samples:,}",
        "limit": str(limit),
        "data": repr(data),
    }


def _render(
    proof: Proof,
    provider: Provider,
    test_command: str,
    requirements: list[str],
    data: str | None,
    accuracy: dict[str, str] | None,
) -> tuple[str, str]:
    """The job and the test."""
    from mcugen.emit.templates import render

    architecture = proof.ready.board.architecture
    # By Debian's and Ubuntu's names. This computer's own compiler makes the plugin that counts cycles.
    packages = f"{architecture.compiler_apt} {architecture.qemu_apt} gcc"
    sudo = "sudo " if provider == "github" else ""  # the other's image runs as root
    steps = [
        {
            "name": "Compiler and emulator",
            "lines": [f"{sudo}apt-get {rest}" for rest in ("update -qq", f"install -y -qq {packages}")],
        },
        {
            "name": "mcugen",
            "lines": [f"python -m pip install --quiet {shlex.join(requirements)} pytest", "mcugen doctor"],
        },
        {"name": "Build, emulate, compare", "lines": [f"{test_command} --junitxml=firmware-tests.xml"]},
    ]
    test = render(
        "ci/test_firmware.py.j2",
        test_command=test_command,
        board=proof.board.name,
        toolchain=proof.firmware.toolchain,
        slack=SLACK_PERCENT,
        flash=_budget(proof.firmware.flash.total),
        ram=_budget(proof.firmware.ram.total),
        instructions=_budget(proof.cost.invoke),
        cycles=_budget(cycles) if (cycles := _cycles(proof)) is not None else "",
        data=repr(data) if data else "",
        accuracy=accuracy,
        inputs=[_input_line(tensor) for tensor in proof.plan.input_tensors()],
    )
    return render(f"ci/{provider}.yml.j2", steps=steps, minutes=MINUTES), test


def _cycles(proof: Proof) -> int | None:
    """Nominal cycles of an inference, a budget in place of instructions; None where they are not known."""
    found = proof.estimated
    return round(found.cycles.nominal) if found is not None and found.cycles is not None else None


def _budget(figure: int) -> str:
    """The figure with some room, in three digits, as a Python literal."""
    wanted = figure * (100 + SLACK_PERCENT) / 100
    unit = 10 ** max(0, math.floor(math.log10(wanted)) - 2)
    return f"{math.ceil(wanted / unit) * unit:_}"


def _input_line(tensor: Any) -> str:
    """A Python expression for four random samples of an input."""
    from mcugen.graph.types import DType

    shape = ", ".join(str(d) for d in (tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape))
    size = f"(4, {shape})" if shape else "(4,)"
    if tensor.dtype is DType.FLOAT32:
        return f"rng.normal(size={size}).astype(np.float32)"
    if tensor.dtype is DType.BOOL:
        return f"rng.integers(0, 2, {size}).astype(np.bool_)"
    low, high = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}.get(tensor.dtype.value, (0, 1))
    return f"rng.integers({low}, {high}, {size}, np.{tensor.dtype.value}, endpoint=True)"


def command(
    action: Annotated[Literal["init"], typer.Argument(metavar="init", help="Write a test and its CI job.")],
    model: options.Target,
    board: options.Board,
    provider: Annotated[Provider, typer.Option("--provider", help="CI service.")] = "github",
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Repository folder, which contains the model.")
    ] = Path(),
    data: options.Data = None,
    eval_data: options.EvalData = None,
    install: Annotated[
        str | None,
        typer.Option(
            "--install",
            metavar="SPEC",
            show_default=False,
            help="What pip installs in the job: a URL, a wheel, or a name in your index. Default: mcugen's origin.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    json: options.Json = False,
) -> int:
    """Add a firmware test with budgets to a repository, and the CI job that runs it."""
    from mcugen.ui.terminal import Terminal

    assert action == "init"
    terminal = Terminal(json, as_options)
    with terminal.progress() as progress:
        result = ci(
            model,
            board=board,
            folder=folder,
            provider=provider,
            data=data,
            eval_data=eval_data,
            install=install,
            force=force,
            progress=progress,
        )
    return terminal.show(result, lambda console: _show(console, result))


def _show(console: Console, result: Initialized) -> None:
    from mcugen.text import number
    from mcugen.ui.terminal import grid, say_verdict

    proof = result.proof
    console.print(
        grid(
            [
                ("measured", f"{proof.plan.graph.name} on {proof.board.name}, bit-exact"),
                ("flash", f"{number(proof.firmware.flash.total)} B"),
                ("RAM", f"{number(proof.firmware.ram.total)} B"),
                ("cost", f"{number(proof.cost.invoke)} {proof.cost.unit} per inference"),
                ("try it", result.test_command),
            ]
        )
    )
    say_verdict(console, True, f"wrote {' and '.join(str(result.folder / name) for name in result.files)}")
