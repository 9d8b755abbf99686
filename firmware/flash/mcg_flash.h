/* SPDX-License-Identifier: Apache-2.0 */
/* Writing flash that is reserved for data: for models (memory.model_slot of the board's file), or
 * for what mcg_store keeps. One file per kind of chip implements it; for another chip, write these
 * two functions. Nothing of the program lies in that flash, which is read in place. */
#ifndef MCG_FLASH_H
#define MCG_FLASH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Erase exactly these bytes, which then read as 0xFF. 0, or -1: they are no whole number of pages,
 * or it failed. */
int mcg_flash_erase(uintptr_t address, uint32_t bytes);

/* Write to erased flash. `address` is a multiple of 4; up to 3 bytes after the data may become
 * 0xFF. 0, or -1. */
int mcg_flash_write(uintptr_t address, const void *data, uint32_t bytes);

#ifdef __cplusplus
}
#endif

/* Byte `at` and the three after it, as the word that has them in memory; 0xFF beyond the end. */
static inline uint32_t mcg_flash_word(const void *data, uint32_t at, uint32_t bytes) {
  const uint8_t *p = (const uint8_t *)data;
  uint32_t word = 0xFFFFFFFFu;
  for (uint32_t i = 0; i < 4 && at + i < bytes; i++) {
    word &= ~(0xFFu << (8 * i)) | (uint32_t)p[at + i] << (8 * i);
  }
  return word;
}

#endif
