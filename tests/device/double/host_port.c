/* mcg_port.h over standard input and output, so that tests can run the harness as a process of the
 * host.
 *
 * There is no counter and no stack to measure. `fault` as the program's argument faults on the
 * first inference. */
#include <stdio.h>
#include <stdlib.h>

#include "mcg_harness.h"

static uint64_t ticks;

void mcg_port_init(void) {}

int mcg_port_getc(void) {
  const int byte = getchar();
  if (byte == EOF) exit(0);
  return byte;
}

void mcg_port_putc(uint8_t byte) {
  putchar(byte);
  if (byte == 0) fflush(stdout);
}

void mcg_port_flush(void) { fflush(stdout); }

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

void mcg_port_reset(void) { exit(7); }

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1) {
    static const mcg_fault_info fault = {3,       0x1234,     0x5678, 0x20000000, 0x61000000,
                                         0x10000, 0x40000000, 0,      0};
    mcg_harness_fault(&fault);
  }
  return mcg_harness_main();
}
