/* SPDX-License-Identifier: Apache-2.0 */
/* Flash in this computer's memory whose power can be cut at every operation: the erasure of a page,
 * the programming of a word of 4 bytes. What was under way then is left in a state of the caller's
 * choice. Breaking the rules of flash with words of 16 bytes is counted. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "mcg_flash.h"
#include "mcg_store.h"

#define PAGE_BYTES 256u
#define SLOT_BYTES 512u
#define WORD_BYTES 16u /* of the strictest chips */

enum { NOT_BEGUN, RANDOM_BITS, ALL_ZERO, FIRST_HALF, TEAR_COUNT };
enum { POWER_CUT = 100 };

static uint8_t flash[2 * SLOT_BYTES] __attribute__((aligned(256)));
static uint8_t was_written[2 * SLOT_BYTES / WORD_BYTES];
static uint32_t operations, cut_at, tear, random_state, faults;
static uint32_t stuck_at = 0xFFFFFFFFu; /* a word that cannot be written: 0 for ever */
static jmp_buf out;

static uint32_t random_bits(void) {
  random_state = random_state * 1664525u + 1013904223u;
  return random_state >> 16 | random_state << 16;
}

/* An operation on `count` words, which wants them to be `wanted`; in a cut, random bits are already
 * as wanted. */
static void operate(uint8_t *at, const uint32_t *wanted, uint32_t count) {
  const int is_cut = operations++ == cut_at;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t old, mask;
    memcpy(&old, at + 4 * i, 4);
    mask = !is_cut || (tear == FIRST_HALF && (count == 1 || i < count / 2)) ? 0xFFFFFFFFu : 0;
    if (is_cut && tear == FIRST_HALF && count == 1) mask = 0xFFFFu;
    if (is_cut && tear == RANDOM_BITS) mask = random_bits();
    uint32_t value = (old & ~mask) | (wanted[i] & mask);
    if (is_cut && tear == ALL_ZERO) value = 0; /* erasing may begin with programming everything */
    memcpy(at + 4 * i, &value, 4);
  }
  if (is_cut) longjmp(out, 1);
}

static uint32_t offset_of(uintptr_t address, uint32_t bytes) {
  const uintptr_t start = (uintptr_t)flash;
  if (address < start || address - start > sizeof flash || bytes > sizeof flash - (address - start))
    abort();
  return (uint32_t)(address - start);
}

int mcg_flash_erase(uintptr_t address, uint32_t bytes) {
  static const uint32_t ones[PAGE_BYTES / 4] = {
#define FF 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu
      FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF};
  const uint32_t first = offset_of(address, bytes);
  if (first % PAGE_BYTES != 0 || bytes % PAGE_BYTES != 0) faults++;
  for (uint32_t at = first; at < first + bytes; at += PAGE_BYTES) {
    memset(was_written + at / WORD_BYTES, 0, PAGE_BYTES / WORD_BYTES);
    operate(flash + at, ones, PAGE_BYTES / 4);
  }
  return 0;
}

int mcg_flash_write(uintptr_t address, const void *data, uint32_t bytes) {
  const uint32_t first = offset_of(address, bytes);
  if (first % WORD_BYTES != 0) faults++;
  for (uint32_t at = first; at < first + bytes; at += WORD_BYTES) {
    if (was_written[at / WORD_BYTES]) faults++;
    was_written[at / WORD_BYTES] = 1;
  }
  for (uint32_t at = 0; at < bytes; at += 4) {
    const uint32_t value = mcg_flash_word(data, at, bytes);
    uint32_t old;
    memcpy(&old, flash + first + at, 4);
    if (old != 0xFFFFFFFFu) return -1; /* a page that was not erased to its end */
    operate(flash + first + at, &value, 1);
    if (first + at == stuck_at) memset(flash + first + at, 0, 4);
  }
  return 0;
}

static mcg_store store(void) {
  mcg_store made = {{(uintptr_t)flash, (uintptr_t)flash + SLOT_BYTES}, SLOT_BYTES};
  return made;
}

/* ---- what the test calls */

void sim_set(const void *bytes) {
  memcpy(flash, bytes, sizeof flash);
  /* What a slot holds after a cut is unknown: a driver of such chips must see it erased first. */
  for (uint32_t i = 0; i < sizeof flash; i++) {
    if (i % WORD_BYTES == 0) was_written[i / WORD_BYTES] = 0;
    if (flash[i] != 0xFF) was_written[i / WORD_BYTES] = 1;
  }
}

void sim_get(void *bytes) { memcpy(bytes, flash, sizeof flash); }
uint32_t sim_bytes(void) { return sizeof flash; }
uint32_t sim_operations(void) { return operations; }
uint32_t sim_faults(void) { return faults; }

void sim_stick(uint32_t at) { stuck_at = at; }

static void arm(uint32_t at, uint32_t how, uint32_t seed) {
  operations = 0;
  cut_at = at;
  tear = how;
  random_state = seed;
}

int sim_write(uint32_t fingerprint, const void *blob, uint32_t bytes, uint32_t at, uint32_t how,
              uint32_t seed) {
  const mcg_store used = store();
  arm(at, how, seed);
  if (setjmp(out)) return POWER_CUT;
  return mcg_store_write(&used, fingerprint, blob, bytes);
}

int sim_clear(uint32_t at, uint32_t how, uint32_t seed) {
  const mcg_store used = store();
  arm(at, how, seed);
  if (setjmp(out)) return POWER_CUT;
  return mcg_store_clear(&used);
}

/* Bytes of the blob that is found, which is copied; -1: none. */
int sim_find(uint32_t fingerprint, void *blob) {
  const mcg_store used = store();
  uint32_t bytes = 0;
  const void *found = mcg_store_find(&used, fingerprint, &bytes);
  if (found == NULL) return -1;
  memcpy(blob, found, bytes);
  return (int)bytes;
}
