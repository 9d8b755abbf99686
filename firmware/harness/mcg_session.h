/* SPDX-License-Identifier: Apache-2.0 */
/* Requests come in, responses go out: frames, sessions and sequence numbers. */
#ifndef MCG_SESSION_H
#define MCG_SESSION_H

#include <stdint.h>

#include "mcg_harness_config.h"
#include "mcg_port.h"

#if MCG_MAX_PAYLOAD < 256 || MCG_MAX_PAYLOAD > 65535
#error "MCG_MAX_PAYLOAD must hold a hello and fit 16 bits"
#endif

/* Commands of requests. */
enum {
  MCG_HELLO = 0x01,
  MCG_TENSOR_INFO = 0x02,
  MCG_WRITE_INPUT = 0x03,
  MCG_INVOKE = 0x04,
  MCG_CONTINUE = 0x05,
  MCG_READ_OP_OUTPUT = 0x06,
  MCG_READ_OUTPUT = 0x07,
  MCG_RESET = 0x08,
  MCG_INIT = 0x09,
  MCG_WRITE_MODEL = 0x0A,
  MCG_LOAD_MODEL = 0x0B,
  MCG_ERROR_TEXT = 0x0C,
  MCG_STORED = 0x0D,
  MCG_SELECT_MODEL = 0x0E,
  MCG_APP_RESET = 0x0F,
  MCG_APP_PUSH = 0x10,
  MCG_APP_ROW = 0x11,
  MCG_TRAIN_INFO = 0x12,
  MCG_TRAIN_RESET = 0x13,
  MCG_TRAIN_RATE = 0x14,
  MCG_TRAIN_STEP = 0x15,
  MCG_PREDICT = 0x16,
  MCG_HEAD_GET = 0x17,
  MCG_HEAD_SET = 0x18,
  MCG_HEAD_KEEP = 0x19
};

/* Status of a response, its first byte. */
enum {
  MCG_OK = 0,
  MCG_BAD_VERSION = 1,
  MCG_BAD_COMMAND = 2,
  MCG_BAD_LENGTH = 3,
  MCG_BAD_INDEX = 4,
  MCG_BAD_RANGE = 5,
  MCG_BAD_INPUT = 6,
  MCG_BAD_STATE = 7,
  MCG_MODEL_FAILED = 8,
  MCG_NO_SESSION = 9,
  MCG_STACK_OVERFLOW = 10
};

/* A request that is to be served; valid until the next one is received. */
typedef struct {
  const uint8_t *payload;
  uint32_t bytes; /* of the payload */
  uint8_t command;
} mcg_request;

void mcg_session_init(void);

/* Waits for a new request. Those that were served before are answered as they were then. */
const mcg_request *mcg_session_receive(void);

/* Starts the response to the request that was received last. */
void mcg_respond(uint32_t status);

/* Append to it, little endian; what does not fit into a frame is left out. */
void mcg_put8(uint32_t value);
void mcg_put16(uint32_t value);
void mcg_put32(uint32_t value);
void mcg_put_moment(const mcg_moment *moment);
void mcg_put_bytes(const void *data, uint32_t bytes);
void mcg_put_string(const char *text);

#ifdef MCG_APP
/* Leaves `bytes` bytes to be written later. */
void mcg_put_later(uint32_t bytes);

/* What follows is written at `position` of the payload; where it would have gone otherwise. */
uint32_t mcg_put_at(uint32_t position);
#endif

/* Sends it, and keeps it, should the host ask again. */
void mcg_send_response(void);

/* Tells the host that op `op` of the inference under way is done. */
void mcg_send_progress(uint32_t op);

void mcg_respond_and_reset(void);

/* Reports a fault, now and in answer to every frame that comes, until the host asks for a reset. */
void mcg_session_fault(const mcg_fault_info *fault);

uint32_t mcg_get16(const uint8_t *p);
uint32_t mcg_get32(const uint8_t *p);

/* Feeds the watchdog, if the firmware has one. */
void mcg_feed_watchdog(void);

#endif
