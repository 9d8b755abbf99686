/* What the ports of the test double have in common: a clock that moves when it is looked at, no
 * stack to measure, and a build id. */
#include <stddef.h>

#include "mcg_port.h"

static uint64_t ticks;

void mcg_port_init(void) {}

const mcg_counter_info *mcg_port_counter(void) {
  static const mcg_counter_info info = {MCG_COUNTER_DWT, 32, 0, 1000000u};
  return &info;
}

/* Every look at the clock takes 7 ticks. It starts shortly before 2^32, so that it goes round
 * early. */
void mcg_port_now(mcg_moment *moment) {
  ticks += 7;
  moment->ticks = (0xFFFFFF00u + ticks) & 0xFFFFFFFFu;
  moment->interrupts = 0;
}

void mcg_port_run_instructions(uint32_t count) { ticks += count; }

void mcg_port_interrupts(int on) { (void)on; }

uint32_t *mcg_port_stack_bottom(void) { return NULL; }

uint32_t mcg_port_stack_bytes(void) { return 0; }

const uint8_t *mcg_port_build_id(uint32_t *bytes) {
  static const uint8_t id[4] = {0xAB, 0xCD, 0, 1};
  *bytes = sizeof id;
  return id;
}
