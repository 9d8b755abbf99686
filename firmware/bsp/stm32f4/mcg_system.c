/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F405, F407, F429, F446 at 168 MHz, F411 at 100 MHz, F401 at 84 MHz, from the internal
 * oscillator, so that no crystal has to be known; USART1 on PA9 and PA10, or USART2 on PA2 and PA3.
 */
#include "mcg_board.h"
#include "mcg_bsp.h"

#define PWR_CR 0x40007000u
#define FLASH_ACR 0x40023C00u
#define RCC_CR 0x40023800u
#define RCC_PLLCFGR 0x40023804u
#define RCC_CFGR 0x40023808u
#define RCC_AHB1ENR 0x40023830u
#define RCC_APB1ENR 0x40023840u
#define RCC_APB2ENR 0x40023844u
#define GPIOA_MODER 0x40020000u
#define GPIOA_PUPDR 0x4002000Cu
#define GPIOA_AFR(pin) (0x40020020u + 4u * ((pin) / 8u))

#if MCG_UART_BASE == 0x40011000u /* USART1 */
#define TX 9u
#define RX 10u
#define CLOCK RCC_APB2ENR
#define CLOCK_BIT (1u << 4)
#elif MCG_UART_BASE == 0x40004400u /* USART2 */
#define TX 2u
#define RX 3u
#define CLOCK RCC_APB1ENR
#define CLOCK_BIT (1u << 17)
#else
#error "uart.base of the board is neither USART1 (0x40011000) nor USART2 (0x40004400)"
#endif

/* The PLL takes 16 MHz / 16 * PLL_N / PLL_P. APB1 is at half of what APB2 is at. */
#if MCG_CLOCK_HZ == 168000000u
#define PLL_N 336u
#define PLL_P 2u
#define WAIT_STATES 5u
#define APB_DIVIDERS (4u << 13 | 5u << 10) /* APB2 / 2, APB1 / 4 */
#elif MCG_CLOCK_HZ == 100000000u
#define PLL_N 200u
#define PLL_P 2u
#define WAIT_STATES 3u
#define APB_DIVIDERS (4u << 10) /* APB1 / 2 */
#elif MCG_CLOCK_HZ == 84000000u
#define PLL_N 336u
#define PLL_P 4u
#define WAIT_STATES 2u
#define APB_DIVIDERS (4u << 10)
#else
#error "clock_hz of the board is neither 168000000, 100000000 (STM32F411) nor 84000000 (STM32F401)"
#endif

static void set_field(uint32_t address, uint32_t shift, uint32_t mask, uint32_t value) {
  MCG_REG32(address) = (MCG_REG32(address) & ~(mask << shift)) | value << shift;
}

static void use_usart(uint32_t pin) {
  set_field(GPIOA_AFR(pin), 4u * (pin % 8u), 0xFu, 7u);
  set_field(GPIOA_MODER, 2u * pin, 3u, 2u);
}

void mcg_system_init(void) {
  MCG_REG32(FLASH_ACR) = 7u << 8 | WAIT_STATES; /* both caches and prefetch */
  if (MCG_CLOCK_HZ == 100000000u) {
    MCG_REG32(RCC_APB1ENR) |= 1u << 28; /* the power controller: … */
    (void)MCG_REG32(RCC_APB1ENR);
    MCG_REG32(PWR_CR) |= 3u << 14; /* … above 84 MHz the F411's core needs the highest voltage */
  }
  /* / 7 is for USB; source: the internal oscillator. Bits 28 to 30 (on the F446 the divider of
   * another output) stay as after reset. */
  MCG_REG32(RCC_PLLCFGR) = 2u << 28 | 7u << 24 | (PLL_P / 2u - 1u) << 16 | PLL_N << 6 | 16u;
  MCG_REG32(RCC_CR) |= 1u << 24;
  mcg_wait_bits(RCC_CR, 1u << 25);
  MCG_REG32(RCC_CFGR) = APB_DIVIDERS | 2u; /* run from the PLL */
  mcg_wait_bits(RCC_CFGR, 2u << 2);
  MCG_REG32(RCC_AHB1ENR) |= 1u; /* GPIOA */
  MCG_REG32(CLOCK) |= CLOCK_BIT;
  set_field(GPIOA_PUPDR, 2u * RX, 3u, 1u); /* RX rests high */
  use_usart(TX);
  use_usart(RX);
}
