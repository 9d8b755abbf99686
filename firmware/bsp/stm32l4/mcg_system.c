/* SPDX-License-Identifier: Apache-2.0 */
/* STM32L4 at 80 MHz, STM32L4+ at 120 MHz, from the internal oscillator, so that no crystal has to
 * be known. The link: USART1 on PB6 and PB7, USART2 on PA2 and PA3, or LPUART1 on PG7 and PG8. */
#include "mcg_board.h"
#include "mcg_bsp.h"

#define FLASH_ACR 0x40022000u
#define PWR_CR2 0x40007004u
#define PWR_CR5 0x40007080u
#define RCC_CR 0x40021000u
#define RCC_CFGR 0x40021008u
#define RCC_PLLCFGR 0x4002100Cu
#define RCC_AHB2ENR 0x4002104Cu
#define RCC_APB1ENR1 0x40021058u
#define RCC_APB1ENR2 0x4002105Cu
#define RCC_APB2ENR 0x40021060u
#define GPIO_MODER (0x48000000u + 0x400u * PORT)
#define GPIO_PUPDR (GPIO_MODER + 0x0Cu)
#define GPIO_AFR(pin) (GPIO_MODER + 0x20u + 4u * ((pin) / 8u))

#if MCG_UART_BASE == 0x40013800u /* USART1 */
#define PORT 1u
#define TX 6u
#define RX 7u
#define FUNCTION 7u
#define CLOCK RCC_APB2ENR
#define CLOCK_BIT (1u << 14)
#elif MCG_UART_BASE == 0x40004400u /* USART2 */
#define PORT 0u
#define TX 2u
#define RX 3u
#define FUNCTION 7u
#define CLOCK RCC_APB1ENR1
#define CLOCK_BIT (1u << 17)
#elif MCG_UART_BASE == 0x40008000u /* LPUART1 */
#define PORT 6u
#define TX 7u
#define RX 8u
#define FUNCTION 8u
#define CLOCK RCC_APB1ENR2
#define CLOCK_BIT 1u
#else
#error \
    "uart.base of the board is neither USART1 (0x40013800), USART2 (0x40004400) nor LPUART1 (0x40008000)"
#endif

/* The PLL takes 16 MHz / PLL_M * PLL_N / 2. Above 80 MHz the core's voltage has to be raised. */
#if MCG_CLOCK_HZ == 80000000u
#define PLL_M 1u
#define PLL_N 10u
#define WAIT_STATES 4u
#define BOOST 0
#elif MCG_CLOCK_HZ == 120000000u
#define PLL_M 2u
#define PLL_N 30u
#define WAIT_STATES 5u
#define BOOST 1
#else
#error "clock_hz of the board is neither 80000000 (STM32L4) nor 120000000 (STM32L4+)"
#endif

static void set_field(uint32_t address, uint32_t shift, uint32_t mask, uint32_t value) {
  MCG_REG32(address) = (MCG_REG32(address) & ~(mask << shift)) | value << shift;
}

static void use_uart(uint32_t pin) {
  set_field(GPIO_AFR(pin), 4u * (pin % 8u), 0xFu, FUNCTION);
  set_field(GPIO_MODER, 2u * pin, 3u, 2u);
}

static void start_clock(void) {
  MCG_REG32(RCC_APB1ENR1) |= 1u << 28; /* the power controller */
  (void)MCG_REG32(RCC_APB1ENR1);       /* its clock runs after one more access */
  if (BOOST) {
    MCG_REG32(PWR_CR5) &= ~(1u << 8);
  }
  MCG_REG32(FLASH_ACR) = 7u << 8 | WAIT_STATES; /* both caches and prefetch */
  mcg_wait_bits(FLASH_ACR, WAIT_STATES);
  MCG_REG32(RCC_CR) |= 1u << 8; /* the 16 MHz oscillator */
  mcg_wait_bits(RCC_CR, 1u << 10);
  MCG_REG32(RCC_PLLCFGR) = 1u << 24 | PLL_N << 8 | (PLL_M - 1u) << 4 | 2u;
  MCG_REG32(RCC_CR) |= 1u << 24;
  mcg_wait_bits(RCC_CR, 1u << 25);
  /* A step above 80 MHz has to pause at half the clock for a microsecond (RM0432, 5.1.8). */
  MCG_REG32(RCC_CFGR) = (BOOST ? 8u << 4 : 0u) | 3u;
  mcg_wait_bits(RCC_CFGR, 3u << 2);
  if (BOOST) {
    for (uint32_t i = 0; i < 100u; i++) {
      (void)MCG_REG32(RCC_CFGR);
    }
    MCG_REG32(RCC_CFGR) = 3u;
  }
}

void mcg_system_init(void) {
  start_clock();
  if (PORT == 6u) {
    MCG_REG32(PWR_CR2) |= 1u << 9; /* PG2 to PG15 have a supply of their own */
  }
  MCG_REG32(RCC_AHB2ENR) |= 1u << PORT;
  MCG_REG32(CLOCK) |= CLOCK_BIT;
  (void)MCG_REG32(CLOCK);
  set_field(GPIO_PUPDR, 2u * RX, 3u, 1u); /* RX rests high */
  use_uart(TX);
  use_uart(RX);
}
