/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up and trap handler of a RISC-V core in machine mode. */
#include "mcg_board.h"
#include "mcg_bsp.h"
#include "mcg_core.h"
#include "mcg_harness.h"

extern uint32_t mcg_data_start[], mcg_data_end[], mcg_bss_start[], mcg_bss_end[];
extern const uint32_t mcg_data_image[];
extern void (*const mcg_init_array_start[])(void);
extern void (*const mcg_init_array_end[])(void);

int main(void);
void mcg_reset(void);
void mcg_start(void);
void mcg_trap_entry(void);
void mcg_trap_main(uint32_t sp, uint32_t ra);

/* The first instructions in flash. The C library keeps errno in thread-local memory, which tp
 * points to. gp is not used: the linker script leaves out the name that would make the linker use
 * it. */
__attribute__((section(".mcg_vectors"), naked, used)) void mcg_reset(void) {
  __asm__ volatile(
      MCG_CSR("csrci mstatus, 8")
      "la sp, mcg_stack_top\n\t"
      "la tp, mcg_tls\n\t"
      "la t0, mcg_trap_entry\n\t"
      MCG_CSR("csrw mtvec, t0")
      "j mcg_start");
}

__attribute__((noinline, used)) void mcg_start(void) {
  const uint32_t *from = mcg_data_image;
  for (volatile uint32_t *to = mcg_data_start; to < mcg_data_end; to++) *to = *from++;
  for (volatile uint32_t *to = mcg_bss_start; to < mcg_bss_end; to++) *to = 0;
  mcg_system_init();
  for (void (*const *f)(void) = mcg_init_array_start; f < mcg_init_array_end; f++) (*f)();
  main();
  for (;;) {
  }
}

/* Gives the handler the whole stack: the old stack pointer may be the reason for the trap. mtvec
 * takes multiples of 4. */
__attribute__((naked, used, aligned(4))) void mcg_trap_entry(void) {
  __asm__ volatile(
      "mv a0, sp\n\t"
      "mv a1, ra\n\t"
      "la sp, mcg_stack_top\n\t"
      "j mcg_trap_main");
}

/* No interrupt is ever enabled, so every trap is an exception, and none can be mended. */
__attribute__((used)) void mcg_trap_main(uint32_t sp, uint32_t ra) {
  static mcg_fault_info fault;
  fault.exception = MCG_FAULT_RISCV | MCG_READ_CSR("mcause");
  fault.pc = MCG_READ_CSR("mepc");
  fault.lr = ra;
  fault.sp = sp;
  fault.mmfar = MCG_READ_CSR("mtval");
  mcg_harness_fault(&fault);
}
