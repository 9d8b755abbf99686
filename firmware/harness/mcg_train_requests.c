/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about learning: steps, what the trained layers say, and their parameters, the head. All
 * work on the outputs of the last inference. */
#include <string.h>

#include "mcg_crc.h"
#include "mcg_model_train.h"
#include "mcg_server.h"

enum { MEASURE_STACK = 1, HAS_TARGET = 2, TELL_HEAD = 4 }; /* flags of a step */

#define STEP_HEADER_BYTES 3u
#define OUTPUT_BYTES (MCG_MODEL_CLASSES * (uint32_t)sizeof(float))

/* The step under way. */
static struct {
  uint32_t label;
  const float *outputs;
  float loss;
  uint8_t has_target;
} step;

/* Of a step, and the outputs of the last prediction: the arena that they come from is the model's.
 */
static float values[MCG_MODEL_CLASSES];

static int run_step(void) {
  step.loss = step.has_target ? mcg_model_train_target(values) : mcg_model_train(step.label);
  return 0;
}

static int run_predict(void) {
  step.outputs = mcg_model_predict();
  return 0;
}

static void put_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  mcg_put32(bits);
}

void mcg_serve_train_info(void) {
  mcg_respond(MCG_OK);
  mcg_put32(mcg_model_head_bytes());
  mcg_put32(mcg_model_head_fingerprint());
  mcg_put32(MCG_MODEL_CLASSES);
  mcg_put32(MCG_MODEL_TRAIN_RAM_BYTES);
}

void mcg_serve_train_reset(void) {
  mcg_model_train_reset();
  mcg_respond(MCG_OK);
}

void mcg_serve_train_rate(const mcg_request *request) {
  if (request->bytes != sizeof(float)) {
    mcg_respond(MCG_BAD_LENGTH);
    return;
  }
  float rate;
  memcpy(&rate, request->payload, sizeof rate);
  if (!(rate > 0.0f && rate < 1000.0f)) {
    mcg_respond(MCG_BAD_RANGE);
    return;
  }
  mcg_model_train_set_rate(rate);
  mcg_respond(MCG_OK);
}

void mcg_serve_train_step(const mcg_request *request) {
  const uint32_t bytes = request->bytes - STEP_HEADER_BYTES;
  if (request->bytes < STEP_HEADER_BYTES) {
    mcg_respond(MCG_BAD_LENGTH);
    return;
  }
  const uint32_t flags = request->payload[0];
  step.label = mcg_get16(request->payload + 1);
  step.has_target = (flags & HAS_TARGET) != 0;
  if (bytes != (step.has_target ? OUTPUT_BYTES : 0u)) {
    mcg_respond(MCG_BAD_LENGTH);
  } else if (!mcg_server.has_output) {
    mcg_respond(MCG_BAD_STATE);
  } else if (!step.has_target && step.label >= (MCG_MODEL_CLASSES == 1 ? 2 : MCG_MODEL_CLASSES)) {
    mcg_respond(MCG_BAD_INDEX);
  } else {
    mcg_run_record ran;
    memcpy(values, request->payload + STEP_HEADER_BYTES, bytes);
    mcg_feed_watchdog();
    mcg_run_measured(run_step, flags & MEASURE_STACK ? MCG_MEASURE_STACK : MCG_MEASURE_COST, &ran);
    if (mcg_stack_overflowed()) {
      mcg_respond(MCG_STACK_OVERFLOW);
      return;
    }
    mcg_respond(MCG_OK);
    put_float(step.loss);
    mcg_put_moment(&ran.cost);
    mcg_put32(ran.stack_bytes);
    mcg_put32(flags & TELL_HEAD ? mcg_crc32(0, mcg_model_head(), mcg_model_head_bytes()) : 0u);
  }
}

/* Runs the trained layers; their outputs are read from it piece by piece. */
void mcg_serve_predict(const mcg_request *request) {
  if (request->bytes != 6) {
    mcg_respond(MCG_BAD_LENGTH);
  } else if (!mcg_server.has_output) {
    mcg_respond(MCG_BAD_STATE);
  } else {
    const uint32_t offset = mcg_get32(request->payload);
    if (offset == 0) {
      mcg_run_record ran;
      mcg_run_measured(run_predict, MCG_MEASURE_STACK, &ran);
      if (mcg_stack_overflowed()) {
        mcg_respond(MCG_STACK_OVERFLOW);
        return;
      }
      memcpy(values, step.outputs, sizeof values);
    }
    mcg_respond_with(values, sizeof values, offset, mcg_get16(request->payload + 4));
  }
}

void mcg_serve_head_get(const mcg_request *request) {
  if (request->bytes != 6) {
    mcg_respond(MCG_BAD_LENGTH);
  } else {
    mcg_respond_with(mcg_model_head(), mcg_model_head_bytes(), mcg_get32(request->payload),
                     mcg_get16(request->payload + 4));
  }
}

/* A part of a head. The host writes all of it, and checks the whole by its checksum. */
void mcg_serve_head_set(const mcg_request *request) {
  if (request->bytes < 4) {
    mcg_respond(MCG_BAD_LENGTH);
    return;
  }
  const uint32_t offset = mcg_get32(request->payload), bytes = request->bytes - 4;
  if (offset > mcg_model_head_bytes() || bytes > mcg_model_head_bytes() - offset) {
    mcg_respond(MCG_BAD_RANGE);
    return;
  }
  memcpy((uint8_t *)mcg_model_head() + offset, request->payload + 4, bytes);
  mcg_model_train_forget();
  mcg_respond(MCG_OK);
  mcg_put32(mcg_crc32(0, mcg_model_head(), mcg_model_head_bytes()));
}
