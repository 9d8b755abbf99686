/* SPDX-License-Identifier: Apache-2.0 */
/* Vector table, start-up and fault handler of every Cortex-M. */
#include <stddef.h>

#include "mcg_board.h"
#include "mcg_bsp.h"
#include "mcg_harness.h"

#define SCB_VTOR 0xE000ED08u
#define SCB_CFSR 0xE000ED28u
#define SCB_HFSR 0xE000ED2Cu
#define SCB_MMFAR 0xE000ED34u
#define SCB_BFAR 0xE000ED38u
#define SCB_CPACR 0xE000ED88u

#define FRAME_BYTES 32u /* r0-r3, r12, lr, pc, xpsr */

extern uint32_t mcg_stack_bottom[], mcg_stack_top[];
extern uint32_t mcg_data_start[], mcg_data_end[], mcg_bss_start[], mcg_bss_end[];
extern const uint32_t mcg_data_image[];
extern void (*const mcg_init_array_start[])(void);
extern void (*const mcg_init_array_end[])(void);

int main(void);
void mcg_reset(void);
void mcg_start(void);
void mcg_fault_entry(void);
void mcg_fault_main(const uint32_t *frame, uint32_t exc_return);
void mcg_systick(void);

typedef union {
  void (*handler)(void);
  const uint32_t *stack;
} mcg_vector;

/* Only the core's own exceptions: no interrupt of the chip is ever enabled. */
__attribute__((section(".mcg_vectors"), used)) const mcg_vector mcg_vectors[16] = {
    {.stack = mcg_stack_top},     {.handler = mcg_reset},
    {.handler = mcg_fault_entry}, /* NMI */
    {.handler = mcg_fault_entry}, /* HardFault */
    {.handler = mcg_fault_entry}, /* MemManage */
    {.handler = mcg_fault_entry}, /* BusFault */
    {.handler = mcg_fault_entry}, /* UsageFault */
    {.handler = mcg_fault_entry}, /* SecureFault */
    {.handler = mcg_fault_entry}, {.handler = mcg_fault_entry},
    {.handler = mcg_fault_entry}, {.handler = mcg_fault_entry}, /* SVCall */
    {.handler = mcg_fault_entry},                               /* DebugMonitor */
    {.handler = mcg_fault_entry}, {.handler = mcg_fault_entry}, /* PendSV */
    {.handler = mcg_systick},
};

/* Runs before the FPU is on, so it stays apart from code that the compiler may vectorise. */
void mcg_reset(void) {
#if __ARM_ARCH >= 8
  __asm__ volatile("msr msplim, %0" ::"r"(mcg_stack_bottom));
#endif
#if __ARM_ARCH >= 7
  MCG_REG32(SCB_VTOR) = (uint32_t)mcg_vectors;
#endif
#ifdef __ARM_FP
  MCG_REG32(SCB_CPACR) |= 0xFu << 20; /* full access to coprocessors 10 and 11: FPU and MVE */
#endif
  __asm__ volatile("dsb\n\tisb" ::: "memory");
  mcg_start();
}

__attribute__((noinline)) void mcg_start(void) {
  const uint32_t *from = mcg_data_image;
  for (volatile uint32_t *to = mcg_data_start; to < mcg_data_end; to++) *to = *from++;
  for (volatile uint32_t *to = mcg_bss_start; to < mcg_bss_end; to++) *to = 0;
  mcg_system_init();
  for (void (*const *f)(void) = mcg_init_array_start; f < mcg_init_array_end; f++) (*f)();
  main();
  for (;;) {
  }
}

/* Finds the frame that the exception has pushed, and gives the handler the whole stack: the old
 * stack pointer may be the reason for the fault. */
__attribute__((naked)) void mcg_fault_entry(void) {
  __asm__ volatile(
      ".syntax unified\n\t"
      "mov r1, lr\n\t"
      "mrs r0, msp\n\t"
      "movs r2, #4\n\t"
      "tst r1, r2\n\t"
      "beq 1f\n\t"
      "mrs r0, psp\n"
      "1:\n\t"
      "ldr r2, =mcg_stack_top\n\t"
      "mov sp, r2\n\t"
      "bl mcg_fault_main\n\t"
      ".ltorg");
}

__attribute__((used)) void mcg_fault_main(const uint32_t *frame, uint32_t exc_return) {
  static mcg_fault_info fault;
  const uint32_t at = (uint32_t)frame;
  uint32_t ipsr;
  __asm__ volatile("mrs %0, ipsr" : "=r"(ipsr));
  fault.exception = ipsr;
  fault.sp = at;
  fault.lr = exc_return; /* until the frame says better */
  if (at >= MCG_RAM_ORIGIN && at <= MCG_RAM_ORIGIN + MCG_RAM_SIZE - FRAME_BYTES && at % 4 == 0) {
    fault.lr = frame[5];
    fault.pc = frame[6];
    fault.xpsr = frame[7];
  }
#if __ARM_ARCH >= 7
  fault.cfsr = MCG_REG32(SCB_CFSR);
  fault.hfsr = MCG_REG32(SCB_HFSR);
  fault.mmfar = MCG_REG32(SCB_MMFAR);
  fault.bfar = MCG_REG32(SCB_BFAR);
#endif
  mcg_harness_fault(&fault);
}
