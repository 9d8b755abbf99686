/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's board virt: no clocks and no pins. Flash is a part of its RAM, and is made to behave so.
 */
#include "mcg_board.h"
#include "mcg_bsp.h"
#include "mcg_core.h"

#define TEST_DEVICE 0x00100000u /* SiFive's */
#define TEST_RESET 0x7777u

/* The lowest two regions of physical memory protection: the second reaches from the first's address
 * to its own (TOR), may be read and executed, and is locked, so that it holds for machine mode,
 * too. */
#define PMP_FLASH ((0x80u | 0x08u | 0x04u | 0x01u) << 8)

/* Writes to flash fault, among them those of a stack that overflows into it. */
void mcg_system_init(void) {
  __asm__ volatile(MCG_CSR("csrw pmpaddr0, %0\n\t"
                           "csrw pmpaddr1, %1\n\t"
                           "csrw pmpcfg0, %2")::"r"(MCG_FLASH_ORIGIN >> 2),
                   "r"((MCG_FLASH_ORIGIN + MCG_FLASH_SIZE) >> 2), "r"(PMP_FLASH)
                   : "memory");
}

void mcg_family_reset(void) { MCG_REG32(TEST_DEVICE) = TEST_RESET; }
