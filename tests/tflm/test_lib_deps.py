"""A project whose TensorFlow Lite Micro is a PlatformIO library: a folder with a library.json.

The library is none: it has just what an emitted model calls of TFLM, and "computes" x + 1. So this proves how
a project, PlatformIO and a library come together, from `lib_deps` to a firmware that answers.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.device.connecting import open_device
from mcugen.oracle import Oracle, make_inputs
from mcugen.runtimes.tflm.library import DOWNLOADS
from mcugen.runtimes.tflm.view import read_view
from tests import zoo
from tests.tflm.support import real_tflm

API = """
#pragma once
#include <cstddef>
#include <cstdint>
#ifndef TF_LITE_STATIC_MEMORY
#error "TFLM's structures are laid out otherwise without it"
#endif
#if !defined(TF_LITE_STRIP_ERROR_STRINGS) || !defined(NDEBUG)
#error "a release build has neither texts nor assertions"
#endif
#define MicroPrintf(format, ...)  /* as TFLM does; its function does not exist then */
#define TF_LITE_REMOVE_VIRTUAL_DELETE void operator delete(void *) {}
#define TFLITE_SCHEMA_VERSION 3

enum TfLiteStatus { kTfLiteOk, kTfLiteError };
union TfLitePtrUnion { void *data; };
struct TfLiteIntArray { int size; int data[1]; };
struct TfLiteEvalTensor { TfLitePtrUnion data; };
struct TfLiteTensor { TfLitePtrUnion data; };
struct TfLiteNode { TfLiteIntArray *inputs, *outputs; };
struct TfLiteContext { TfLiteEvalTensor *(*GetEvalTensor)(const TfLiteContext *, int); };
struct TFLMRegistration { TfLiteStatus (*invoke)(TfLiteContext *, TfLiteNode *); };

namespace tflite {
enum BuiltinOperator { BuiltinOperator_FULLY_CONNECTED = 9, BuiltinOperator_CUSTOM = 32 };

struct Model { int version() const { return 3; } };
inline const Model *GetModel(const void *data) { return static_cast<const Model *>(data); }

class IPersistentBufferAllocator {
 public:
  virtual ~IPersistentBufferAllocator() {}
  virtual uint8_t *AllocatePersistentBuffer(size_t size, size_t alignment) = 0;
  virtual size_t GetPersistentUsedBytes() const = 0;
};

class INonPersistentBufferAllocator {
 public:
  virtual ~INonPersistentBufferAllocator() {}
  virtual uint8_t *AllocateTemp(size_t size, size_t alignment) = 0;
  virtual void DeallocateTemp(uint8_t *buffer) = 0;
  virtual bool IsAllTempDeallocated() = 0;
  virtual TfLiteStatus ResetTempAllocations() = 0;
  virtual uint8_t *AllocateResizableBuffer(size_t size, size_t alignment) = 0;
  virtual TfLiteStatus ResizeBuffer(uint8_t *buffer, size_t size, size_t alignment) = 0;
  virtual TfLiteStatus DeallocateResizableBuffer(uint8_t *buffer) = 0;
  virtual uint8_t *GetOverlayMemoryAddress() const = 0;
  virtual TfLiteStatus ReserveNonPersistentOverlayMemory(size_t size, size_t alignment) = 0;
  virtual size_t GetNonPersistentUsedBytes() const = 0;
  virtual size_t GetAvailableMemory(size_t alignment) const = 0;
};

class MicroMemoryPlanner {};
class GreedyMemoryPlanner : public MicroMemoryPlanner {};

class MicroAllocator {
 public:
  IPersistentBufferAllocator *memory;

 protected:
  MicroAllocator(IPersistentBufferAllocator *kept, INonPersistentBufferAllocator *, MicroMemoryPlanner *)
      : memory(kept) {}
  virtual ~MicroAllocator() {}
  TF_LITE_REMOVE_VIRTUAL_DELETE
};

class MicroOpResolver {
 public:
  virtual const TFLMRegistration *FindOp(BuiltinOperator op) const = 0;
  virtual const TFLMRegistration *FindOp(const char *op) const = 0;
};

template <unsigned count>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  TfLiteStatus AddFullyConnected(const TFLMRegistration &registration) {
    registration_ = registration;
    return kTfLiteOk;
  }
  const TFLMRegistration *FindOp(BuiltinOperator) const override { return &registration_; }
  const TFLMRegistration *FindOp(const char *) const override { return nullptr; }

 private:
  TFLMRegistration registration_;
};

class MicroInterpreter {
 public:
  MicroInterpreter(const Model *, const MicroOpResolver &, MicroAllocator *allocator) : allocator_(allocator) {}
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteTensor *input(size_t) { return &input_; }
  TfLiteTensor *output(size_t) { return &output_; }
  size_t arena_used_bytes() const { return 32; }

 private:
  MicroAllocator *allocator_;
  TfLiteTensor input_, output_;
};

TFLMRegistration Register_FULLY_CONNECTED_INT8();
TfLiteStatus TfLiteEvalTensorByteLength(const TfLiteEvalTensor *tensor, size_t *bytes);
}  // namespace tflite
"""

LIBRARY = """
#include "tensorflow/lite/micro/api.h"
#include <cstdlib>

