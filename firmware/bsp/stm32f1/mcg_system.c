/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F100: 24 MHz from the internal oscillator, USART1 on PA9 and PA10. */
#include "mcg_bsp.h"

#define RCC_CR 0x40021000u
#define RCC_CFGR 0x40021004u
#define RCC_APB2ENR 0x40021018u
#define GPIOA_CRH 0x40010804u

void mcg_system_init(void) {
  MCG_REG32(RCC_CFGR) = 4u << 18; /* PLL: 8 MHz / 2 * 6 */
  MCG_REG32(RCC_CR) |= 1u << 24;
  mcg_wait_bits(RCC_CR, 1u << 25);
  MCG_REG32(RCC_CFGR) |= 2; /* run from the PLL; no wait states up to 24 MHz */
  mcg_wait_bits(RCC_CFGR, 2u << 2);
  MCG_REG32(RCC_APB2ENR) |= 1u << 14 | 1u << 2; /* USART1, GPIOA */
  /* PA9: alternate function, push-pull, 10 MHz. PA10: floating input. */
  MCG_REG32(GPIOA_CRH) = (MCG_REG32(GPIOA_CRH) & ~0xFF0u) | 0x490u;
}
