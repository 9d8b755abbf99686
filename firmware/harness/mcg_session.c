/* SPDX-License-Identifier: Apache-2.0 */
#include "mcg_session.h"

#include <stddef.h>
#include <string.h>

#include "mcg_cobs.h"
#include "mcg_crc.h"

#define PROTOCOL_VERSION 1u
#define HEADER_BYTES 6u
#define CRC_BYTES 4u
#define FRAME_BYTES (HEADER_BYTES + MCG_MAX_PAYLOAD + CRC_BYTES)
#define STRING_BYTES 31u /* longer texts are cut */

/* Types of frames that are no requests. */
enum { RESPONSE = 0x80, PROGRESS = 0xFE, FAULT = 0xFF };

#ifdef MCG_APP
/* Frames of a signal begin behind two more bytes than the header's. */
__attribute__((aligned(8))) static uint8_t received[FRAME_BYTES];
#else
static uint8_t received[FRAME_BYTES];
#endif
static uint8_t response[FRAME_BYTES];

static struct {
  const mcg_fault_info *fault; /* set once the program has faulted */
  mcg_cobs_decoder decoder;
  mcg_request request;
  uint32_t response_bytes; /* header and payload of the last response, kept so that it can be sent
                              again */
  uint16_t session, last_sequence;
  uint8_t has_session;
} self;

/* ---- numbers, little endian */

uint32_t mcg_get16(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8; }

uint32_t mcg_get32(const uint8_t *p) { return mcg_get16(p) | mcg_get16(p + 2) << 16; }

void mcg_put8(uint32_t value) {
  if (self.response_bytes < HEADER_BYTES + MCG_MAX_PAYLOAD) {
    response[self.response_bytes++] = (uint8_t)value;
  }
}

void mcg_put16(uint32_t value) {
  mcg_put8(value);
  mcg_put8(value >> 8);
}

void mcg_put32(uint32_t value) {
  mcg_put16(value);
  mcg_put16(value >> 16);
}

void mcg_put_moment(const mcg_moment *moment) {
  mcg_put32((uint32_t)moment->ticks);
  mcg_put32((uint32_t)(moment->ticks >> 32));
  mcg_put32(moment->interrupts);
}

void mcg_put_bytes(const void *data, uint32_t bytes) {
  const uint8_t *p = data;
  while (bytes-- > 0) mcg_put8(*p++);
}

void mcg_put_string(const char *text) {
  uint32_t length = 0;
  while (length < STRING_BYTES && text[length] != 0) length++;
  mcg_put8(length);
  mcg_put_bytes(text, length);
}

#ifdef MCG_APP
void mcg_put_later(uint32_t bytes) {
  while (bytes-- > 0) mcg_put8(0);
}

uint32_t mcg_put_at(uint32_t position) {
  const uint32_t end = self.response_bytes - HEADER_BYTES;
  self.response_bytes = HEADER_BYTES + position;
  return end;
}
#endif

/* ---- frames */

void mcg_send_response(void) {
  const uint32_t crc = mcg_crc32(0, response, self.response_bytes);
  for (uint32_t i = 0; i < CRC_BYTES; i++) {
    response[self.response_bytes + i] = (uint8_t)(crc >> (8 * i));
  }
  mcg_port_putc(0); /* ends whatever the host took for the start of a frame */
  mcg_cobs_send(response, self.response_bytes + CRC_BYTES, mcg_port_putc);
  mcg_port_putc(0);
}

/* Starts a frame about the request in `received`. */
static void begin_frame(uint32_t type) {
  self.response_bytes = 0;
  mcg_put8(PROTOCOL_VERSION);
  mcg_put8(type);
  mcg_put_bytes(&received[2], 4); /* session and sequence number */
}

void mcg_respond(uint32_t status) {
  begin_frame(received[1] | RESPONSE);
  mcg_put8(status);
}

/* Answers without touching the last response, which may have to be sent again. */
static void refuse(uint32_t status) {
  uint8_t kept[HEADER_BYTES + 1 + CRC_BYTES];
  const uint32_t kept_bytes = self.response_bytes;
  memcpy(kept, response, sizeof kept);
  mcg_respond(status);
  mcg_send_response();
  memcpy(response, kept, sizeof kept);
  self.response_bytes = kept_bytes;
}

void mcg_respond_and_reset(void) {
  mcg_respond(MCG_OK);
  mcg_send_response();
  mcg_port_flush();
  mcg_port_reset();
}

/* The last response is not needed any more: it is the one before that of the request under way. */
void mcg_send_progress(uint32_t op) {
  begin_frame(PROGRESS);
  mcg_put16(op);
  mcg_send_response();
}

static void send_fault(void) {
  const mcg_fault_info *f = self.fault;
  begin_frame(FAULT);
  mcg_put32(f->exception);
  mcg_put32(f->pc);
  mcg_put32(f->lr);
  mcg_put32(f->sp);
  mcg_put32(f->xpsr);
  mcg_put32(f->cfsr);
  mcg_put32(f->hfsr);
  mcg_put32(f->mmfar);
  mcg_put32(f->bfar);
  mcg_send_response();
}

/* ---- sessions */

/* Whether the frame of `length` bytes in `received` is a new request that is to be served. */
static int accept_frame(uint32_t length) {
  if (length < HEADER_BYTES + CRC_BYTES) return 0;
  const uint32_t body = length - CRC_BYTES;
  if (mcg_crc32(0, received, body) != mcg_get32(&received[body])) return 0;
  if (self.fault != NULL) {
    if (received[1] == MCG_RESET) mcg_respond_and_reset();
    send_fault();
    return 0;
  }
  if (received[0] != PROTOCOL_VERSION) {
    refuse(MCG_BAD_VERSION);
    return 0;
  }
  const uint16_t session = (uint16_t)mcg_get16(&received[2]);
  const uint16_t sequence = (uint16_t)mcg_get16(&received[4]);
  if (!self.has_session || session != self.session) {
    if (received[1] != MCG_HELLO) {
      refuse(MCG_NO_SESSION);
      return 0;
    }
    self.has_session = 1;
    self.session = session;
  } else {
    const int16_t ahead = (int16_t)(uint16_t)(sequence - self.last_sequence);
    if (ahead == 0) mcg_send_response(); /* its response was lost, or it came twice */
    if (ahead <= 0) return 0;            /* older ones were delayed: the host has given them up */
  }
  self.last_sequence = sequence;
  self.request.payload = &received[HEADER_BYTES];
  self.request.bytes = body - HEADER_BYTES;
  self.request.command = received[1];
  return 1;
}

void mcg_session_init(void) {
  memset(&self.decoder, 0, sizeof self.decoder);
  self.decoder.buffer = received;
  self.decoder.size = sizeof received;
}

void mcg_feed_watchdog(void) {
  if (mcg_port_watchdog != NULL) mcg_port_watchdog();
}

const mcg_request *mcg_session_receive(void) {
  for (;;) {
    mcg_feed_watchdog();
    const int byte = mcg_port_getc();
    if (byte < 0) continue;
    const uint32_t length = mcg_cobs_feed(&self.decoder, (uint8_t)byte);
    if (length > 0 && accept_frame(length)) return &self.request;
  }
}

void mcg_session_fault(const mcg_fault_info *fault) {
  self.fault = fault;
  mcg_session_init();
  send_fault(); /* `received` still holds the request that led here */
  for (;;) (void)mcg_session_receive();
}
