/* mcg_port.h for tests that load the harness as a library: the server runs as a coroutine, until it
 * wants bytes that nobody has given it yet. So no thread, no pipe, no waiting. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <ucontext.h>

#include "mcg_harness.h"

#define STACK_BYTES (256u * 1024u)

uint32_t double_exchange(const uint8_t *input, uint32_t input_bytes, uint8_t *output,
                         uint32_t output_size);
int double_was_reset(void);

static ucontext_t host, server;
static uint8_t stack[STACK_BYTES];
static const uint8_t *unread;
static uint32_t unread_bytes;
static uint8_t *written;
static uint32_t written_bytes, written_size;
static int is_started, was_reset;
static uint64_t ticks;

static void serve(void) { mcg_harness_main(); }

/* Gives the server bytes, and returns how many it answers with. A new one starts first. */
uint32_t double_exchange(const uint8_t *input, uint32_t input_bytes, uint8_t *output,
                         uint32_t output_size) {
  unread = input;
  unread_bytes = input_bytes;
  written = output;
  written_size = output_size;
  written_bytes = 0;
  if (!is_started) {
    is_started = 1;
    getcontext(&server);
    server.uc_stack.ss_sp = stack;
    server.uc_stack.ss_size = sizeof stack;
    server.uc_link = NULL;
    makecontext(&server, serve, 0);
  }
  if (!was_reset) swapcontext(&host, &server);
  return written_bytes;
}

/* A library that was reset has to be loaded again. */
int double_was_reset(void) { return was_reset; }

void mcg_port_init(void) {}

int mcg_port_getc(void) {
  if (unread_bytes == 0) swapcontext(&server, &host);
  if (unread_bytes == 0) return -1;
  unread_bytes--;
  return *unread++;
}

void mcg_port_putc(uint8_t byte) {
  if (written_bytes == written_size) abort();
  written[written_bytes++] = byte;
}

void mcg_port_flush(void) {}

const mcg_counter_info *mcg_port_counter(void) {
  static const mcg_counter_info info = {MCG_COUNTER_DWT, 32, 0, 1000000u};
  return &info;
}

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

void mcg_port_reset(void) {
  was_reset = 1;
  for (;;) swapcontext(&server, &host);
}