namespace tflite {
TFLMRegistration Register_FULLY_CONNECTED_INT8() { return {nullptr}; }
TfLiteStatus TfLiteEvalTensorByteLength(const TfLiteEvalTensor *, size_t *) { return kTfLiteError; }

TfLiteStatus MicroInterpreter::AllocateTensors() {
  std::free(std::malloc(16));  /* formatting of texts asks newlib for memory, which asks for the linker's `end` */
  input_.data.data = allocator_->memory->AllocatePersistentBuffer(16, 16);
  output_.data.data = allocator_->memory->AllocatePersistentBuffer(16, 16);
  return kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Invoke() {
  *static_cast<int8_t *>(output_.data.data) = static_cast<int8_t>(*static_cast<int8_t *>(input_.data.data) + 1);
  return kTfLiteOk;
}
}  // namespace tflite
"""

HEADERS = (
    "micro/arena_allocator/ibuffer_allocator.h",
    "micro/kernels/fully_connected.h",
    "micro/memory_helpers.h",
    "micro/memory_planner/greedy_memory_planner.h",
    "micro/micro_allocator.h",
    "micro/micro_context.h",
    "micro/micro_interpreter.h",
    "micro/micro_log.h",
    "micro/micro_mutable_op_resolver.h",
    "schema/schema_generated.h",
)
"""What an emitted model includes of TFLM."""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "a library"
    lite = folder / "src" / "tensorflow" / "lite"
    for name in HEADERS:
        (lite / name).parent.mkdir(parents=True, exist_ok=True)
        (lite / name).write_text('#pragma once\n#include "tensorflow/lite/micro/api.h"\n')
    (lite / "micro" / "api.h").write_text(API)
    (lite / "micro" / "library.cpp").write_text(LIBRARY)
    (folder / "library.json").write_text(json.dumps({"name": "not-tflm", "version": "1.0.0"}))
    return folder


@pytest.mark.emulator
def test_a_folder_with_a_library_json_is_built_and_linked(library: Path, tmp_path: Path) -> None:
    model, project = zoo.path("sine"), tmp_path / "p"
    made = api.generate(model, board="mps2-an386", out=project, runtime="tflm", tflm=str(library))
    assert made.to_dict()["tflm"]["library"] == f"symlink://{library.resolve()}"
    firmware = api.build(project).firmware
    assert any(symbol.name.startswith("_ZN6tflite16MicroInterpreter6Invoke") for symbol in firmware.symbols)
    with open_device(firmware.elf, load_board("mps2-an386")) as device:
        for value in (-128, 5):
            (output,), _ = device.run([np.full((1, 1), value, np.int8)])
            assert output.item() == value + 1
        assert device.start_model(16).result == -4  # the emitted model's own arena, without room for both tensors


CORE = (
    "tensorflow/lite/micro/*.cc",
    "tensorflow/lite/micro/arena_allocator/*.cc",
    "tensorflow/lite/micro/memory_planner/*.cc",
    "tensorflow/lite/micro/tflite_bridge/*.cc",
    "tensorflow/lite/micro/kernels/fully_connected*.cc",
    "tensorflow/lite/micro/kernels/kernel_util.cc",
    "tensorflow/lite/kernels/*.cc",
    "tensorflow/lite/kernels/internal/*.cc",
    "tensorflow/lite/core/**/*.cc",
    "tensorflow/compiler/mlir/lite/schema/schema_utils.cc",
    "tensorflow/compiler/mlir/lite/core/api/error_reporter.cc",
)
"""TFLM's sources that a model of FULLY_CONNECTED alone needs."""
NOT_ON_DEVICES = ("test", "mock_", "fake_", "recording_", "python", "hexdump")


def library_of(checkout: Path, folder: Path) -> Path:
    """A library for PlatformIO with TFLM's own sources, as somebody would make one."""
    source = folder / "src"
    found = [path for pattern in CORE for path in checkout.glob(pattern)]
    found += [path for top in ("tensorflow", "signal") for path in (checkout / top).rglob("*.h")]
    for path in found:
        inside = path.relative_to(checkout)
        if DOWNLOADS not in str(inside) and not any(word in path.name for word in NOT_ON_DEVICES):
            (source / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, source / inside)
    downloads = checkout / DOWNLOADS
    shutil.copytree(downloads / "flatbuffers/include/flatbuffers", source / "flatbuffers")
    for header in (downloads / "ruy" / "ruy").rglob("*.h"):
        inside = header.relative_to(downloads / "ruy")
        (source / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(header, source / inside)
    for part in ("fixedpoint", "internal", "public"):
        shutil.copytree(downloads / "gemmlowp" / part, source / part, ignore=shutil.ignore_patterns("*.cc"))
    (folder / "library.json").write_text(json.dumps({"name": "tflm", "version": "1.0.0"}))
    return folder


@pytest.mark.emulator
def test_tflms_own_sources_as_a_library(tmp_path: Path) -> None:
    checkout = Path(real_tflm())
    project = tmp_path / "p"
    api.generate(
        zoo.path("sine"),
        board="mps2-an386",
        out=project,
        runtime="tflm",
        tflm=str(library_of(checkout, tmp_path / "library")),
    )
    assert "-DTF_LITE_STRIP_ERROR_STRINGS" in (project / "platformio.ini").read_text()
    firmware = api.build(project).firmware
    x = make_inputs(read_view(zoo.model("sine")).main, 4)
    with open_device(firmware.elf, load_board("mps2-an386")) as device, Oracle(zoo.model("sine")) as oracle:
        for sample in x:
            assert device.run(sample)[0][0].tobytes() == oracle.run(sample)[0].tobytes()
