/* SPDX-License-Identifier: Apache-2.0 */
/* What mcg_port.c needs of a RISC-V core in machine mode. */
#ifndef MCG_CORE_H
#define MCG_CORE_H

#include <stdint.h>

/* Assembly that reaches control and status registers. For newer assemblers these are an extension
 * of their own, Zicsr; named in -march, GCC 12 would not find its libraries for rv32imc. */
#if __GNUC__ >= 12
#define MCG_CSR(code) ".option push\n\t.option arch, +zicsr\n\t" code "\n\t.option pop\n\t"
#else
#define MCG_CSR(code) code "\n\t"
#endif

/* Reads a control and status register, as it was before what follows. */
#define MCG_READ_CSR(name)                                                   \
  (__extension__({                                                           \
    uint32_t mcg_value;                                                      \
    __asm__ volatile(MCG_CSR("csrr %0, " name) : "=r"(mcg_value)::"memory"); \
    mcg_value;                                                               \
  }))

/* The chip's own way to reset itself: the instruction set has none. */
void mcg_family_reset(void);

/* mstatus.MIE. Nothing enables an interrupt, so this only keeps the promise of mcg_port.h. */
static inline void mcg_core_interrupts(int on) {
  if (on) {
    __asm__ volatile(MCG_CSR("csrsi mstatus, 8")::: "memory");
  } else {
    __asm__ volatile(MCG_CSR("csrci mstatus, 8")::: "memory");
  }
}

static inline void mcg_core_reset(void) { mcg_family_reset(); }

#endif
