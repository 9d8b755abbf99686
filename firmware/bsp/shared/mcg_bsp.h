/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the board support share. */
#ifndef MCG_BSP_H
#define MCG_BSP_H

#include <stdint.h>

#define MCG_REG32(address) (*(volatile uint32_t *)(address))

/* Clock and pins of the chip family, before anything else runs. */
void mcg_system_init(void);

/* The UART driver, polled. */
void mcg_uart_init(void);
int mcg_uart_getc(void); /* the next byte, or -1 */
void mcg_uart_putc(uint8_t byte);
void mcg_uart_flush(void);

void mcg_counter_init(void);

/* A free-running 32-bit timer at the CPU's clock, for parts that have neither DWT nor SysTick.
 * Families without one define MCG_FAMILY_TIMER as 0. */
void mcg_family_timer_start(void);
uint32_t mcg_family_timer_read(void);

/* Waits until `mask` is set at `address`, but not for ever: emulators leave out what they do not
 * need. */
static inline void mcg_wait_bits(uint32_t address, uint32_t mask) {
  for (uint32_t i = 0; i < 100000u && (MCG_REG32(address) & mask) == 0; i++) {
  }
}

#endif
