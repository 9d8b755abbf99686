/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a front end on frames that lie in flash, in the place of a project's main(): two rows, of
 * which the second is traced. Prints a checksum of each. */
#include <stdint.h>

#include "mcg_crc.h"
#include "mcg_harness.h"
#include "mcg_port.h"
#include "measured.h"

extern const uint8_t frames[]; /* those of two rows */

static void put_text(const char *text) {
  while (*text) mcg_port_putc((uint8_t)*text++);
}

static void put_hex(uint32_t value) {
  for (int i = 28; i >= 0; i -= 4) mcg_port_putc((uint8_t)"0123456789abcdef"[(value >> i) & 15u]);
  mcg_port_putc('\n');
}

void mcg_harness_fault(const mcg_fault_info *fault) {
  put_text("fault ");
  put_hex(fault->pc);
  for (;;) {
  }
}

int main(void) {
  static uint32_t row[(ROW_BYTES + 3) / 4];
  mcg_port_init();
  start();
  measured(frames, FRAMES_FIRST, row);
  put_hex(mcg_crc32(0, row, ROW_BYTES));
  measured(frames + FRAMES_FIRST * FRAME_BYTES, FRAMES_STEP, row);
  put_hex(mcg_crc32(0, row, ROW_BYTES));
  finished();
  put_text("done\n");
  mcg_port_flush();
  for (;;) {
  }
}
