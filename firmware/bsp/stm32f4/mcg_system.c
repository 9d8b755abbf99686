/* SPDX-License-Identifier: Apache-2.0 */
/* STM32F405, F407, F446: 168 MHz from the internal oscillator, so that no crystal has to be known;
 * USART1 on PA9 and PA10, or USART2 on PA2 and PA3. */
#include "mcg_board.h"
#include "mcg_bsp.h"

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

static void set_field(uint32_t address, uint32_t shift, uint32_t mask, uint32_t value) {
  MCG_REG32(address) = (MCG_REG32(address) & ~(mask << shift)) | value << shift;
}

static void use_usart(uint32_t pin) {
  set_field(GPIOA_AFR(pin), 4u * (pin % 8u), 0xFu, 7u);
  set_field(GPIOA_MODER, 2u * pin, 3u, 2u);
}

void mcg_system_init(void) {
  MCG_REG32(FLASH_ACR) = 7u << 8 | 5u; /* both caches and prefetch, 5 wait states */
  /* 16 MHz / 16 * 336 / 2, and / 7 for USB; source: the internal oscillator. Bits 28 to 30 (on the
   * F446 the divider of another output) stay as after reset. */
  MCG_REG32(RCC_PLLCFGR) = 2u << 28 | 7u << 24 | 336u << 6 | 16u;
  MCG_REG32(RCC_CR) |= 1u << 24;
  mcg_wait_bits(RCC_CR, 1u << 25);
  MCG_REG32(RCC_CFGR) = 4u << 13 | 5u << 10 | 2u; /* APB2 / 2, APB1 / 4, run from the PLL */
  mcg_wait_bits(RCC_CFGR, 2u << 2);
  MCG_REG32(RCC_AHB1ENR) |= 1u; /* GPIOA */
  MCG_REG32(CLOCK) |= CLOCK_BIT;
  set_field(GPIOA_PUPDR, 2u * RX, 3u, 1u); /* RX rests high */
  use_usart(TX);
  use_usart(RX);
}
