"""Advice that names a parameter is followed here: a case gets it, does what it says, and comes through.

Every text of the rooms below that speaks of parameters (`…`) is one of three: advice with a case here, advice that
another test follows (FOLLOWED_BY), or no advice (STATEMENTS). A new text fails until it has its place.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from mcugen.convert import Converted
from mcugen.errors import McugenError
from tests.conftest import ROOT
from tests.docs.advice_cases import CASES, Case
from tests.docs.test_hints import parameters, said

ROOMS = re.compile(
    r"mcugen/(convert/|guard/|ops/|assess/|project/|runtimes/|tflite/|verify/"
    r"|flow/(against_float|exporting|judging|labels|ready|runtime|tuning)|verbs/(export|generate|inspect|quantize))"
)
"""What is about models. Boards, ports and probes are for the tests of flashing."""

FOLLOWED_BY = {
    ("assess/truths.py", "Pass `events=TRUTH.csv`"): (
        "pipeline/test_evaluate.py",
        "test_recordings_without_truth_are_refused",
    ),
    ("assess/usefulness.py", "number the labels as in training"): (
        "assess/test_usefulness.py",
        "test_classes_in_another_order_are_recognised",
    ),
    ("convert/float_model.py", "joins parts of different size"): (
        "convert/test_parts.py",
        "test_an_output_per_part_is_as_exact_as_each",
    ),
    ("convert/checkpoint.py", "Name the outputs of inference"): (
        "convert/test_signatures.py",
        "test_a_checkpoint_is_frozen_without_running_it",
    ),
    ("convert/frozen_graph.py", "Say it with"): ("convert/test_signatures.py", "test_what_a_graph_lacks_is_said"),
    ("convert/frozen_graph.py", "Say what is meant"): ("convert/test_signatures.py", "test_what_a_graph_lacks_is_said"),
    ("convert/given_signature.py", "Name tensors"): (
        "convert/test_signatures.py",
        "test_a_frozen_graph_is_cut_where_the_user_says",
    ),
    ("convert/given_signature.py", "Say which one is meant"): (
        "convert/test_signatures.py",
        "test_a_saved_model_with_several_signatures",
    ),
    ("convert/load.py", "Say what it computes from what"): (
        "convert/test_signatures.py",
        "test_an_end_that_does_not_convert_is_left_out",
    ),
    ("convert/loops/variables.py", "Build the layer without stateful=True"): (
        "convert/test_stateful.py",
        "test_a_stream_that_does_not_begin_with_zeros_runs_in_float32_as_advised",
    ),
    ("convert/given_shapes.py", "Say it with"): (
        "convert/test_given_shapes.py",
        "test_an_open_length_is_given",
    ),
    ("convert/inspect_source.py", "Say it with"): (
        "convert/test_given_shapes.py",
        "test_an_open_length_is_given",
    ),
    ("convert/keras_scale.py", "Omit `scale`"): (
        "cli/test_fit.py",
        "test_architectures_that_cannot_be_scaled",
    ),
    ("convert/quantize_16x8.py", "Leave `activations` at int8"): (
        "convert/test_stateful.py",
        "test_a_stream_in_int8",
    ),
    ("convert/loops/prepared.py", "Remove conditions"): (
        "state/test_control.py",
        "test_both_branches",
    ),
    ("convert/transfer.py", "with its `weights`"): (
        "convert/test_transfer.py",
        "test_a_network_of_keras_with_its_weights_from_a_file",
    ),
    ("convert/transfer.py", "Pass its file of weights"): (
        "convert/test_transfer.py",
        "test_a_network_of_keras_with_its_weights_from_a_file",
    ),
    ("convert/transfer.py", "Choose one, such as"): (
        "convert/test_transfer.py",
        "test_a_network_of_keras_with_its_weights_from_a_file",
    ),
    ("convert/transfer_job.py", "Name a layer with"): (
        "convert/test_transfer.py",
        "test_a_head_learns_on_a_frozen_body",
    ),
    ("flow/against_float.py", "Pass the float model"): (
        "assess/test_verbs.py",
        "test_deploy_on_the_device_and_beside_float32",
    ),
    ("flow/exporting.py", "Omit `context=True`"): (
        "pipeline/test_exported.py",
        "test_contexts_are_refused",
    ),
    ("flow/ready.py", "Omit `data`"): (
        "cli/test_first_screen.py",
        "test_deploy_and_build_say_the_same_ram",
    ),
    ("flow/ready.py", "Omit `quantize=False`"): (
        "cli/test_first_screen.py",
        "test_deploy_and_build_say_the_same_ram",
    ),
    ("flow/ready.py", "then `api.build(DIR)`"): (
        "cli/test_first_screen.py",
        "test_deploy_and_build_say_the_same_ram",
    ),
    ("flow/ready.py", "without `protocol"): (
        "device/test_mlperf.py",
        "test_verbs_that_need_the_other_protocol_say_so",
    ),
    ("flow/runtime.py", "row by row"): (
        "device/test_rows.py",
        "test_a_budget_is_kept_or_what_is_missing_is_said",
    ),
    ("guard/keras_config.py", "pass `trust_model`"): (
        "guard/test_hostile_models.py",
        "test_a_persons_own_lambda_runs_on_trust",
    ),
    ("guard/keras_config.py", "pass the Python file"): (
        "guard/test_own_objects.py",
        "test_own_layers_run_confined",
    ),
    ("guard/own_objects.py", "Pass the .py file"): (
        "guard/test_own_objects.py",
        "test_own_layers_run_confined",
    ),
    ("ops/advice.py", "custom_ops="): (
        "custom/test_custom_ops.py",
        "test_verdict_on_a_board",
    ),
    ("ops/advice.py", "runtime="): (
        "tflm/test_emit.py",
        "test_the_sources_compile_against_tflms_headers",
    ),
    ("project/manifest.py", "Generate the project again"): (
        "cli/test_first_screen.py",
        "test_deploy_and_build_say_the_same_ram",
    ),
    ("runtimes/tflm/library.py", "Name it once"): (
        "tflm/test_firmware.py",
        "test_whole_models_are_bit_exact",
    ),
    ("runtimes/tflm/library.py", "Omit `runtime"): (
        "device/test_emulator.py",
        "test_a_board_runs_and_measures",
    ),
    ("runtimes/tflm/library.py", "Use the ahead-of-time runtime"): (
        "device/test_emulator.py",
        "test_a_board_runs_and_measures",
    ),
    ("runtimes/tflm/program.py", "model_slot"): (
        "tflm/test_emit.py",
        "test_replaceable_models_compile_in_every_build_type",
    ),
    ("runtimes/tflm/program.py", "arena=BYTES"): (
        "tflm/test_emit.py",
        "test_custom_ops_get_a_stub_that_compiles",
    ),
    ("runtimes/tflm/without_ops.py", "arena=BYTES"): (
        "tflm/test_custom_ops.py",
        "test_of_a_custom_op_in_a_subgraph_it_is_not",
    ),
    ("flow/runtime.py", "`reserve=dtcm=64K`"): (
        "boards/test_memories.py",
        "test_what_is_reserved_is_not_taken",
    ),
    ("runtimes/tflm/program.py", "omit `custom_ops`"): (
        "tflm/test_custom_ops.py",
        "test_a_given_kernel_goes_before_tflms_own",
    ),
    ("runtimes/tflm/refusals.py", "To run it"): (
        "tflm/test_refusals.py",
        "test_of_a_library_whose_kernels_are_not_known_it_is_a_warning",
    ),
    ("verify/parted_oracle.py", "with a reference function"): (
        "custom/test_custom_ops.py",
        "test_verdict_on_a_board",
    ),
    ("verbs/export.py", "or choose another format"): (
        "export/test_evidence.py",
        "test_the_pack_of_a_model",
    ),
    ("verbs/inspect.py", "Add `board=BOARD`"): (
        "cost/test_verbs.py",
        "test_inspect_tells_cycles_and_time_with_and_without_an_emulator",
    ),
}
"""Advice that another test follows, by file and a piece of the text."""

STATEMENTS = {
    "takes no `custom_objects`": "convert/load.py",
    "takes no calibration data": "convert/pipeline.py",
    "has no float32 model to run": "convert/pipeline.py",
    "as `trust_model` asked": "convert/pipeline.py",
    "Omit `port`, `probe` and `tool`": "flow/against_float.py",
    "both name a core": "flow/exporting.py",
    "apply to the TFLM runtime only": "flow/runtime.py",
    "applies to the ahead-of-time runtime only": "flow/runtime.py",
    "apply to the ahead-of-time runtime only": "flow/runtime.py",
    "the smallest plan that was found": "flow/runtime.py",
    "TFLM's arena lies in RAM": "flow/runtime.py",
    "chooses … itself": "flow/tuning.py",
    "has an effect with": "flow/tuning.py",
    "by itself": "flow/tuning.py",
    "shows why TFLM refuses it": "runtimes/tflm/arena.py",
    "report this as a bug": "runtimes/tflm/strip.py",
    "and several were given": "verbs/export.py",
    "exported as a library": "verbs/export.py",
    "exclude each other": "verbs/export.py",
    "needs a board to measure on": "verbs/inspect.py",
    "whose memories it names": "verbs/inspect.py",
    "chooses one of them": "verify/witnesses.py",
    "Omit `tflm_build`": "runtimes/tflm/library.py",
}
"""Texts that say what is and advise nothing about a model, by a piece of them: their file."""


def texts() -> list[tuple[str, str]]:
    """All texts of the rooms that speak of a parameter and are more than its name: (file in mcugen/, text)."""
    found = []
    for file, _, text in said():
        names = re.findall(r"`(?:api\.)?([a-z_]+)[^`]*`", text)
        if (
            ROOMS.match(file)
            and set(names) & (parameters() | {"generate", "quantize", "verify"})
            and text.strip("`").count(" ")
        ):
            found.append((file.removeprefix("mcugen/"), text))
    return found


def places_of(file: str, text: str) -> int:
    """How many places a text has."""
    return (
        sum((case.file, case.advice) == (file, text) for case in CASES)
        + sum(known == file and piece in text for known, piece in FOLLOWED_BY)
        + sum(known == file and piece in text for piece, known in STATEMENTS.items())
    )


def test_every_text_has_its_place_and_every_place_a_text() -> None:
    found = set(texts())
    assert len(found) > 80
    assert {each: places_of(*each) for each in found if places_of(*each) != 1} == {}
    known = [*FOLLOWED_BY, *((file, piece) for piece, file in STATEMENTS.items())]
    gone = [place for place in known if not any(file == place[0] and place[1] in text for file, text in found)]
    assert not gone, gone


@pytest.mark.parametrize("place", sorted(set(FOLLOWED_BY.values())))
def test_the_tests_that_follow_exist(place: tuple[str, str]) -> None:
    file, name = place
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.emulator
@pytest.mark.tensorflow
@pytest.mark.parametrize("case", CASES, ids=[f"{case.file}: {case.advice[:40]}" for case in CASES])
def test_advice_that_is_followed_leads_somewhere(case: Case, tmp_path: Path) -> None:
    assert (case.file, case.advice) in texts()
    told = ""
    try:
        made = case.wrong(tmp_path)
        if isinstance(made, Converted):
            told = " ".join(made.report.warnings)
    except McugenError as error:
        told = error.hint or ""
    at = 0
    for piece in case.advice.split("…"):
        assert piece in told[at:], told
        at = told.index(piece, at) + len(piece)
    for follow in case.right:
        followed = follow(tmp_path)
        if isinstance(followed, Converted):
            assert case.advice.split("…")[-1] not in " ".join(followed.report.warnings)
