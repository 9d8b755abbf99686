/* SPDX-License-Identifier: Apache-2.0 */
/* RP2040 at 133 MHz from the 12 MHz crystal; UART0 on GPIO0 and GPIO1. */
#include "mcg_board.h"
#include "mcg_bsp.h"

#define RESETS 0x4000C000u
#define RESETS_DONE (RESETS + 0x08u)
#define CLEAR_BITS 0x3000u /* this far above a register its bits are cleared by writing ones */
#define SET_BITS 0x2000u
#define RESET_IO_BANK0 (1u << 5)
#define RESET_PADS_BANK0 (1u << 8)
#define RESET_PLL_SYS (1u << 12)
#define RESET_UART0 (1u << 22)

#define CLK_REF_CTRL 0x40008030u
#define CLK_REF_SELECTED 0x40008038u
#define CLK_SYS_CTRL 0x4000803Cu
#define CLK_SYS_SELECTED 0x40008044u
#define CLK_PERI_CTRL 0x40008048u
#define XOSC_CTRL 0x40024000u
#define XOSC_STATUS 0x40024004u
#define XOSC_STARTUP 0x4002400Cu
#define PLL_SYS_CS 0x40028000u
#define PLL_SYS_PWR 0x40028004u
#define PLL_SYS_FBDIV 0x40028008u
#define PLL_SYS_PRIM 0x4002800Cu
#define PLL_PD 1u
#define PLL_POSTDIVPD (1u << 3)
#define PLL_VCOPD (1u << 5)

#define GPIO_CTRL(pin) (0x40014004u + 8u * (pin))
#define PAD(pin) (0x4001C004u + 4u * (pin))
#define FUNCTION_UART 2u

#if MCG_UART_BASE != 0x40034000u
#error "uart.base of the board is not UART0 (0x40034000)"
#endif
#if MCG_CLOCK_HZ != 133000000u
#error "clock_hz of the board is not 133000000"
#endif
#define TX 0u
#define RX 1u

static void leave_reset(uint32_t blocks) {
  MCG_REG32(RESETS + CLEAR_BITS) = blocks;
  mcg_wait_bits(RESETS_DONE, blocks);
}

static void start_clock(void) {
  /* A core that was reset alone finds the PLL at work: leave it before it is set up. */
  MCG_REG32(CLK_SYS_CTRL + CLEAR_BITS) = 1u;
  mcg_wait_bits(CLK_SYS_SELECTED, 1u << 0);
  MCG_REG32(XOSC_STARTUP) = 47u; /* times 256 periods: a millisecond */
  MCG_REG32(XOSC_CTRL) = 0xFABu << 12 | 0xAA0u;
  mcg_wait_bits(XOSC_STATUS, 1u << 31);
  MCG_REG32(CLK_REF_CTRL) = 2u; /* the crystal */
  mcg_wait_bits(CLK_REF_SELECTED, 1u << 2);
  MCG_REG32(RESETS + SET_BITS) = RESET_PLL_SYS;
  leave_reset(RESET_PLL_SYS);
  MCG_REG32(PLL_SYS_CS) = 1u;      /* 12 MHz … */
  MCG_REG32(PLL_SYS_FBDIV) = 133u; /* … make 1596 MHz … */
  MCG_REG32(PLL_SYS_PWR + CLEAR_BITS) = PLL_PD | PLL_VCOPD;
  mcg_wait_bits(PLL_SYS_CS, 1u << 31);
  MCG_REG32(PLL_SYS_PRIM) = 6u << 16 | 2u << 12; /* … / 6 / 2 */
  MCG_REG32(PLL_SYS_PWR + CLEAR_BITS) = PLL_POSTDIVPD;
  MCG_REG32(CLK_SYS_CTRL) = 0u; /* the PLL is its second source's first choice … */
  MCG_REG32(CLK_SYS_CTRL) = 1u; /* … and is taken when it is chosen already */
  mcg_wait_bits(CLK_SYS_SELECTED, 1u << 1);
  MCG_REG32(CLK_PERI_CTRL) = 1u << 11; /* the UART runs from the core's clock */
}

void mcg_system_init(void) {
  start_clock();
  leave_reset(RESET_IO_BANK0 | RESET_PADS_BANK0 | RESET_UART0);
  MCG_REG32(PAD(RX)) = 1u << 6 | 1u << 3 | 1u << 1; /* an input that rests high */
  MCG_REG32(GPIO_CTRL(TX)) = FUNCTION_UART;
  MCG_REG32(GPIO_CTRL(RX)) = FUNCTION_UART;
}
