/* UART of nRF51. */
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

#define PIN_TX 24u /* the micro:bit's wiring to its USB interface */
#define PIN_RX 25u

void mcg_uart_init(void) {
  MCG_REG32(PSELTXD) = PIN_TX;
  MCG_REG32(PSELRXD) = PIN_RX;
  /* The rate in units of 16 MHz / 2^32, to the 20 bits that the part has. */
  MCG_REG32(BAUDRATE) =
      (uint32_t)((((uint64_t)MCG_UART_BAUD << 32) / 16000000u + 0x800u) & 0xFFFFF000u);
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
