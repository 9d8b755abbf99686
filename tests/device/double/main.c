#include "mcg_harness.h"

#ifdef MODEL_WATCHDOG
#include "mcg_bsp.h"

/* The watchdog of LM3S parts, which the first call starts. It resets the chip when it has gone off
 * twice, MODEL_WATCHDOG ticks apart. */
void mcg_port_watchdog(void) {
  MCG_REG32(0x400FE100u) |= 1u << 3;       /* RCGC0: clock */
  MCG_REG32(0x4000000Cu) = 1;              /* ICR: it has not gone off */
  MCG_REG32(0x40000000u) = MODEL_WATCHDOG; /* LOAD */
  MCG_REG32(0x40000008u) = 1u << 1 | 1u;   /* CTL: interrupt, reset */
}
#endif

int main(void) { return mcg_harness_main(); }
