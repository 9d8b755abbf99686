/* SPDX-License-Identifier: Apache-2.0 */
/* Nordic nRF52. */
#define MCG_FAMILY_TIMER 0
/* From the data sheet's table, whose values are a little below those of the formula. */
#define MCG_NRF_BAUDRATE (MCG_UART_BAUD == 115200u ? 0x01D60000u : 0x10000000u)
