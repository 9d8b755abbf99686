/* SPDX-License-Identifier: Apache-2.0 */
/* mcg_port.h on bare metal: what is the same on all cores. mcg_core.h has the rest. */
#include "mcg_port.h"

#include "mcg_board.h"
#include "mcg_bsp.h"
#include "mcg_core.h"

#define NOTE_HEADER_BYTES 16u

extern uint32_t mcg_stack_bottom[], mcg_stack_top[];
extern const uint8_t mcg_build_id_start[], mcg_build_id_end[];

void mcg_port_init(void) {
  mcg_uart_init();
  mcg_counter_init();
}

int mcg_port_getc(void) { return mcg_uart_getc(); }

void mcg_port_putc(uint8_t byte) { mcg_uart_putc(byte); }

void mcg_port_flush(void) { mcg_uart_flush(); }

void mcg_port_interrupts(int on) { mcg_core_interrupts(on); }

uint32_t *mcg_port_stack_bottom(void) { return mcg_stack_bottom; }

uint32_t mcg_port_stack_bytes(void) {
  return (uint32_t)((uintptr_t)mcg_stack_top - (uintptr_t)mcg_stack_bottom);
}

/* The linker's note: 12 bytes of sizes and type, "GNU", then the id. */
const uint8_t *mcg_port_build_id(uint32_t *bytes) {
  const uint32_t note_bytes = (uint32_t)(mcg_build_id_end - mcg_build_id_start);
  *bytes = note_bytes > NOTE_HEADER_BYTES ? note_bytes - NOTE_HEADER_BYTES : 0;
  return mcg_build_id_start + NOTE_HEADER_BYTES;
}

void mcg_port_reset(void) {
  mcg_core_reset();
  for (;;) {
  }
}
