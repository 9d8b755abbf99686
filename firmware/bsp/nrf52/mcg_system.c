/* SPDX-License-Identifier: Apache-2.0 */
/* nRF52832, nRF52833, nRF52840: crystal clock, instruction cache, pins of the link. */
#include "mcg_board.h"
#include "mcg_bsp.h"

#if MCG_UART_BAUD != 115200 && MCG_UART_BAUD != 1000000
#error "uart.baud of the board is neither 115200 nor 1000000"
#endif

#define FICR_PART 0x10000130u
#define FICR_REVISION 0x10000134u
#define UICR_APPROTECT 0x10001208u
#define APPROTECT_DISABLE 0x40000558u
#define CLOCK_HFCLKSTART 0x40000000u
#define CLOCK_HFCLKSTARTED 0x40000100u
#define NVMC_ICACHECNF 0x4001E540u
#define PORT(pin) (0x50000000u + 0x300u * ((pin) / 32u))
#define OUTSET(pin) (PORT(pin) + 0x508u)
#define DIRSET(pin) (PORT(pin) + 0x518u)
#define PIN_CNF(pin) (PORT(pin) + 0x700u + 4u * ((pin) % 32u))

#define PART_NRF52840 8u
#define REVISION_3 3u

void mcg_system_init(void) {
  /* From revision 3 on the debug port stays locked unless the program opens it as UICR allows:
   * without this a probe could flash the board again only after erasing all of it. */
  if (MCG_REG32(FICR_PART) == PART_NRF52840 && MCG_REG32(FICR_REVISION) >= REVISION_3) {
    MCG_REG32(APPROTECT_DISABLE) = MCG_REG32(UICR_APPROTECT);
  }
  MCG_REG32(NVMC_ICACHECNF) = 1;
  MCG_REG32(CLOCK_HFCLKSTART) = 1;
  mcg_wait_bits(CLOCK_HFCLKSTARTED, 1);
  MCG_REG32(OUTSET(MCG_UART_TX_PIN)) = 1u << MCG_UART_TX_PIN % 32u; /* TX rests high */
  MCG_REG32(DIRSET(MCG_UART_TX_PIN)) = 1u << MCG_UART_TX_PIN % 32u;
  MCG_REG32(PIN_CNF(MCG_UART_RX_PIN)) = 0; /* RX is an input */
}
