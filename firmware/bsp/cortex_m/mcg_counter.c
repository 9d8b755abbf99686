/* SPDX-License-Identifier: Apache-2.0 */
/* The cost counter: the best that the core has, detected at run time.
 *
 * 1. DWT counts CPU cycles, in 32 bits, on hardware from Cortex-M3 on. QEMU does not model it: it
 * reads as 0.
 * 2. SysTick counts the CPU's clock in 24 bits; an interrupt counts its overflows.
 * 3. Parts without either (nRF51) have a timer of the family.
 */
#include "mcg_board.h"
#include "mcg_bsp.h"
#include "mcg_port.h"

#define DEMCR 0xE000EDFCu
#define DWT_CTRL 0xE0001000u
#define DWT_CYCCNT 0xE0001004u
#define DWT_LAR 0xE0001FB0u
#define SYST_CSR 0xE000E010u
#define SYST_RVR 0xE000E014u
#define SYST_CVR 0xE000E018u
#define SCB_ICSR 0xE000ED04u
#define ICSR_PENDSTSET (1u << 26)

#define SYSTICK_MASK 0xFFFFFFu

static mcg_counter_info info;
volatile uint32_t mcg_systick_overflows;
void mcg_systick(void);

/* Written out, so that its length is known: 5 instructions per overflow. */
__attribute__((naked)) void mcg_systick(void) {
  __asm__ volatile(
      ".syntax unified\n\t"
      "ldr r0, =mcg_systick_overflows\n\t"
      "ldr r1, [r0]\n\t"
      "adds r1, #1\n\t"
      "str r1, [r0]\n\t"
      "bx lr\n\t"
      ".ltorg");
}

static int counts(uint32_t address) {
  const uint32_t first = MCG_REG32(address);
  mcg_port_run_instructions(64);
  return MCG_REG32(address) != first;
}

static int start_dwt(void) {
#if __ARM_ARCH >= 7
  MCG_REG32(DEMCR) |= 1u << 24;     /* TRCENA */
  MCG_REG32(DWT_LAR) = 0xC5ACCE55u; /* Cortex-M7 locks its DWT */
  MCG_REG32(DWT_CTRL) |= 1u;
  return counts(DWT_CYCCNT);
#else
  return 0;
#endif
}

static int start_systick(void) {
  MCG_REG32(SYST_RVR) = SYSTICK_MASK;
  MCG_REG32(SYST_CVR) = 0;
  MCG_REG32(SYST_CSR) = 7; /* enabled, with interrupt, from the CPU's clock */
  return counts(SYST_CVR);
}

void mcg_counter_init(void) {
  info.hz = MCG_CLOCK_HZ;
  if (start_dwt()) {
    info.kind = MCG_COUNTER_DWT;
    info.bits = 32;
  } else if (start_systick()) {
    info.kind = MCG_COUNTER_SYSTICK;
    info.bits = 56; /* 24 of SysTick, 32 of its overflows */
    info.instructions_per_interrupt = 5;
#if MCG_FAMILY_TIMER
  } else {
    mcg_family_timer_start();
    info.kind = MCG_COUNTER_TIMER;
    info.bits = 32;
#endif
  }
}

const mcg_counter_info *mcg_port_counter(void) { return &info; }

static void read_systick(mcg_moment *moment) {
  uint32_t masked;
  __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(masked)::"memory");
  uint32_t overflows = mcg_systick_overflows;
  moment->interrupts = overflows;
  uint32_t value = MCG_REG32(SYST_CVR);
  if (MCG_REG32(SCB_ICSR) & ICSR_PENDSTSET) {
    /* It overflowed before or after the first reading, so read again: now it surely was before. */
    value = MCG_REG32(SYST_CVR);
    overflows++;
  }
  __asm__ volatile("msr primask, %0" ::"r"(masked) : "memory");
  /* It counts down, and the interrupt comes as it reaches 0: 0 is the first tick of a new period.
   */
  moment->ticks = (uint64_t)overflows << 24 | ((0u - value) & SYSTICK_MASK);
}

void mcg_port_now(mcg_moment *moment) {
  moment->ticks = 0;
  moment->interrupts = 0;
  if (info.kind == MCG_COUNTER_SYSTICK) {
    read_systick(moment);
  } else if (info.kind == MCG_COUNTER_DWT) {
    moment->ticks = MCG_REG32(DWT_CYCCNT);
#if MCG_FAMILY_TIMER
  } else if (info.kind == MCG_COUNTER_TIMER) {
    moment->ticks = mcg_family_timer_read();
#endif
  }
}

__attribute__((noinline)) void mcg_port_run_instructions(uint32_t count) {
  uint32_t rounds = count / 2;
  __asm__ volatile(
      ".syntax unified\n"
      "1:\n\t"
      "subs %0, %0, #1\n\t"
      "bne 1b"
      : "+l"(rounds)
      :
      : "cc");
}
