/* SPDX-License-Identifier: Apache-2.0 */
/* The serial protocol of the MLPerf Tiny benchmark, so that its runner can drive this firmware.
 *
 * Commands end with '%'. Every answer is lines ending in CR LF, the last of which is "m-ready". A
 * line "e-[…]" reports an error, any other begins with "m-". Input arrives as hexadecimal digits
 * in as many "db" commands as it takes; "infer N W" runs N timed inferences after W others.
 */
#include <stddef.h>
#include <string.h>

#include "mcg_harness.h"
#include "mcg_mlperf_config.h"
#include "mcg_model.h"

#define COMMAND_BYTES 80u
#define DEFAULT_WARMUPS 10u
#define BYTES_PER_LINE 8u

typedef struct {
  uint8_t bytes[MCG_MLPERF_INPUT_BYTES];
  uint32_t expected; /* bytes announced by "db load"; 0 before the first */
  uint32_t loaded;
} input_buffer;

static union {
  float aligned;
  input_buffer buffer;
} input;

static uint64_t elapsed_ticks;
static uint64_t last_tick;

/* ---- text */

static void put_text(const char *text) {
  for (; *text != '\0'; text++) {
    mcg_port_putc((uint8_t)*text);
  }
}

static void put_line(const char *text) {
  put_text(text);
  put_text("\r\n");
}

static void put_number(uint64_t value) {
  char digits[21];
  char *first = digits + sizeof digits - 1;
  *first = '\0';
  do {
    *--first = (char)('0' + value % 10u);
    value /= 10u;
  } while (value != 0);
  put_text(first);
}

static void put_hex(uint32_t value, uint32_t digits) {
  while (digits-- > 0) {
    mcg_port_putc((uint8_t)"0123456789abcdef"[value >> (4 * digits) & 15u]);
  }
}

static void put_bracketed(const char *before, const char *text) {
  put_text(before);
  put_text("[");
  put_text(text);
  put_line("]");
}

static void put_error(const char *text) { put_bracketed("e-", text); }

static void put_count(const char *before, uint32_t value) {
  put_text(before);
  put_number(value);
  put_text("\r\n");
}

/* Three digits after the point, halves away from zero. */
static void put_thousandths(float value) {
  const int negative = value < 0.0f;
  const float size = negative ? -value : value;
  if (!(size < 1e15f)) { /* infinite or no number at all */
    put_text(size > 0.0f ? (negative ? "-inf" : "inf") : "nan");
    return;
  }
  const uint64_t thousandths = (uint64_t)((double)size * 1000.0 + 0.5);
  if (negative && thousandths != 0) {
    put_text("-");
  }
  put_number(thousandths / 1000u);
  put_text(".");
  const uint32_t rest = (uint32_t)(thousandths % 1000u);
  mcg_port_putc((uint8_t)('0' + rest / 100u));
  mcg_port_putc((uint8_t)('0' + rest / 10u % 10u));
  mcg_port_putc((uint8_t)('0' + rest % 10u));
}

/* ---- time */

/* Adds what has passed since the last call, which must come before the counter has gone round once.
 */
static void count_time(void) {
  const mcg_counter_info *counter = mcg_port_counter();
  mcg_moment now;
  mcg_port_now(&now);
  const uint64_t mask = counter->bits >= 64u ? UINT64_MAX : ((uint64_t)1 << counter->bits) - 1u;
  elapsed_ticks += (now.ticks - last_tick) & mask;
  last_tick = now.ticks;
}

static void restart_time(void) {
  mcg_moment now;
  mcg_port_now(&now);
  last_tick = now.ticks;
}

static void put_timestamp(void) {
  const uint32_t hz = mcg_port_counter()->hz;
  count_time();
  const uint64_t seconds = hz ? elapsed_ticks / hz : 0;
  const uint64_t rest = hz ? elapsed_ticks % hz * 1000000u / hz : 0;
  put_text("m-lap-us-");
  put_number(seconds * 1000000u + rest);
  put_text("\r\n");
}

/* ---- the model */

#if MCG_MLPERF_INPUT == MCG_MLPERF_INPUT_FLOAT32
static float input_value(uint32_t index) {
  float value;
  memcpy(&value, input.buffer.bytes + index * sizeof value, sizeof value);
  return value;
}
#endif

