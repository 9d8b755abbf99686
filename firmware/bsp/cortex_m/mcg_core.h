/* SPDX-License-Identifier: Apache-2.0 */
/* What mcg_port.c needs of a Cortex-M. */
#ifndef MCG_CORE_H
#define MCG_CORE_H

#include "mcg_bsp.h"

static inline void mcg_core_interrupts(int on) {
  if (on) {
    __asm__ volatile("cpsie i" ::: "memory");
  } else {
    __asm__ volatile("cpsid i" ::: "memory");
  }
}

/* Takes effect soon after it returns. */
static inline void mcg_core_reset(void) {
  __asm__ volatile("dsb" ::: "memory");
  MCG_REG32(0xE000ED0Cu) = 0x05FA0004u; /* AIRCR: SYSRESETREQ */
}

#endif
