/* SPDX-License-Identifier: Apache-2.0 */
/* RAM that stands for flash, on emulated boards. As in flash, bits can only be cleared between two
 * erasures. */
#include "mcg_flash.h"

#define PAGE_BYTES 1024u

int mcg_flash_erase(uintptr_t address, uint32_t bytes) {
  if (address % PAGE_BYTES != 0 || bytes % PAGE_BYTES != 0) return -1;
  for (uint32_t at = 0; at < bytes; at += 4) *(volatile uint32_t *)(address + at) = 0xFFFFFFFFu;
  return 0;
}

int mcg_flash_write(uintptr_t address, const void *data, uint32_t bytes) {
  for (uint32_t at = 0; at < bytes; at += 4) {
    volatile uint32_t *const word = (volatile uint32_t *)(address + at);
    const uint32_t value = mcg_flash_word(data, at, bytes);
    *word &= value;
    if (*word != value) return -1;
  }
  return 0;
}
