/* SPDX-License-Identifier: Apache-2.0 */
/* The store on an emulated board, bare metal, driven by bytes over the board's UART: what the host
 * asks for is one letter, and every answer ends with a line. Operations on flash go through a
 * counter: at the one that the host named, the board says "cut" and stands still, half way through,
 * until it is killed. */
#include <string.h>

#include "mcg_flash.h"
#include "mcg_store.h"

#define UART_DATA (*(volatile uint32_t *)(UART_BASE + 0x00))
#define UART_STATE (*(volatile uint32_t *)(UART_BASE + 0x04))
#define UART_CTRL (*(volatile uint32_t *)(UART_BASE + 0x08))

extern uint32_t stack_top[];
void reset(void);
int real_erase(uintptr_t address, uint32_t bytes);
int real_write(uintptr_t address, const void *data, uint32_t bytes);

__attribute__((section(".vectors"), used)) static void *const vectors[] = {stack_top,
                                                                           (void *)reset};

static const mcg_store store = {{FLASH_BASE, FLASH_BASE + SLOT_BYTES}, SLOT_BYTES};
static uint8_t blob[SLOT_BYTES];
static uint32_t operations, cut_at;

static void put(char c) {
  while (UART_STATE & 1u) {
  }
  UART_DATA = (uint8_t)c;
}

static void say(const char *text) {
  while (*text != '\0') put(*text++);
}

static void say_hex(uint32_t value) {
  for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15u]);
}

static uint8_t get(void) {
  while ((UART_STATE & 2u) == 0) {
  }
  return (uint8_t)UART_DATA;
}

static uint32_t get32(void) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) value |= (uint32_t)get() << (8 * i);
  return value;
}

static void stand_still(void) {
  say("cut\n");
  for (;;) {
  }
}

/* Every word is written in two halves: power may fail between them. */
int mcg_flash_write(uintptr_t address, const void *data, uint32_t bytes) {
  for (uint32_t at = 0; at < bytes; at += 4) {
    const uint32_t word = mcg_flash_word(data, at, bytes), half = word | 0xFFFF0000u;
    if (operations++ == cut_at) {
      real_write(address + at, &half, 4);
      stand_still();
    }
    if (real_write(address + at, &word, 4) != 0) return -1;
  }
  return 0;
}

int mcg_flash_erase(uintptr_t address, uint32_t bytes) {
  for (uint32_t at = 0; at < bytes; at += PAGE_BYTES) {
    if (operations++ == cut_at) {
      memset((void *)(address + at), 0xFF, PAGE_BYTES / 2); /* the other half is as it was */
      stand_still();
    }
    if (real_erase(address + at, PAGE_BYTES) != 0) return -1;
  }
  return 0;
}

void reset(void) {
  UART_CTRL = 3;
  say("ready\n");
  for (;;) {
    const uint8_t asked = get();
    const uint32_t fingerprint = get32();
    if (asked == 'w') {
      const uint32_t bytes = get32();
      operations = 0;
      cut_at = get32();
      for (uint32_t i = 0; i < bytes && i < sizeof blob; i++) blob[i] = get();
      const int result = mcg_store_write(&store, fingerprint, blob, bytes);
      say(result == 0 ? "ok " : "failed ");
      say_hex(operations);
    } else if (asked == 'f') {
      uint32_t bytes = 0;
      const uint8_t *found = mcg_store_find(&store, fingerprint, &bytes);
      say(found == NULL ? "none" : "blob ");
      for (uint32_t i = 0; found != NULL && i < bytes; i++) {
        put("0123456789abcdef"[found[i] >> 4]);
        put("0123456789abcdef"[found[i] & 15u]);
      }
    }
    put('\n');
  }
}