/* The model's memory is reused, so its input is written before every inference. */
static void write_input(void) {
  const mcg_tensor_info *info = &mcg_model_get_info()->inputs[0];
#if MCG_MLPERF_INPUT == MCG_MLPERF_INPUT_AS_IS
  memcpy(mcg_model_input(0), input.buffer.bytes, info->bytes);
#else
  int8_t *values = mcg_model_input(0);
  for (uint32_t i = 0; i < info->bytes; i++) {
#if MCG_MLPERF_INPUT == MCG_MLPERF_INPUT_UINT8
    values[i] = (int8_t)(input.buffer.bytes[i] - 128);
#else
    values[i] = mcg_model_quantize_input0(input_value(i));
#endif
  }
#endif
}

static int infer_once(void) {
  write_input();
  const int result = mcg_model_invoke();
  count_time();
  return result;
}

static float output_value(uint32_t index) {
  const mcg_tensor_info *info = &mcg_model_get_info()->outputs[0];
  const void *values = mcg_model_output(0);
  if (info->dtype == MCG_DTYPE_FLOAT32) {
    return ((const float *)values)[index];
  }
  const int32_t value = info->dtype == MCG_DTYPE_UINT8   ? ((const uint8_t *)values)[index]
                        : info->dtype == MCG_DTYPE_INT16 ? ((const int16_t *)values)[index]
                                                         : ((const int8_t *)values)[index];
  return info->scale > 0.0f ? (float)(value - info->zero_point) * info->scale : (float)value;
}

static void put_results(void) {
  put_text("m-results-[");
#if MCG_MLPERF_RESULT_IS_ERROR
  float sum = 0.0f;
  for (uint32_t i = 0; i < MCG_MLPERF_OUTPUTS; i++) {
    const float difference = output_value(i) - input_value(i);
    sum += difference * difference;
  }
  put_thousandths(sum / (float)MCG_MLPERF_OUTPUTS);
#else
  for (uint32_t i = 0; i < MCG_MLPERF_OUTPUTS; i++) {
    put_text(i ? "," : "");
    put_thousandths(output_value(i));
  }
#endif
  put_line("]");
}

/* ---- commands */

/* The next word of a command, which is cut off there; NULL at the end. */
static char *next_word(char **rest) {
  char *word = *rest;
  while (*word == ' ') {
    word++;
  }
  if (*word == '\0') {
    return NULL;
  }
  char *end = word;
  while (*end != '\0' && *end != ' ') {
    end++;
  }
  *rest = end;
  if (*end != '\0') {
    *end = '\0';
    (*rest)++;
  }
  return word;
}

/* -1 for what is not a number from 0 to a hundred million. */
static int32_t parse_number(const char *text) {
  int32_t value = 0;
  if (*text == '\0') {
    return -1;
  }
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9' || value > 10000000) {
      return -1;
    }
    value = value * 10 + (*text - '0');
  }
  return value;
}

