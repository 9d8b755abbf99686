/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between a model and TensorFlow Lite Micro's trust in it: an arena that says when it
 * is too small in place of a null pointer that kernels do not check, and the texts that the library
 * prints, for the host. For one source file only: everything here is local to it. */
#ifndef MCG_GUARD_H
#define MCG_GUARD_H

#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "mcg_model.h"
#include "tensorflow/lite/micro/arena_allocator/ibuffer_allocator.h"
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_log.h"

/* With its texts built in, TensorFlow Lite Micro hands them to a callback. */
#if !defined(TF_LITE_STRIP_ERROR_STRINGS) && defined(MCG_TFLM_LOG_CALLBACK)
#include "tensorflow/lite/micro/cortex_m_generic/debug_log_callback.h"
#define MCG_KEEPS_TEXT 1
#endif

extern "C" {
extern uint8_t mcg_arena[MCG_MODEL_ARENA_BYTES]; /* a C name, by which the linker script and size
                                                    reports know it */
/* What formats texts could ask for memory, but does not: there is no heap. */
__attribute__((weak)) void *_sbrk(std::ptrdiff_t) { return reinterpret_cast<void *>(-1); }
#ifndef NDEBUG

/* Where TensorFlow Lite Micro's assertions lead in debug builds: to a fault, which the harness
 * reports. */
__attribute__((weak, noreturn)) void __assert_func(const char *, int, const char *, const char *) {
  __builtin_trap();
}
#endif
}

namespace {

/* Room for an object that is made when the model starts; nothing here needs a destructor or the
 * heap. */
template <typename T>
struct Room {
  alignas(T) unsigned char bytes[sizeof(T)];
};

std::jmp_buf arena_exhausted;

/* Leaves Start() or mcg_model_invoke() where an allocation does not fit: kernels trust that theirs
 * succeed. */
[[noreturn]] void GiveUp(size_t wanted, size_t left) {
  MicroPrintf("the arena has %u bytes left, %u are needed", static_cast<unsigned>(left),
              static_cast<unsigned>(wanted));
#ifdef TF_LITE_STRIP_ERROR_STRINGS
  (void)wanted;
  (void)left;
#endif
  std::longjmp(arena_exhausted, 1);
}

/* The arena. What lives as long as the model grows down from its end; below lies what is only
 * needed while the model starts, one block of which can be resized, and at last the tensors. */
class Arena final : public tflite::INonPersistentBufferAllocator,
                    public tflite::IPersistentBufferAllocator {
 public:
  explicit Arena(uint32_t bytes) : end_(mcg_arena + bytes), tail_(end_) {}

  uint8_t *AllocatePersistentBuffer(size_t size, size_t alignment) override {
    const size_t left = static_cast<size_t>(tail_ - temp_);
    const size_t over = (reinterpret_cast<uintptr_t>(tail_) - size) & (alignment - 1);
    if (size > left || over > left - size) GiveUp(size, left);
    tail_ -= size + over;
    return tail_;
  }

  size_t GetPersistentUsedBytes() const override { return static_cast<size_t>(end_ - tail_); }

  uint8_t *AllocateTemp(size_t size, size_t alignment) override {
    uint8_t *const memory = Fitting(temp_, size, alignment);
    temp_ = memory + size;
    return memory;
  }

  void DeallocateTemp(uint8_t *) override {} /* ResetTempAllocations() frees them all */

  bool IsAllTempDeallocated() override { return true; }

  TfLiteStatus ResetTempAllocations() override {
    temp_ = head_;
    return kTfLiteOk;
  }

  uint8_t *AllocateResizableBuffer(size_t size, size_t alignment) override {
    ResizeBuffer(mcg_arena, size, alignment);
    return mcg_arena;
  }

  /* There is only one such buffer. It begins where the arena does, which is aligned for everything.
   */
  TfLiteStatus ResizeBuffer(uint8_t *buffer, size_t size, size_t alignment) override {
    head_ = temp_ = Fitting(buffer, size, alignment) + size;
    return kTfLiteOk;
  }

  TfLiteStatus DeallocateResizableBuffer(uint8_t *buffer) override {
    return ResizeBuffer(buffer, 0, 1);
  }

  uint8_t *GetOverlayMemoryAddress() const override { return mcg_arena; }

  TfLiteStatus ReserveNonPersistentOverlayMemory(size_t size, size_t alignment) override {
    return ResizeBuffer(mcg_arena, size, alignment);
  }

  size_t GetNonPersistentUsedBytes() const override {
    return static_cast<size_t>(temp_ - mcg_arena);
  }

  /* Asked when all ops are prepared, to lay out their tensors: what fails from then on, fails for
   * want of memory. */
  size_t GetAvailableMemory(size_t alignment) const override {
    planning_ = true;
    const size_t under = Misalignment(temp_, alignment);
    const size_t left = static_cast<size_t>(tail_ - temp_);
    return left < under ? 0 : left - under;
  }

  bool planning() const { return planning_; }

  TF_LITE_REMOVE_VIRTUAL_DELETE

 private:
  /* Bytes up to the next address with that alignment, a power of two. */
  static size_t Misalignment(const uint8_t *from, size_t alignment) {
    return (0 - reinterpret_cast<uintptr_t>(from)) & (alignment - 1);
  }

  /* `from`, aligned, if so many bytes fit there. */
  uint8_t *Fitting(uint8_t *from, size_t size, size_t alignment) const {
    const size_t under = Misalignment(from, alignment);
    const size_t left = static_cast<size_t>(tail_ - from);
    if (under > left || size > left - under) GiveUp(size, left);
    return from + under;
  }

  uint8_t *const end_;
  uint8_t *tail_;
  uint8_t *head_ = mcg_arena;
  uint8_t *temp_ = mcg_arena;
  mutable bool planning_ = false;
};

/* TensorFlow Lite Micro's own allocator with the arena above. */
class Allocator final : public tflite::MicroAllocator {
 public:
  Allocator(Arena *arena, tflite::MicroMemoryPlanner *planner)
      : MicroAllocator(arena, arena, planner) {}

  TF_LITE_REMOVE_VIRTUAL_DELETE
};

#ifdef MCG_KEEPS_TEXT
char error_text[200];

void KeepText(const char *text) {
  const size_t kept = std::strlen(error_text), more = std::strlen(text);
  const size_t room = sizeof error_text - 1 - kept;
  std::memcpy(error_text + kept, text, more < room ? more : room);
  error_text[kept + (more < room ? more : room)] = '\0';
}

void ForgetText() {
  error_text[0] = '\0';
  RegisterDebugLogCallback(KeepText);
}
#else
void ForgetText() {}
#endif

}  // namespace

#endif
