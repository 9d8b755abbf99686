"""Real firmware around the user's TensorFlow Lite Micro, on emulated boards. Needs MCUGEN_TFLM_DIR."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.builder import build_project
from mcugen.device.connecting import connect, open_device
from mcugen.device.device import Device, ModelStartError
from mcugen.device.protocol import Stored
from mcugen.errors import DeviceError
from mcugen.formats.emit import emit_project
from mcugen.oracle import Oracle, make_inputs
from mcugen.runtimes.tflm.emit import emit_tflm
from mcugen.runtimes.tflm.library import Variant, tflm_arch
from mcugen.runtimes.tflm.program import TflmOptions, make_program
from mcugen.tflite.schema import pack_model, unpack_model
from mcugen.verbs.deploy import deploy
from mcugen.verbs.verify import verify
from tests.models import model_bytes, model_path, real
from tests.tflm.support import real_tflm, running

pytestmark = pytest.mark.emulator

LIMITS = {
    # Programs with TFLM of August 2026 and CMSIS-NN, nothing else (GCC 12.2, QEMU 7.2): instructions, which may be 1 %
    # more, and bytes of code without model and of arena, which may not be more.
    ("kws_ref_model", "mps2-an386"): (7_697_902, 52_940, 22_832),
    ("vww_96_int8", "mps2-an386"): (24_101_962, 52_940, 100_720),
    ("pretrainedResnet_quant", "mps2-an386"): (29_861_680, 50_744, 55_008),
    ("ad01_int8", "mps2-an386"): (582_964, 27_604, 3_024),
    ("kws_ref_model", "mps3-an547"): (1_813_690, 44_292, 27_360),
}


STATEFUL = ("okay_nabu", "trained_lstm_int8", "keyword_scrambled_8bit")


@pytest.mark.parametrize(
    ("name", "board"),
    [
        ("mobilenet_v1", "mps2-an386"),
        ("ds_cnn_16x8", "mps2-an386"),
        ("resnet", "mps3-an547"),
        ("wake_word", "mps2-an386"),
        *(pytest.param(name, board, marks=real(name)) for name, board in LIMITS),
        *(pytest.param(name, "mps2-an386", marks=real(name)) for name in STATEFUL),
    ],
)
def test_whole_models_are_bit_exact(name: str, board: str) -> None:
    tflm = real_tflm()
    proof = verify(model_path(name), board=board, runtime="tflm", tflm=tflm, samples=5, layers=True)
    assert proof.verdict.bit_exact, proof.verdict.first_divergent_op
    assert proof.verdict.layers_checked > 0
    assert proof.plan.arena_exact
    assert proof.firmware.ram.arena == proof.plan.arena_bytes
    if (name, board) in LIMITS:
        instructions, code_bytes, arena_bytes = LIMITS[name, board]
        assert proof.cost.invoke <= instructions * 1.01
        assert proof.firmware.flash.code <= code_bytes
        assert proof.plan.arena_bytes <= arena_bytes


def test_deploy_writes_the_exact_arena_back(tmp_path: Path) -> None:
    tflm = real_tflm()
    folder = tmp_path / "project"
    proof = deploy(model_path("sine"), board="mps2-an386", out=folder, runtime="tflm", tflm=tflm, samples=2)
    again = verify(folder, samples=2, tflm=tflm)
    assert proof.verdict.bit_exact
    assert again.verdict.bit_exact
    assert again.project is None
    assert again.plan.arena_bytes == proof.plan.arena_bytes < 1728
    assert again.plan.arena_exact


class Firmware:
    """A replaceable sine on mps2-an386, with its slots in RAM or in what stands for flash."""

    def __init__(self, folder: Path, memory: str = "ram", arena_bytes: int = 0) -> None:
        tflm = real_tflm()
        board = load_board("mps2-an386")
        self.board = board if memory == "flash" else replace(board, regions=())
        self.data = model_bytes("sine")
        options = TflmOptions(tflm, slot_bytes=50_000, arena_bytes=arena_bytes)
        self.program = make_program(self.data, "hello", self.board, options)
        emit_project(self.program, self.board, folder, model_files=emit_tflm(self.program))
        self.elf = build_project(folder, tflm=tflm).elf

    def start(self) -> Device:
        return open_device(self.elf, self.board)


@pytest.fixture(scope="module", params=["ram", "flash"])
def firmware(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return Firmware(tmp_path_factory.mktemp("replaceable") / "project", request.param)


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return Firmware(tmp_path_factory.mktemp("keeping") / "project", "flash")


@pytest.fixture
def device(firmware: Firmware) -> Iterator[Device]:
    with firmware.start() as running:
        yield running


def retrained(data: bytes, *, rescaled: bool = True) -> bytes:
    """The same model with other weights and another output scale."""
    model = unpack_model(data)
    largest = max((b for b in model.buffers if b.data is not None), key=lambda b: len(b.data))
    largest.data = (np.asarray(largest.data, np.uint8) ^ 0x15).astype(np.uint8)
    output = model.subgraphs[0].tensors[model.subgraphs[0].outputs[0]]
    if rescaled:
        output.quantization.scale = [output.quantization.scale[0] * 2]
    return pack_model(model)


def answers(device: Device, data: bytes, program_graph: object) -> bool:
    """Whether the device computes what the oracle computes of a model."""
    inputs = make_inputs(program_graph, 4)  # type: ignore[arg-type]
    with Oracle(data) as oracle:
        return all(device.run(sample)[0][0].tobytes() == oracle.run(sample)[0].tobytes() for sample in inputs)


def test_a_model_is_replaced_over_the_link(firmware: Firmware, device: Device) -> None:
    new, graph = retrained(firmware.data), firmware.program.graph
    assert answers(device, firmware.data, graph)
    for model in (new, firmware.data, new):  # the slots take turns
        device.push_model(model, "ab" * 32)
        assert answers(device, model, graph)
    assert device.hello.model_sha256 == "ab" * 32
    assert device.outputs[0].scale == pytest.approx(2 * firmware.program.output_tensors()[0].scale)
    device.reset()
    kept = firmware.program.store is not None
    assert device.stored() == Stored(keeps=kept, state=1 if kept else 0)
    assert device.hello.model_sha256 == ("ab" * 32 if kept else firmware.program.graph.sha256)
    assert answers(device, new if kept else firmware.data, graph)


def test_a_push_that_breaks_off_leaves_the_kept_model(keeping: Firmware) -> None:
    first, second = retrained(keeping.data), keeping.data
    with keeping.start() as device:
        device.push_model(first, "ab" * 32)
        for offset in range(0, 512, 256):  # of the second model only this much arrives
            device.send_model_part(offset, second[offset : offset + 256])
        device.reset()
        assert device.hello.model_sha256 == "ab" * 32
        assert device.warnings() == ()
        assert answers(device, first, keeping.program.graph)
        device.push_model(second, "cd" * 32)  # over what had arrived
        device.reset()
        assert device.hello.model_sha256 == "cd" * 32
        assert answers(device, second, keeping.program.graph)


def slot_image(flatbuffer: bytes, sequence: int, own_sha256: str, *, check: bool = True) -> bytes:
    """A slot as the firmware writes it."""
    digest = hashlib.sha256(flatbuffer).digest()
    header = (
        struct.pack("<4sII", b"MCGS", sequence, len(flatbuffer)) + digest + b"\xab" * 32 + bytes.fromhex(own_sha256)
    )
    header += hashlib.sha256(header).digest()[:4] if check else b"\xff" * 4
    return header.ljust(128, b"\xff") + flatbuffer


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("case", "runs", "says"),
    [
        ("whole", "stored", ""),
        ("newer of two", "stored", ""),
        ("another firmware's", "own", ""),
        ("damaged weights", "own", "did not arrive as it was sent"),
        ("damaged header", "own", "did not arrive as it was sent"),
        ("header not finished", "own", "did not arrive as it was sent"),
        ("wrong op", "own", "does not have"),
    ],
)
def test_what_is_kept_is_checked_at_start(case: str, runs: str, says: str, keeping: Firmware, tmp_path: Path) -> None:
    own, store = keeping.program.graph.sha256, keeping.program.store
    assert store is not None
    new = broken(keeping.data, "wrong op") if case == "wrong op" else retrained(keeping.data)
    image = slot_image(new, 7, "00" * 32 if case == "another firmware's" else own, check=case != "header not finished")
    if case == "damaged weights":
        image = flipped(image, len(image) - 40)
    elif case == "damaged header":
        image = flipped(image, 20)
    elif case == "newer of two":
        image = slot_image(keeping.data, 6, own).ljust(store.slot_bytes, b"\xff") + image
    preloaded = tmp_path / "slots.bin"
    preloaded.write_bytes(image)
    loader = f"loader,file={preloaded},addr={store.address:#x},force-raw=on"
    with running(keeping.elf, "-device", loader) as url, connect(url, board=keeping.board) as device:
        expected = "ab" * 32 if runs == "stored" else own
        assert device.hello.model_sha256 == expected
        assert answers(device, new if runs == "stored" else keeping.data, keeping.program.graph)
        assert [says in warning for warning in device.warnings()] == ([True] if says else [])


def broken(data: bytes, how: str) -> bytes:
    """A model that must not be taken, although it arrives as it was sent."""
    if how == "truncated":
        return data[: len(data) // 2]
    if how == "garbage":
        return data[:8] + bytes(range(256)) * 4
    if how == "other interface":
        return model_bytes("speech")
    model = unpack_model(data)
    if how == "wrong op":
        model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = 3  # CONV_2D
    elif how == "wrong type":
        for tensor in model.subgraphs[0].tensors[1:]:
            if tensor.type == 9 and tensor.buffer and len(tensor.shape) == 2:
                tensor.type = 7  # int8 weights read as int16
    elif how == "tensor that does not exist":
        model.subgraphs[0].operators[0].inputs = [9999, 1, 2]
    elif how == "constant smaller than its shape":
        weights = next(t for t in model.subgraphs[0].tensors if t.type == 9 and t.buffer and len(t.shape) == 2)
        model.buffers[weights.buffer].data = model.buffers[weights.buffer].data[:3]
    elif how in ("shape beyond the arena", "shape beyond 32 bits"):
        inside = model.subgraphs[0].operators[0].outputs[0]
        far = [1 << 20] if how == "shape beyond the arena" else [1 << 16, 1 << 16, 1 << 16]
        model.subgraphs[0].tensors[inside].shape = far
    elif how == "other shape":
        model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].shape = [1, 2]
    return pack_model(model)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("truncated", "not a sound model"),
        ("garbage", "not a sound model"),
        ("wrong op", "does not have"),
        ("wrong type", "not a sound model"),  # int16 would be twice as large
        ("tensor that does not exist", "not a sound model"),
        ("constant smaller than its shape", "not a sound model"),
        ("shape beyond the arena", "arena is too small"),
        ("shape beyond 32 bits", "arena is too small"),
        ("other shape", "not those of this firmware"),
        ("other interface", "does not have|not those of this firmware"),
    ],
)
def test_what_is_not_right_is_refused_and_the_old_model_still_answers(
    how: str, why: str, firmware: Firmware, device: Device
) -> None:
    with pytest.raises(DeviceError, match=f"refuses the model: .*({why}).*The old model still runs"):
        device.push_model(broken(firmware.data, how), "00" * 32)
    assert device.hello.model_sha256 == firmware.program.graph.sha256
    assert answers(device, firmware.data, firmware.program.graph)


def test_a_model_too_large_for_the_slot_is_not_even_sent(device: Device) -> None:
    with pytest.raises(DeviceError, match="slot for it 50,000"):
        device.push_model(bytes(50_001), "00" * 32)


def test_arenas_that_are_too_small_never_crash(firmware: Firmware, device: Device) -> None:
    results = {size: device.start_model(size).result for size in range(16, firmware.program.arena_bytes + 1, 16)}
    working = [size for size, result in results.items() if result == 0]
    assert working
    assert {result for size, result in results.items() if size < working[0]} == {-4}
    assert working == [size for size in results if size >= working[0]]
    device.forget()
    assert answers(device, firmware.data, firmware.program.graph)


def test_an_arena_that_is_too_small_is_reported(tmp_path: Path) -> None:
    small = Firmware(tmp_path / "project", arena_bytes=512)
    with pytest.raises(ModelStartError, match="the arena is too small") as caught:
        small.start()
    assert caught.value.code == -4


def with_texts(board: str) -> str:
    """The name of a build of TFLM for the board that has its texts; skips the test where there is none."""
    root = Path(real_tflm())
    arch = tflm_arch(load_board(board))
    for build_type in ("debug", "default", "release_with_logs"):
        variant = Variant(arch, build_type, optimised=True)
        if (root / variant.archive).is_file():
            return variant.folder
    pytest.skip("MCUGEN_TFLM_DIR has no build of TensorFlow Lite Micro with texts")


def test_what_tflm_says_reaches_the_host(tmp_path: Path) -> None:
    library, tflm = with_texts("mps2-an386"), real_tflm()
    board, options = load_board("mps2-an386"), TflmOptions(tflm, arena_bytes=512)
    made = make_program(model_bytes("sine"), "hello", board, options, library=library)
    emit_project(made, board, tmp_path / "p", model_files=emit_tflm(made))
    with pytest.raises(ModelStartError, match=r"arena is too small \(.*bytes left, .*are needed"):
        open_device(build_project(tmp_path / "p", tflm=tflm).elf, board)


def test_what_tflm_says_of_a_refused_push_reaches_the_host(tmp_path: Path) -> None:
    library, tflm = with_texts("mps2-an386"), real_tflm()
    board, options = load_board("mps2-an386"), TflmOptions(tflm, slot_bytes=50_000)
    data = model_bytes("sine")
    made = make_program(data, "hello", board, options, library=library)
    emit_project(made, board, tmp_path / "p", model_files=emit_tflm(made))
    model = unpack_model(data)
    bias = next(t for t in model.subgraphs[0].tensors if t.type == 2 and t.buffer)  # int32
    bias.type = 7  # int16, which no kernel takes for a bias
    bias.shape = [bias.shape[0] * 2]
    with (
        open_device(build_project(tmp_path / "p", tflm=tflm).elf, board) as device,
        pytest.raises(DeviceError, match=r"refuses the model: an op refuses its tensors \(.+\)"),
    ):
        device.push_model(pack_model(model), "00" * 32)


def hanging(data: bytes) -> bytes:
    """A model whose depthwise convolution never ends in CMSIS-NN: with a depth multiplier of 0."""
    model = unpack_model(data)
    for op in model.subgraphs[0].operators:
        if hasattr(op.builtinOptions, "depthMultiplier"):
            op.builtinOptions.depthMultiplier = 0
    return pack_model(model)


def reset_by_hand(qmp: Path) -> None:
    """What the reset button does."""
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(str(qmp))
        for command in ("qmp_capabilities", "system_reset"):
            monitor.recv(4096)
            monitor.sendall(json.dumps({"execute": command}).encode())
        monitor.recv(4096)


def test_a_model_that_never_ends_is_given_up_with_a_reset(tmp_path: Path) -> None:
    tflm, board, data = real_tflm(), load_board("mps2-an386"), model_bytes("speech")
    made = make_program(data, "speech", board, TflmOptions(tflm, slot_bytes=50_000))
    emit_project(made, board, tmp_path / "p", model_files=emit_tflm(made))
    elf, qmp = build_project(tmp_path / "p", tflm=tflm).elf, tmp_path / "qmp"
    better = retrained(data, rescaled=False)  # SOFTMAX has one scale only
    with running(elf, "-qmp", f"unix:{qmp},server=on,wait=off") as url:
        with connect(url, board=board, timeout=8.0) as device:
            device.push_model(better, "ab" * 32)
            with pytest.raises(DeviceError, match="first inference did not come to its end within 8 s"):
                device.push_model(hanging(data), "cd" * 32)
        reset_by_hand(qmp)
        with connect(url, board=board) as device:
            assert device.hello.model_sha256 == "ab" * 32
            assert answers(device, better, made.graph)
            (told,) = (warning for warning in device.warnings() if "does not run" in warning)
            assert "its first inference never came to its end" in told


def test_a_model_that_was_sent_is_proved_by_its_name(tmp_path: Path) -> None:
    tflm, folder = real_tflm(), tmp_path / "p"
    api.generate(model_path("sine"), board="mps2-an386", out=folder, runtime="tflm", tflm=tflm, model_slot=4096)
    new = tmp_path / "new.tflite"
    new.write_bytes(retrained(model_bytes("sine")))
    with running(api.build(folder, tflm=tflm).firmware.elf) as url:
        api.push(new, port=url)
        with pytest.raises(DeviceError, match=r"runs this firmware, but a model that was sent.*`pushed=MODEL`"):
            verify(folder, port=url, samples=2, tflm=tflm)
        proof = verify(folder, port=url, samples=3, tflm=tflm, pushed=new, layers=True)
        assert proof.verdict.bit_exact
        assert proof.plan.graph.sha256 == hashlib.sha256(new.read_bytes()).hexdigest()
        x = np.arange(4, dtype=np.int8).reshape(4, 1, 1)
        result = api.run(folder, port=url, inputs=x, tflm=tflm, pushed=new)
        with Oracle(new.read_bytes()) as oracle:
            assert [int(oracle.run([one])[0][0, 0]) for one in x] == result.outputs[0].reshape(-1).tolist()
