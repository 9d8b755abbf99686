/* SPDX-License-Identifier: Apache-2.0 */
/* Nordic nRF51. */
#define MCG_FAMILY_TIMER 1
/* In units of 16 MHz / 2^32, to the 20 bits that the part has. */
#define MCG_NRF_BAUDRATE \
  ((uint32_t)((((uint64_t)MCG_UART_BAUD << 32) / 16000000u + 0x800u) & 0xFFFFF000u))
