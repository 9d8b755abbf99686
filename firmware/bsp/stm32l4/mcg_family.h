/* SPDX-License-Identifier: Apache-2.0 */
/* ST STM32L4 and STM32L4+. */
#define MCG_FAMILY_TIMER 0
/* LPUART1 takes 256 times the divider of a USART (RM0351 and RM0432, LPUART baud rate register). */
#define MCG_STM32_BAUD_FACTOR (MCG_UART_BASE == 0x40008000u ? 256u : 1u)
