/* SPDX-License-Identifier: Apache-2.0 */
/* LM3S6965: 50 MHz from the 8 MHz crystal, UART0 on PA0 and PA1. */
#include "mcg_bsp.h"

#define RIS 0x400FE050u
#define RCC 0x400FE060u
#define RCGC1 0x400FE104u
#define RCGC2 0x400FE108u
#define GPIOA_AFSEL 0x40004420u
#define GPIOA_DEN 0x4000451Cu

#define RCC_XTAL_8MHZ (0xEu << 6)
#define RCC_BYPASS (1u << 11)
#define RCC_PWRDN (1u << 13)
#define RCC_USESYSDIV (1u << 22)
#define RCC_SYSDIV_4 (3u << 23)

void mcg_system_init(void) {
  /* As the data sheet orders: bypass the PLL, set it up, wait for its lock, use it. */
  uint32_t rcc = RCC_BYPASS | RCC_PWRDN | RCC_XTAL_8MHZ | RCC_SYSDIV_4;
  MCG_REG32(RCC) = rcc;
  rcc &= ~RCC_PWRDN;
  MCG_REG32(RCC) = rcc;
  mcg_wait_bits(RIS, 1u << 6);
  MCG_REG32(RCC) = (rcc & ~RCC_BYPASS) | RCC_USESYSDIV;
  MCG_REG32(RCGC1) |= 1u;   /* UART0 */
  MCG_REG32(RCGC2) |= 1u;   /* GPIOA */
  mcg_wait_bits(RCGC2, 1u); /* the clocks take a few cycles */
  MCG_REG32(GPIOA_AFSEL) |= 3u;
  MCG_REG32(GPIOA_DEN) |= 3u;
}
