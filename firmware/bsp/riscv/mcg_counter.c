/* SPDX-License-Identifier: Apache-2.0 */
/* The cost counter: mcycle, 64 bits wide. It counts cycles on hardware, and in QEMU the virtual
 * time in ns, of which every instruction takes the same. Nothing interrupts it. */
#include "mcg_board.h"
#include "mcg_bsp.h"
#include "mcg_core.h"
#include "mcg_port.h"

static const mcg_counter_info info = {
    .kind = MCG_COUNTER_MCYCLE,
    .bits = 64,
    .instructions_per_interrupt = 0,
    .hz = MCG_CLOCK_HZ,
};

/* mcountinhibit: bit 0 stops mcycle, which some chips have set after reset to save power. */
void mcg_counter_init(void) { __asm__ volatile(MCG_CSR("csrci mcountinhibit, 1")); }

const mcg_counter_info *mcg_port_counter(void) { return &info; }

void mcg_port_now(mcg_moment *moment) {
  uint32_t high, low, again;
  /* The halves are of one moment if the high one is the same before and after. */
  do {
    high = MCG_READ_CSR("mcycleh");
    low = MCG_READ_CSR("mcycle");
    again = MCG_READ_CSR("mcycleh");
  } while (high != again);
  moment->ticks = (uint64_t)high << 32 | low;
  moment->interrupts = 0;
}

__attribute__((noinline)) void mcg_port_run_instructions(uint32_t count) {
  uint32_t rounds = count / 2;
  __asm__ volatile(
      "1:\n\t"
      "addi %0, %0, -1\n\t"
      "bnez %0, 1b"
      : "+r"(rounds));
}
