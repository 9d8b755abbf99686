/* SPDX-License-Identifier: Apache-2.0 */
/* USART and LPUART of STM32F0, F3, F7, G, H, L4 and later, whose registers for each direction are
 * separate. */
#include "mcg_board.h"
#include "mcg_bsp.h"

#define CR1 (MCG_UART_BASE + 0x00u)
#define CR3 (MCG_UART_BASE + 0x08u)
#define BRR (MCG_UART_BASE + 0x0Cu)
#define ISR (MCG_UART_BASE + 0x1Cu)
#define RDR (MCG_UART_BASE + 0x24u)
#define TDR (MCG_UART_BASE + 0x28u)
#define ISR_RXNE (1u << 5)
#define ISR_TC (1u << 6)
#define ISR_TXE (1u << 7)
#define DIVIDER \
  (((uint64_t)MCG_UART_CLOCK_HZ * MCG_STM32_BAUD_FACTOR + MCG_UART_BAUD / 2) / MCG_UART_BAUD)

void mcg_uart_init(void) {
  MCG_REG32(BRR) = (uint32_t)DIVIDER;
  MCG_REG32(CR3) = 1u << 12; /* a byte that nobody read in time is lost, and nothing stops */
  MCG_REG32(CR1) = 1u << 3 | 1u << 2 | 1u << 0; /* TE, RE, UE */
}

int mcg_uart_getc(void) { return (MCG_REG32(ISR) & ISR_RXNE) ? (int)(MCG_REG32(RDR) & 0xFF) : -1; }

void mcg_uart_putc(uint8_t byte) {
  while ((MCG_REG32(ISR) & ISR_TXE) == 0) {
  }
  MCG_REG32(TDR) = byte;
}

void mcg_uart_flush(void) {
  while ((MCG_REG32(ISR) & ISR_TC) == 0) {
  }
}
