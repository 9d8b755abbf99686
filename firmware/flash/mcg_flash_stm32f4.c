/* SPDX-License-Identifier: Apache-2.0 */
/* ST STM32F4 (RM0090, RM0390: embedded flash memory interface): one bank of up to 1 MB, in sectors
 * of 4 x 16 KB, 64 KB and 128 KB. 32 bits at a time, which needs 2.7 V or more. The CPU waits while
 * it reads flash that is being written. */
#include "mcg_flash.h"

#define REG32(address) (*(volatile uint32_t *)(address))
#define FLASH_ACR REG32(0x40023C00u)
#define FLASH_KEYR REG32(0x40023C04u)
#define FLASH_SR REG32(0x40023C0Cu)
#define FLASH_CR REG32(0x40023C10u)

#define ACR_DCEN (1u << 10)
#define ACR_DCRST (1u << 12)
#define SR_BUSY (1u << 16)
#define SR_ERRORS 0x1F2u
#define CR_PROGRAM 1u
#define CR_ERASE_SECTOR 2u
#define CR_SECTOR_SHIFT 3
#define CR_32_BITS (2u << 8)
#define CR_START (1u << 16)
#define CR_LOCK (1u << 31)

#define FLASH_ORIGIN 0x08000000u
#define BANK_END 0x08100000u

/* First address of a sector, 0 … 12; the last one is the bank's end. */
static uint32_t sector_start(uint32_t sector) {
  if (sector < 5) return FLASH_ORIGIN + 0x4000u * sector;
  return FLASH_ORIGIN + 0x20000u * (sector - 4);
}

static int finish(void) {
  while (FLASH_SR & SR_BUSY) {
  }
  return (FLASH_SR & SR_ERRORS) ? -1 : 0;
}

static void unlock(void) {
  if (FLASH_CR & CR_LOCK) {
    FLASH_KEYR = 0x45670123u;
    FLASH_KEYR = 0xCDEF89ABu;
  }
  finish();
  FLASH_SR = SR_ERRORS; /* writing ones clears what an earlier operation left */
}

/* The data cache does not see what is written. */
static void lock(void) {
  FLASH_CR = CR_LOCK;
  if (FLASH_ACR & ACR_DCEN) {
    FLASH_ACR &= ~ACR_DCEN;
    FLASH_ACR |= ACR_DCRST;
    FLASH_ACR &= ~ACR_DCRST;
    FLASH_ACR |= ACR_DCEN;
  }
}

int mcg_flash_erase(uintptr_t address, uint32_t bytes) {
  const uint32_t end = (uint32_t)address + bytes;
  uint32_t first = 0, last = 0;
  while (first < 12 && sector_start(first) != address) first++;
  while (last < 12 && sector_start(last) != end) last++;
  if (first >= last || sector_start(last) != end || end > BANK_END) return -1;
  int result = 0;
  unlock();
  for (uint32_t sector = first; result == 0 && sector < last; sector++) {
    FLASH_CR = CR_ERASE_SECTOR | sector << CR_SECTOR_SHIFT | CR_32_BITS;
    FLASH_CR |= CR_START;
    result = finish();
  }
  lock();
  for (uint32_t at = 0; at < bytes; at += 4) {
    if (REG32(address + at) != 0xFFFFFFFFu) result = -1;
  }
  return result;
}

int mcg_flash_write(uintptr_t address, const void *data, uint32_t bytes) {
  int result = 0;
  unlock();
  for (uint32_t at = 0; result == 0 && at < bytes; at += 4) {
    FLASH_CR = CR_PROGRAM | CR_32_BITS;
    REG32(address + at) = mcg_flash_word(data, at, bytes);
    result = finish();
  }
  lock();
  for (uint32_t at = 0; at < bytes; at += 4) {
    if (REG32(address + at) != mcg_flash_word(data, at, bytes)) result = -1;
  }
  return result;
}
