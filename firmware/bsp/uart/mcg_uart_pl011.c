/* SPDX-License-Identifier: Apache-2.0 */
/* Arm PL011, as in Stellaris parts. */
#include "mcg_board.h"
#include "mcg_bsp.h"

#define DR (MCG_UART_BASE + 0x00u)
#define FR (MCG_UART_BASE + 0x18u)
#define IBRD (MCG_UART_BASE + 0x24u)
#define FBRD (MCG_UART_BASE + 0x28u)
#define LCRH (MCG_UART_BASE + 0x2Cu)
#define CTL (MCG_UART_BASE + 0x30u)
#define FR_BUSY (1u << 3)
#define FR_RXFE (1u << 4)
#define FR_TXFF (1u << 5)

void mcg_uart_init(void) {
  /* Clock divided by 16, in 64ths. */
  const uint32_t divisor = (MCG_UART_CLOCK_HZ * 4u + MCG_UART_BAUD / 2) / MCG_UART_BAUD;
  MCG_REG32(CTL) = 0;
  MCG_REG32(IBRD) = divisor / 64;
  MCG_REG32(FBRD) = divisor % 64;
  MCG_REG32(LCRH) = 0x70;                       /* 8 bits, FIFOs on */
  MCG_REG32(CTL) = 1u << 9 | 1u << 8 | 1u << 0; /* receive, transmit, on */
}

int mcg_uart_getc(void) { return (MCG_REG32(FR) & FR_RXFE) ? -1 : (int)(MCG_REG32(DR) & 0xFF); }

void mcg_uart_putc(uint8_t byte) {
  while (MCG_REG32(FR) & FR_TXFF) {
  }
  MCG_REG32(DR) = byte;
}

void mcg_uart_flush(void) {
  while (MCG_REG32(FR) & FR_BUSY) {
  }
}
