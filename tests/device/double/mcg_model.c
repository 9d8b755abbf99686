/* A model whose answers are easy to know: op 0 adds 1 to every input byte, op 1 doubles it.
 *
 * In-memory: one block, which op 0 and op 1 overwrite, as a planned arena would be. The second
 * input, if MODEL_INPUTS is 2, is added by op 0 as well. The first byte of input 0 asks for
 * trouble: see run_trouble(). */
#include "mcg_model.h"

#include "mcg_port.h"
#ifdef MODEL_TIMER
#include "mcg_bsp.h"
#endif

#ifndef MODEL_BYTES
#define MODEL_BYTES 64
#endif
#ifndef MODEL_INPUTS
#define MODEL_INPUTS 1
#endif
#ifndef MODEL_SHA
#define MODEL_SHA 1
#endif

enum {
  UNDEFINED = 100,
  OVERFLOW = 101,
  BAD_ADDRESS = 102,
  FAIL = 103,
  LOOP = 104,
  USE_STACK = 105,
  TIMER = 106,
  SLOW = 107,
  LATE_FAULT = 108
};

/* Of each op of a slow inference. */
#define SLOW_INSTRUCTIONS 2000000u

static uint8_t arena[MODEL_BYTES * MODEL_INPUTS]
    __attribute__((aligned(16), section(".bss.mcg_arena")));
static uint8_t trouble; /* first byte of the inference under way */
static const int32_t dims[] = {1, MODEL_BYTES};
static const mcg_tensor_info inputs[] = {
    {"first input", dims, MODEL_BYTES, 0.5f, -3, 2, MCG_DTYPE_INT8},
    {"second input", dims, MODEL_BYTES, 0.25f, 0, 2, MCG_DTYPE_INT8},
};
static const mcg_tensor_info outputs[] = {
    {"an output with a name that is longer than a hello's strings", dims, MODEL_BYTES, 1.5f, 7, 2,
     MCG_DTYPE_INT8},
};
static const mcg_model_info info = {
    .name = "double",
    .runtime = "aot",
    .generator = "mcugen test",
    .sha256 = {MODEL_SHA, 2, 3, 4},
    .arena_bytes = sizeof arena,
    .input_count = MODEL_INPUTS,
    .output_count = 1,
    .op_count = 2,
    .inputs = inputs,
    .outputs = outputs,
};

const mcg_model_info *mcg_model_get_info(void) { return &info; }

int mcg_model_init(void) { return 0; }

void *mcg_model_input(uint32_t index) { return &arena[index * MODEL_BYTES]; }

const void *mcg_model_output(uint32_t index) { return &arena[index * MODEL_BYTES]; }

#if defined(__arm__)
#define UNDEFINED_INSTRUCTION ".inst.n 0xde00"
#define TWO_PER_ROUND ".syntax unified\n1: subs %0, %0, #1\n bne 1b"
#define REGISTER "+l"
#elif defined(__riscv)
#define UNDEFINED_INSTRUCTION "unimp"
#define TWO_PER_ROUND "1: addi %0, %0, -1\n bnez %0, 1b"
#define REGISTER "+r"
#endif

#ifdef UNDEFINED_INSTRUCTION
static int overflow(volatile int *depth) {
  volatile int here[16] = {*depth + 1};
  return here[0] == 0 ? 0 : overflow(here) + here[0];
}

static __attribute__((noinline)) void use_stack(uint32_t words) {
  volatile uint32_t block[words];
  for (uint32_t i = 0; i < words; i++) block[i] = i;
  (void)block[0];
}

#ifdef MODEL_TIMER
/* Leaves the family timer's ticks in `argument` instructions in bytes 1 to 8, four bits in each. */
static void time_loop(uint32_t argument) {
  mcg_family_timer_start();
  const uint32_t before = mcg_family_timer_read();
  mcg_port_run_instructions(argument);
  const uint32_t ticks = mcg_family_timer_read() - before;
  for (uint32_t i = 0; i < 8; i++) arena[1 + i] = (ticks >> (4 * i)) & 15;
}
#endif

static int run_trouble(void) {
  uint32_t argument =
      arena[1] | (uint32_t)arena[2] << 8 | (uint32_t)arena[3] << 16 | (uint32_t)arena[4] << 24;
  volatile int depth = 0;
  switch (arena[0]) {
    case UNDEFINED:
      __asm__ volatile(UNDEFINED_INSTRUCTION);
      break;
    case OVERFLOW:
      return overflow(&depth);
    case BAD_ADDRESS:
      return *(volatile int *)0xA0000000;
    case FAIL:
      return -5;
    case LOOP: /* exactly 2 * argument instructions */
      __asm__ volatile(TWO_PER_ROUND : REGISTER(argument) : : "cc");
      break;
    case USE_STACK:
      use_stack(argument);
      break;
#ifdef MODEL_TIMER
    case TIMER:
      time_loop(argument);
      break;
#endif
    default:
      break;
  }
  return 0;
}
#else
static int run_trouble(void) { return arena[0] == FAIL ? -5 : 0; }
#endif

static void op0(void) {
  if (trouble == SLOW) mcg_port_run_instructions(SLOW_INSTRUCTIONS);
  for (uint32_t i = 0; i < MODEL_BYTES; i++) {
#if MODEL_INPUTS == 2
    arena[i] = (uint8_t)(arena[i] + arena[MODEL_BYTES + i]);
#endif
    arena[i] = (uint8_t)(arena[i] + 1);
  }
}

static void op1(void) {
  if (trouble == SLOW) mcg_port_run_instructions(SLOW_INSTRUCTIONS);
#ifdef UNDEFINED_INSTRUCTION
  if (trouble == LATE_FAULT) __asm__ volatile(UNDEFINED_INSTRUCTION);
#endif
  for (uint32_t i = 0; i < MODEL_BYTES; i++) arena[i] = (uint8_t)(2 * arena[i]);
}

int mcg_model_invoke(void) {
  trouble = arena[0];
  const int error = run_trouble();
  if (error) return error;
  op0();
  op1();
  return 0;
}

int mcg_model_invoke_hooked(mcg_op_hook hook, void *context) {
  trouble = arena[0];
  const int error = run_trouble();
  if (error) return error;
  op0();
  hook(context, 0);
  op1();
  hook(context, 1);
  return 0;
}

const void *mcg_model_op_output(uint32_t op, uint32_t *bytes) {
  (void)op;
  *bytes = MODEL_BYTES;
  return arena;
}
