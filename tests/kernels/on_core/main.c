/* Runs the model on the core it was compiled for and compares all outputs with those expected.
 * Speaks to the emulator by semihosting: one line per difference, then "done" and the number of
 * comparisons. */
#include <stdint.h>
#include <string.h>

#include "expected.h"
#include "mcg_model.h"

#define REG32(address) (*(volatile uint32_t *)(address))
#define CPACR 0xE000ED88u

enum { SYS_WRITE0 = 4, SYS_EXIT = 0x18 };

extern uint32_t stack_top[], bss_start[], bss_end[], data_start[], data_end[];
extern const uint32_t data_image[];

static int call_host(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static void print(const char *text) { call_host(SYS_WRITE0, text); }

static void print_number(int32_t value) {
  static char text[12];
  char *at = text + sizeof text - 1;
  uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
  do {
    *--at = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest);
  if (value < 0) *--at = '-';
  print(at);
}

static void report(uint32_t sample, uint32_t output, uint32_t byte, int32_t got, int32_t wanted) {
  print("sample ");
  print_number((int32_t)sample);
  print(", output ");
  print_number((int32_t)output);
  print(", byte ");
  print_number((int32_t)byte);
  print(": ");
  print_number(got);
  print(" is not ");
  print_number(wanted);
  print("\n");
}

/* Float results agree within the tolerance of tests/conformance; 1e-6 and 1e-5 of the wanted one.
 */
static int close_enough(const uint8_t *got, const uint8_t *wanted) {
  float a, b;
  memcpy(&a, got, sizeof a);
  memcpy(&b, wanted, sizeof b);
  const float distance = a < b ? b - a : a - b;
  const float size = b < 0.0f ? -b : b;
  return distance <= 1e-6f + 1e-5f * size || (a != a && b != b);
}

static void run(void) {
  const mcg_model_info *info = mcg_model_get_info();
  const uint8_t *input = given, *output = expected;
  uint32_t compared = 0;
  mcg_model_init();
  for (uint32_t sample = 0; sample < SAMPLES; ++sample) {
    for (uint32_t i = 0; i < info->input_count; ++i) {
      uint8_t *to = mcg_model_input(i);
      for (uint32_t byte = 0; byte < info->inputs[i].bytes; ++byte) to[byte] = *input++;
    }
    mcg_model_invoke();
    for (uint32_t i = 0; i < info->output_count; ++i) {
      const uint8_t *got = mcg_model_output(i);
      const int real = info->outputs[i].dtype == MCG_DTYPE_FLOAT32;
      uint32_t wrong = 0;
      for (uint32_t byte = 0; byte < info->outputs[i].bytes; ++byte, ++output, ++compared) {
        const uint32_t in_float = byte % 4u;
        if (got[byte] != *output &&
            !(real && close_enough(got + byte - in_float, output - in_float)) && wrong++ == 0) {
          report(sample, i, byte, (int8_t)got[byte], (int8_t)*output);
        }
      }
    }
  }
  print("done ");
  print_number((int32_t)compared);
  print("\n");
  call_host(SYS_EXIT, (const void *)0x20026);
}

__attribute__((noinline)) static void start(void) {
  const uint32_t *from = data_image;
  for (uint32_t *to = data_start; to < data_end;) *to++ = *from++;
  for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
  run();
  for (;;) {
  }
}

static void reset(void) {
#ifdef __ARM_FP
  REG32(CPACR) |= 0xFu << 20;
  __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
  start();
}

static void fault(void) {
  print("fault\n");
  call_host(SYS_EXIT, (const void *)0x20023);
  for (;;) {
  }
}

typedef union {
  void (*handler)(void);
  const uint32_t *stack;
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = stack_top}, {.handler = reset}, {.handler = fault}, {.handler = fault},
    {.handler = fault},   {.handler = fault}, {.handler = fault}, {.handler = fault},
};
