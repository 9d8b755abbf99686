/* SPDX-License-Identifier: Apache-2.0 */
/* Nordic nRF51 and nRF52: the non-volatile memory controller (nRF51 Series Reference Manual,
 * chapter 6; nRF52840 Product Specification, chapter 4.3). The CPU waits while a page is erased or
 * a word is written. */
#include "mcg_flash.h"

#define REG32(address) (*(volatile uint32_t *)(address))
#define FICR_CODEPAGESIZE REG32(0x10000010u)
#define NVMC_READY REG32(0x4001E400u)
#define NVMC_CONFIG REG32(0x4001E504u)
#define NVMC_ERASEPAGE REG32(0x4001E508u)

enum { READ_ONLY = 0, WRITE = 1, ERASE = 2 };

static void wait_ready(void) {
  while ((NVMC_READY & 1u) == 0) {
  }
}

static void allow(uint32_t what) {
  NVMC_CONFIG = what;
  wait_ready();
}

int mcg_flash_erase(uintptr_t address, uint32_t bytes) {
  const uint32_t page = FICR_CODEPAGESIZE; /* 1024 or 4096 */
  if (page == 0 || ((address | bytes) & (page - 1)) != 0) return -1;
  allow(ERASE);
  for (uint32_t at = 0; at < bytes; at += page) {
    NVMC_ERASEPAGE = (uint32_t)(address + at);
    wait_ready();
  }
  allow(READ_ONLY);
  int result = 0;
  for (uint32_t at = 0; at < bytes; at += 4) {
    if (REG32(address + at) != 0xFFFFFFFFu) result = -1;
  }
  return result;
}

int mcg_flash_write(uintptr_t address, const void *data, uint32_t bytes) {
  int result = 0;
  allow(WRITE);
  for (uint32_t at = 0; at < bytes; at += 4) {
    const uint32_t value = mcg_flash_word(data, at, bytes);
    REG32(address + at) = value;
    wait_ready();
    if (REG32(address + at) != value) result = -1;
  }
  allow(READ_ONLY);
  return result;
}
