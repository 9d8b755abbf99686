/* SPDX-License-Identifier: Apache-2.0 */
/* USART of STM32F1, F2 and F4. */
#include "mcg_board.h"
#include "mcg_bsp.h"

#define SR (MCG_UART_BASE + 0x00u)
#define DR (MCG_UART_BASE + 0x04u)
#define BRR (MCG_UART_BASE + 0x08u)
#define CR1 (MCG_UART_BASE + 0x0Cu)
#define SR_RXNE (1u << 5)
#define SR_TC (1u << 6)
#define SR_TXE (1u << 7)

void mcg_uart_init(void) {
  MCG_REG32(BRR) = (MCG_UART_CLOCK_HZ + MCG_UART_BAUD / 2) / MCG_UART_BAUD;
  MCG_REG32(CR1) = 1u << 13 | 1u << 3 | 1u << 2; /* UE, TE, RE */
}

int mcg_uart_getc(void) { return (MCG_REG32(SR) & SR_RXNE) ? (int)(MCG_REG32(DR) & 0xFF) : -1; }

void mcg_uart_putc(uint8_t byte) {
  while ((MCG_REG32(SR) & SR_TXE) == 0) {
  }
  MCG_REG32(DR) = byte;
}

void mcg_uart_flush(void) {
  while ((MCG_REG32(SR) & SR_TC) == 0) {
  }
}
