/* SPDX-License-Identifier: Apache-2.0 */
#include "mcg_measure.h"

#include <stddef.h>

#define CALIBRATION_INSTRUCTIONS 65536u
#define STACK_PAINT 0xC5A5C5A5u

#if defined(__arm__)
#define READ_SP "mov %0, sp"
#elif defined(__riscv)
#define READ_SP "mv %0, sp"
#endif

static uint64_t counter_mask(void) {
  const uint32_t bits = mcg_port_counter()->bits;
  return bits >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bits) - 1;
}

mcg_moment mcg_elapsed(const mcg_moment *from, const mcg_moment *to) {
  mcg_moment cost;
  cost.ticks = (to->ticks - from->ticks) & counter_mask();
  cost.interrupts = to->interrupts - from->interrupts;
  return cost;
}

void mcg_calibrate(mcg_calibration *calibration) {
  mcg_moment a, b, c;
  mcg_port_now(&a);
  mcg_port_now(&b);
  mcg_port_run_instructions(CALIBRATION_INSTRUCTIONS);
  mcg_port_now(&c);
  calibration->overhead_ticks = (uint32_t)mcg_elapsed(&a, &b).ticks;
  calibration->calibration_ticks = (uint32_t)mcg_elapsed(&b, &c).ticks;
}

/* The stack below this function's own frame is free while no interrupt runs, so it is painted right
 * up to it. Reading the counter uses a few words of stack itself. */
__attribute__((noinline)) void mcg_run_measured(int (*function)(void), uint32_t what,
                                                mcg_run_record *record) {
  mcg_moment before = {0, 0}, after = {0, 0};
  volatile uint32_t *const bottom = mcg_port_stack_bottom();
  volatile uint32_t *top = bottom;
#ifdef READ_SP
  if ((what & MCG_MEASURE_STACK) && bottom != NULL) {
    uint32_t sp;
    __asm__ volatile(READ_SP : "=r"(sp));
    top = (volatile uint32_t *)sp;
    mcg_port_interrupts(0);
    for (volatile uint32_t *p = bottom; p < top; p++) *p = STACK_PAINT;
  }
#endif
  if (what & MCG_MEASURE_COST) mcg_port_now(&before);
  record->result = function();
  if (what & MCG_MEASURE_COST) mcg_port_now(&after);
  record->cost = mcg_elapsed(&before, &after);
  volatile uint32_t *lowest = bottom;
  while (lowest < top && *lowest == STACK_PAINT) lowest++;
  record->stack_bytes = (uint32_t)((uintptr_t)top - (uintptr_t)lowest);
  mcg_port_interrupts(1);
}

int mcg_stack_overflowed(void) {
  volatile uint32_t *const bottom = mcg_port_stack_bottom();
  return bottom != NULL && (bottom[0] != STACK_PAINT || bottom[1] != STACK_PAINT);
}
