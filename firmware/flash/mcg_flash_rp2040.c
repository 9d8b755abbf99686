/* SPDX-License-Identifier: Apache-2.0 */
/* Raspberry Pi RP2040: the flash chip behind its SSI, by the routines of the boot ROM (RP2040 data
 * sheet, 2.8.3.1.3). While they run, nothing can be read from flash: this code lies in RAM,
 * interrupts are off, and the other core must not run from flash either. */
#include <string.h>

#include "mcg_flash.h"

#define FLASH_ORIGIN 0x10000000u
#define FLASH_END 0x11000000u /* of what can be read in place */
#define SECTOR_BYTES 4096u
#define PAGE_BYTES 256u
#define BLOCK_BYTES 65536u
#define ERASE_BLOCK 0xD8u /* the chip's command */
#define BOOT2_BYTES 256u

#define IN_RAM __attribute__((noinline, section(".mcg_in_ram")))
#define CODE(a, b) ((uint32_t)(a) | (uint32_t)(b) << 8)

typedef uintptr_t (*rom_lookup)(const uint16_t *table, uint32_t code);
typedef void (*rom_plain)(void);
typedef void (*rom_erase)(uint32_t at, uint32_t bytes, uint32_t block_bytes, uint8_t block_command);
typedef void (*rom_program)(uint32_t at, const uint8_t *data, uint32_t bytes);

typedef struct {
  rom_plain connect, leave_reading, flush;
  rom_erase erase;
  rom_program program;
  rom_plain read_again; /* a copy of the second stage of the boot, in RAM */
} routines;

static uint32_t boot2[BOOT2_BYTES / 4];

/* A halfword of the boot ROM. Compilers take addresses near 0 for mistakes: this one does not see
 * it. */
static uintptr_t half_at(uintptr_t address) {
  __asm__("" : "+r"(address));
  return *(const volatile uint16_t *)address;
}

/* Where the boot ROM has a function, by its own look-up. */
static uintptr_t rom(uint32_t code) {
  const rom_lookup lookup = (rom_lookup)half_at(0x18);
  return lookup((const uint16_t *)half_at(0x14), code);
}

static routines look_up(void) {
  memcpy(boot2, (const void *)FLASH_ORIGIN, sizeof boot2);
  routines found;
  found.connect = (rom_plain)rom(CODE('I', 'F'));
  found.leave_reading = (rom_plain)rom(CODE('E', 'X'));
  found.flush = (rom_plain)rom(CODE('F', 'C'));
  found.erase = (rom_erase)rom(CODE('R', 'E'));
  found.program = (rom_program)rom(CODE('R', 'P'));
  found.read_again = (rom_plain)((uintptr_t)boot2 | 1u);
  return found;
}

IN_RAM static uint32_t interrupts_off(void) {
  uint32_t before;
  __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(before)::"memory");
  return before;
}

/* `page` NULL: erase, else program `bytes` of it. */
IN_RAM static void change(const routines *use, uint32_t at, const uint8_t *page, uint32_t bytes) {
  const uint32_t before = interrupts_off();
  use->connect();
  use->leave_reading();
  if (page == NULL) {
    use->erase(at, bytes, BLOCK_BYTES, ERASE_BLOCK);
  } else {
    use->program(at, page, bytes);
  }
  use->flush();
  use->read_again();
  __asm__ volatile("msr primask, %0" ::"r"(before) : "memory");
}

int mcg_flash_erase(uintptr_t address, uint32_t bytes) {
  if (address < FLASH_ORIGIN || address >= FLASH_END || bytes > FLASH_END - address) return -1;
  if (((address | bytes) & (SECTOR_BYTES - 1)) != 0) return -1;
  const routines use = look_up();
  change(&use, (uint32_t)(address - FLASH_ORIGIN), NULL, bytes);
  for (uint32_t at = 0; at < bytes; at += 4) {
    if (*(const volatile uint32_t *)(address + at) != 0xFFFFFFFFu) return -1;
  }
  return 0;
}

/* Whole pages, as the ROM wants them: writing 0xFF leaves what is there. */
int mcg_flash_write(uintptr_t address, const void *data, uint32_t bytes) {
  uint32_t page[PAGE_BYTES / 4];
  if (address < FLASH_ORIGIN || address >= FLASH_END || bytes > FLASH_END - address) return -1;
  const routines use = look_up();
  uint32_t at = 0;
  while (at < bytes) {
    const uint32_t first = (uint32_t)(address + at) & (PAGE_BYTES - 1);
    const uint32_t room = PAGE_BYTES - first, count = bytes - at < room ? bytes - at : room;
    const uint32_t start = (uint32_t)(address + at - FLASH_ORIGIN) - first;
    memset(page, 0xFF, sizeof page);
    memcpy((uint8_t *)page + first, (const uint8_t *)data + at, count);
    change(&use, start, (const uint8_t *)page, PAGE_BYTES);
    if (memcmp((const void *)(address + at), (const uint8_t *)data + at, count) != 0) return -1;
    at += count;
  }
  return 0;
}
