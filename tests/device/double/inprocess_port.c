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

void mcg_port_reset(void) {
  was_reset = 1;
  for (;;) swapcontext(&server, &host);
}
