/* mcg_port.h over standard input and output, so that tests can run the harness as a process of the
 * host.
 *
 * There is no counter and no stack to measure. `fault` as the program's argument faults on the
 * first inference. */
#include <stdio.h>
#include <stdlib.h>

#include "mcg_harness.h"

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
