/* SPDX-License-Identifier: Apache-2.0 */
/* nRF51: crystal clock, pins of the link, TIMER0 as the counter (the part has no SysTick). */
#include "mcg_board.h"
#include "mcg_bsp.h"

#define CLOCK_HFCLKSTART 0x40000000u
#define CLOCK_HFCLKSTARTED 0x40000100u
#define POWER_RAMON 0x40000524u
#define GPIO_OUTSET 0x50000508u
#define GPIO_DIRSET 0x50000518u
#define GPIO_PIN_CNF(pin) (0x50000700u + 4u * (pin))
#define TIMER_START 0x40008000u
#define TIMER_CLEAR 0x4000800Cu
#define TIMER_CAPTURE0 0x40008040u
#define TIMER_BITMODE 0x40008508u
#define TIMER_PRESCALER 0x40008510u
#define TIMER_CC0 0x40008540u

void mcg_system_init(void) {
  MCG_REG32(POWER_RAMON) |= 3; /* both banks of RAM */
  MCG_REG32(CLOCK_HFCLKSTART) = 1;
  mcg_wait_bits(CLOCK_HFCLKSTARTED, 1);
  MCG_REG32(GPIO_OUTSET) = 1u << MCG_UART_TX_PIN; /* TX rests high */
  MCG_REG32(GPIO_DIRSET) = 1u << MCG_UART_TX_PIN;
  MCG_REG32(GPIO_PIN_CNF(MCG_UART_RX_PIN)) = 0; /* RX is an input */
}

void mcg_family_timer_start(void) {
  MCG_REG32(TIMER_BITMODE) = 3; /* 32 bits */
  MCG_REG32(TIMER_PRESCALER) = 0;
  MCG_REG32(TIMER_CLEAR) = 1;
  MCG_REG32(TIMER_START) = 1;
}

uint32_t mcg_family_timer_read(void) {
  MCG_REG32(TIMER_CAPTURE0) = 1;
  return MCG_REG32(TIMER_CC0);
}
