/* SPDX-License-Identifier: Apache-2.0 */
/* UART of nRF51, which nRF52 parts still have. */
#include "mcg_board.h"
#include "mcg_bsp.h"

#define TASKS_STARTRX (MCG_UART_BASE + 0x000u)
#define TASKS_STARTTX (MCG_UART_BASE + 0x008u)
#define EVENTS_RXDRDY (MCG_UART_BASE + 0x108u)
#define EVENTS_TXDRDY (MCG_UART_BASE + 0x11Cu)
#define ENABLE (MCG_UART_BASE + 0x500u)
#define PSELTXD (MCG_UART_BASE + 0x50Cu)
#define PSELRXD (MCG_UART_BASE + 0x514u)
#define RXD (MCG_UART_BASE + 0x518u)
#define TXD (MCG_UART_BASE + 0x51Cu)
#define BAUDRATE (MCG_UART_BASE + 0x524u)

void mcg_uart_init(void) {
  MCG_REG32(PSELTXD) = MCG_UART_TX_PIN;
  MCG_REG32(PSELRXD) = MCG_UART_RX_PIN;
  MCG_REG32(BAUDRATE) = MCG_NRF_BAUDRATE;
  MCG_REG32(ENABLE) = 4;
  MCG_REG32(TASKS_STARTRX) = 1;
  MCG_REG32(TASKS_STARTTX) = 1;
}

int mcg_uart_getc(void) {
  if (MCG_REG32(EVENTS_RXDRDY) == 0) return -1;
  MCG_REG32(EVENTS_RXDRDY) = 0; /* before reading: the next byte raises it again */
  return (int)(MCG_REG32(RXD) & 0xFF);
}

void mcg_uart_putc(uint8_t byte) {
  MCG_REG32(EVENTS_TXDRDY) = 0;
  MCG_REG32(TXD) = byte;
  while (MCG_REG32(EVENTS_TXDRDY) == 0) {
  }
}

void mcg_uart_flush(void) {} /* every byte was waited for */
