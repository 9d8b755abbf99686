/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F100 at 24 MHz, STM32F103 at 64 MHz, from the internal oscillator, so that no crystal has to
 * be known; USART1 on PA9 and PA10, or USART2 on PA2 and PA3. */
#include "mcg_board.h"
#include "mcg_bsp.h"

#define RCC_CR 0x40021000u
#define RCC_CFGR 0x40021004u
#define RCC_APB2ENR 0x40021018u
#define RCC_APB1ENR 0x4002101Cu
#define FLASH_ACR 0x40022000u
#define GPIOA_CRL 0x40010800u
#define GPIOA_CRH 0x40010804u

/* The PLL takes 8 MHz / 2 * (PLL_MUL + 2). */
#if MCG_CLOCK_HZ == 24000000u
#define PLL_MUL 4u
#elif MCG_CLOCK_HZ == 64000000u
#define PLL_MUL 14u
#else
#error "clock_hz of the board is neither 24000000 (STM32F100) nor 64000000 (STM32F103)"
#endif

#if MCG_UART_BASE == 0x40013800u /* USART1: the second and third pin of the upper half */
#define CLOCK RCC_APB2ENR
#define CLOCK_BIT (1u << 14)
#define GPIOA_CR GPIOA_CRH
#define PINS_SHIFT 4u
#elif MCG_UART_BASE == 0x40004400u /* USART2: the third and fourth pin of the lower half */
#define CLOCK RCC_APB1ENR
#define CLOCK_BIT (1u << 17)
#define GPIOA_CR GPIOA_CRL
#define PINS_SHIFT 8u
#else
#error "uart.base of the board is neither USART1 (0x40013800) nor USART2 (0x40004400)"
#endif

void mcg_system_init(void) {
  if (MCG_CLOCK_HZ > 24000000u) {
    MCG_REG32(FLASH_ACR) = 1u << 4 | 2u; /* prefetch, two wait states */
  }
  MCG_REG32(RCC_CFGR) = PLL_MUL << 18 | (MCG_CLOCK_HZ > 36000000u ? 4u << 8 : 0u); /* APB1 / 2 */
  MCG_REG32(RCC_CR) |= 1u << 24;
  mcg_wait_bits(RCC_CR, 1u << 25);
  MCG_REG32(RCC_CFGR) |= 2; /* run from the PLL */
  mcg_wait_bits(RCC_CFGR, 2u << 2);
  MCG_REG32(RCC_APB2ENR) |= 1u << 2; /* GPIOA */
  MCG_REG32(CLOCK) |= CLOCK_BIT;
  /* TX: alternate function, push-pull, 10 MHz. RX: floating input. */
  MCG_REG32(GPIOA_CR) = (MCG_REG32(GPIOA_CR) & ~(0xFFu << PINS_SHIFT)) | 0x49u << PINS_SHIFT;
}
