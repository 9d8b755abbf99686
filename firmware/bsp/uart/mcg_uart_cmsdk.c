/* SPDX-License-Identifier: Apache-2.0 */
/* UART of Arm's CMSDK. */
#include "mcg_board.h"
#include "mcg_bsp.h"

#define DATA (MCG_UART_BASE + 0x00u)
#define STATE (MCG_UART_BASE + 0x04u)
#define CTRL (MCG_UART_BASE + 0x08u)
#define BAUDDIV (MCG_UART_BASE + 0x10u)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u

void mcg_uart_init(void) {
  MCG_REG32(BAUDDIV) = (MCG_UART_CLOCK_HZ + MCG_UART_BAUD / 2) / MCG_UART_BAUD;
  MCG_REG32(CTRL) = 3; /* transmit and receive */
}

int mcg_uart_getc(void) {
  return (MCG_REG32(STATE) & STATE_RX_FULL) ? (int)(MCG_REG32(DATA) & 0xFF) : -1;
}

void mcg_uart_putc(uint8_t byte) {
  while (MCG_REG32(STATE) & STATE_TX_FULL) {
  }
  MCG_REG32(DATA) = byte;
}

void mcg_uart_flush(void) {
  while (MCG_REG32(STATE) & STATE_TX_FULL) {
  }
}
