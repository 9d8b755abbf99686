/* SPDX-License-Identifier: Apache-2.0 */
/* What the harness needs of a board. firmware/bsp implements it for microcontrollers. */
#ifndef MCG_PORT_H
#define MCG_PORT_H

#include <stdint.h>

/* A moment of the cost counter. `ticks` counts modulo the counter's width; `interrupts` counts how
 * often the counter's own overflow interrupt has run, whose instructions are not the model's. */
typedef struct {
  uint64_t ticks;
  uint32_t interrupts;
} mcg_moment;

/* What the cost counter is; the codes are part of the protocol. */
enum {
  MCG_COUNTER_NONE = 0,
  MCG_COUNTER_DWT = 1,
  MCG_COUNTER_SYSTICK = 2,
  MCG_COUNTER_TIMER = 3,
  MCG_COUNTER_MCYCLE = 4
};

typedef struct {
  uint8_t kind;                       /* MCG_COUNTER_… */
  uint8_t bits;                       /* width: `ticks` counts modulo 2^bits */
  uint8_t instructions_per_interrupt; /* length of the overflow interrupt */
  uint32_t hz;                        /* rate on real hardware */
} mcg_counter_info;

/* In a fault's exception number: it is RISC-V's mcause, pc its mepc, lr its ra, mmfar its mtval. */
#define MCG_FAULT_RISCV 0x10000u

/* Why the program stopped. */
typedef struct {
  uint32_t exception; /* number of the exception: 3 HardFault, … */
  uint32_t pc, lr, sp, xpsr;
  uint32_t cfsr, hfsr, mmfar, bfar; /* 0 where the core has no such register */
} mcg_fault_info;

void mcg_port_init(void);

int mcg_port_getc(void); /* the next byte, or -1 when none has arrived */
void mcg_port_putc(uint8_t byte);
void mcg_port_flush(void); /* returns when the last byte has left */

const mcg_counter_info *mcg_port_counter(void);
void mcg_port_now(mcg_moment *moment);
void mcg_port_run_instructions(
    uint32_t count); /* exactly `count` (even) instructions, to calibrate the counter */

void mcg_port_interrupts(int on);
uint32_t *mcg_port_stack_bottom(
    void); /* lowest word of the stack; NULL where it cannot be measured */
uint32_t mcg_port_stack_bytes(void); /* size of the reserved stack */

const uint8_t *mcg_port_build_id(uint32_t *bytes);
void mcg_port_reset(void);

/* May be left out. Feeds the watchdog of a firmware that has one: called while the harness waits
 * for a request, and between the ops of an inference. */
__attribute__((weak)) void mcg_port_watchdog(void);

#endif
