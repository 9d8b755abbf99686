/* SPDX-License-Identifier: Apache-2.0 */
/* NS16550, with registers of one byte. */
#include "mcg_board.h"
#include "mcg_bsp.h"

#define REG8(offset) (*(volatile uint8_t *)(MCG_UART_BASE + (offset)))
#define DATA REG8(0) /* divisor's low byte while LCR_DIVISOR is set */
#define IER REG8(1)  /* divisor's high byte while LCR_DIVISOR is set */
#define FCR REG8(2)
#define LCR REG8(3)
#define LSR REG8(5)
#define LCR_8N1 0x03u
#define LCR_DIVISOR 0x80u
#define FCR_ENABLE_AND_CLEAR 0x07u
#define LSR_RECEIVED 0x01u
#define LSR_TX_FREE 0x20u
#define LSR_TX_IDLE 0x40u

void mcg_uart_init(void) {
  const uint32_t divisor = (MCG_UART_CLOCK_HZ + 8u * MCG_UART_BAUD) / (16u * MCG_UART_BAUD);
  LCR = LCR_DIVISOR;
  DATA = (uint8_t)divisor;
  IER = (uint8_t)(divisor >> 8);
  LCR = LCR_8N1;
  IER = 0;
  FCR = FCR_ENABLE_AND_CLEAR;
}

int mcg_uart_getc(void) { return (LSR & LSR_RECEIVED) ? DATA : -1; }

void mcg_uart_putc(uint8_t byte) {
  while (!(LSR & LSR_TX_FREE)) {
  }
  DATA = byte;
}

void mcg_uart_flush(void) {
  while (!(LSR & LSR_TX_IDLE)) {
  }
}
