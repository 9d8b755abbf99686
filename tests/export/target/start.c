/* The vector table of a Cortex-M4 for a program that newlib's semihosting starts. */
#include <stdint.h>

extern uint32_t __stack[];
void _start(void);

static void enable_fpu_and_start(void) {
  *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* CPACR: full access to the FPU */
  _start();
}

static void stuck(void) {
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    (void (*)(void))(uintptr_t)__stack, enable_fpu_and_start, stuck, stuck, stuck, stuck, stuck,
};
