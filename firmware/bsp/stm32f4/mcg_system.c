/* STM32F405: 168 MHz from the internal oscillator, so that no crystal has to be known; USART1 on
 * PA9 and PA10. */
#include "mcg_bsp.h"

#define FLASH_ACR 0x40023C00u
#define RCC_CR 0x40023800u
#define RCC_PLLCFGR 0x40023804u
#define RCC_CFGR 0x40023808u
#define RCC_AHB1ENR 0x40023830u
#define RCC_APB2ENR 0x40023844u
#define GPIOA_MODER 0x40020000u
#define GPIOA_PUPDR 0x4002000Cu
#define GPIOA_AFRH 0x40020024u

void mcg_system_init(void) {
  MCG_REG32(FLASH_ACR) = 7u << 8 | 5u; /* both caches and prefetch, 5 wait states */
  /* 16 MHz / 16 * 336 / 2, and / 7 for USB; source: the internal oscillator. */
  MCG_REG32(RCC_PLLCFGR) = 7u << 24 | 336u << 6 | 16u;
  MCG_REG32(RCC_CR) |= 1u << 24;
  mcg_wait_bits(RCC_CR, 1u << 25);
  MCG_REG32(RCC_CFGR) = 4u << 13 | 5u << 10 | 2u; /* APB2 / 2, APB1 / 4, run from the PLL */
  mcg_wait_bits(RCC_CFGR, 2u << 2);
  MCG_REG32(RCC_AHB1ENR) |= 1u;      /* GPIOA */
  MCG_REG32(RCC_APB2ENR) |= 1u << 4; /* USART1 */
  MCG_REG32(GPIOA_AFRH) = (MCG_REG32(GPIOA_AFRH) & ~0xFF0u) | 0x770u;
  MCG_REG32(GPIOA_PUPDR) = (MCG_REG32(GPIOA_PUPDR) & ~(3u << 20)) | 1u << 20; /* RX rests high */
  MCG_REG32(GPIOA_MODER) = (MCG_REG32(GPIOA_MODER) & ~(0xFu << 18)) | 0xAu << 18;
}