static int32_t hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  const char lower = (char)(digit | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static void load_begin(const char *count) {
  const int32_t bytes = count ? parse_number(count) : -1;
  if (bytes <= 0) {
    put_error("Command 'db load' requires the # of bytes, above 0");
  } else if ((uint32_t)bytes > sizeof input.buffer.bytes) {
    put_error("The input is longer than the model's");
  } else {
    input.buffer.expected = (uint32_t)bytes;
    input.buffer.loaded = 0;
    put_text("m-[Expecting ");
    put_number((uint32_t)bytes);
    put_line(" bytes]");
  }
}

static void load_digits(const char *digits) {
  const size_t count = strlen(digits);
  if (count % 2u != 0) {
    put_error("Insufficient number of hex digits");
    return;
  }
  if (input.buffer.loaded == input.buffer.expected) {
    put_error("No bytes are expected: send 'db load N' first");
    return;
  }
  for (size_t i = 0; i < count; i += 2) {
    const int32_t high = hex_digit(digits[i]);
    const int32_t low = hex_digit(digits[i + 1]);
    if (high < 0 || low < 0) {
      put_error("Invalid hex digit");
      return;
    }
    input.buffer.bytes[input.buffer.loaded++] = (uint8_t)(high << 4 | low);
    if (input.buffer.loaded == input.buffer.expected) {
      put_line("m-load-done"); /* digits beyond it are ignored */
      return;
    }
  }
}

static void print_buffer(void) {
  for (uint32_t i = 0; i < input.buffer.loaded; i++) {
    put_text(i % BYTES_PER_LINE == 0 ? "m-buffer-" : "-");
    put_hex(input.buffer.bytes[i], 2);
    if ((i + 1) % BYTES_PER_LINE == 0 || i + 1 == input.buffer.loaded) {
      put_text("\r\n");
    }
  }
}

static void handle_db(char **rest) {
  const char *word = next_word(rest);
  if (word == NULL) {
    put_error("Command 'db' requires a subcommand");
  } else if (strcmp(word, "load") == 0) {
    load_begin(next_word(rest));
  } else if (strcmp(word, "print") == 0) {
    print_buffer();
  } else {
    load_digits(word);
  }
}

static void handle_infer(char **rest) {
  const char *word = next_word(rest);
  const int32_t count = word ? parse_number(word) : 1;
  word = word ? next_word(rest) : NULL;
  const int32_t warmups = word ? parse_number(word) : (int32_t)DEFAULT_WARMUPS;
  if (count <= 0) {
    put_error("Inference iterations must be >0");
    return;
  }
  if (warmups < 0) {
    put_error("Inference warmup must be >=0");
    return;
  }
  if (input.buffer.loaded != sizeof input.buffer.bytes) {
    put_error("The input is not complete: send 'db load N' and its bytes first");
    return;
  }
  int result = mcg_model_init(); /* a model with state is reset, so that results can be repeated */
  put_count("m-warmup-start-", (uint32_t)warmups);
  for (int32_t i = 0; i < warmups && result == 0; i++) {
    result = infer_once();
  }
  put_line("m-warmup-done");
  put_count("m-infer-start-", (uint32_t)count);
  mcg_port_flush(); /* the transmitter is idle while inferences are timed */
  put_timestamp();
  mcg_port_flush();
  restart_time(); /* what was sent meanwhile is no part of an inference */
  for (int32_t i = 0; i < count && result == 0; i++) {
    result = infer_once();
  }
  put_timestamp();
  put_line("m-infer-done");
  if (result == 0) {
    put_results();
  } else {
    put_error("The model's inference failed");
  }
}

static void put_help(void) {
  put_line(MCG_MLPERF_PROFILE);
  put_line("");
  put_line("help          this text");
  put_line("name          name of the device");
  put_line("profile       version of the protocol, and the model");
  put_line("timestamp     microseconds");
  put_line("db load N     expect N bytes of input");
  put_line("db HH[HH]*    some of them, in hexadecimal digits");
  put_line("db print      the bytes so far");
  put_line("infer N [W]   N timed inferences after W others");
  put_line("results       the last outputs");
}

static void handle(char *command) {
  char *rest = command;
  const char *word = next_word(&rest);
  if (word == NULL) {
    put_error("Unknown command: ");
  } else if (strcmp(word, "name") == 0) {
    put_bracketed("m-name-dut-", MCG_BOARD_NAME);
  } else if (strcmp(word, "timestamp") == 0) {
    put_timestamp();
  } else if (strcmp(word, "profile") == 0) {
    put_bracketed("m-profile-", MCG_MLPERF_PROFILE);
    put_bracketed("m-model-", MCG_MLPERF_MODEL);
  } else if (strcmp(word, "help") == 0) {
    put_help();
  } else if (strcmp(word, "db") == 0) {
    handle_db(&rest);
  } else if (strcmp(word, "infer") == 0) {
    handle_infer(&rest);
  } else if (strcmp(word, "results") == 0) {
    put_results();
  } else {
    put_text("e-[Unknown command: ");
    put_text(word);
    put_line("]");
  }
  put_line("m-ready");
}

int mcg_harness_main(void) {
  static char command[COMMAND_BYTES + 1];
  uint32_t length = 0;
  mcg_port_init();
  const int result = mcg_model_init();
  put_line("m-timestamp-mode-performance");
  put_timestamp();
  put_line("m-init-done");
  if (result != 0) {
    put_error("The model did not start");
  }
  put_line("m-ready");
  for (;;) {
    const int byte = mcg_port_getc();
    if (byte == '%') {
      if (length > COMMAND_BYTES) {
        put_error("The command is too long");
        put_line("m-ready");
      } else {
        command[length] = '\0';
        handle(command);
      }
      length = 0;
    } else if (byte >= ' ' && length <= COMMAND_BYTES) { /* line ends of a terminal are nothing */
      if (length < COMMAND_BYTES) {
        command[length] = (char)byte;
      }
      length++; /* one more than fits says that it was too long */
    }
  }
}

void mcg_harness_fault(const mcg_fault_info *fault) {
  put_text("\r\ne-[The processor stopped with exception ");
  put_number(fault->exception);
  put_text(" at 0x");
  put_hex(fault->pc, 8);
  put_line("]");
  mcg_port_flush();
  for (;;) {
  }
}
