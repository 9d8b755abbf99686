/* SPDX-License-Identifier: Apache-2.0 */
/* Inferences: at once, op by op, or with signs of life between ops. */
#include <string.h>

#include "mcg_crc.h"
#include "mcg_server.h"

enum { PAUSE = 1, MEASURE_STACK = 2, PACE = 4 }; /* flags of a request */
enum { DONE = 0, PAUSED = 1, ROW_TAKEN = 2 };    /* states in a response */

/* Of an inference that is interrupted after every op. */
static struct {
  mcg_moment resumed; /* when the op under way began */
  mcg_moment total;   /* cost of the ops so far */
  uint32_t pieces;    /* that are done: ops, or parts of them */
  uint8_t abandoned;  /* a new session began during a pause */
  uint8_t is_silent;
} stepping;

#ifndef MCG_MODEL_PIECES
#define MCG_MODEL_ROW_BYTES 0
#endif

#if MCG_MODEL_ROW_BYTES
static uint32_t inputs_crc(void) {
  return mcg_crc32(0, mcg_model_row_buffer(), MCG_MODEL_ROW_BYTES);
}

/* They take the row that was written. 1 if it was the last one. Not functions: nothing is between
 * model and measurement. */
#define INVOKE mcg_model_push_row
#define INVOKE_HOOKED mcg_model_push_row_hooked
#else
#define INVOKE mcg_model_invoke
#define INVOKE_HOOKED mcg_model_invoke_hooked

static uint32_t inputs_crc(void) {
  uint32_t crc = 0;
  for (uint32_t i = 0; i < mcg_server.model->input_count; i++) {
    crc = mcg_crc32(crc, mcg_model_input(i), mcg_server.model->inputs[i].bytes);
  }
  return crc;
}

#endif

static uint32_t outputs_crc(void) {
  uint32_t crc = 0;
  for (uint32_t i = 0; i < mcg_server.model->output_count; i++) {
    crc = mcg_crc32(crc, mcg_model_output(i), mcg_server.model->outputs[i].bytes);
  }
  return crc;
}

static void read_op_output(const mcg_request *request, uint32_t op) {
  if (request->bytes != 6) {
    mcg_respond(MCG_BAD_LENGTH);
  } else {
    uint32_t size;
    const void *data = mcg_model_op_output(op, &size);
    mcg_respond_with(data, size, mcg_get32(request->payload), mcg_get16(request->payload + 4));
  }
}

static void respond_paused(uint32_t op, const mcg_moment *cost) {
  uint32_t bytes;
  const void *data = mcg_model_op_output(op, &bytes);
  mcg_respond(MCG_OK);
  mcg_put8(PAUSED);
  mcg_put16(op);
  mcg_put32(bytes);
  mcg_put32(mcg_crc32(0, data, bytes));
  mcg_put_moment(cost);
#ifdef MCG_MODEL_PIECES
  uint32_t offset, total;
  mcg_model_op_part(op, &offset, &total);
  mcg_put32(offset);
  mcg_put32(total);
#endif
  mcg_send_response();
}

/* Runs after every op of a paused inference: shows its output until the host says CONTINUE. */
static void pause_after_op(void *context, uint32_t op) {
  mcg_moment now;
  (void)context;
  mcg_port_now(&now);
  if (stepping.abandoned) return;
  const mcg_moment cost = mcg_elapsed(&stepping.resumed, &now);
  respond_paused(op, &cost);
  for (;;) {
    const mcg_request *request = mcg_session_receive();
    if (request->command == MCG_CONTINUE) break;
    if (request->command == MCG_HELLO || request->command == MCG_RESET) {
      /* Let the inference run to its end; the main loop serves the request then. */
      stepping.abandoned = 1;
      mcg_server.ahead = request;
      break;
    }
    if (request->command == MCG_READ_OP_OUTPUT) {
      read_op_output(request, op);
    } else {
      mcg_respond(MCG_BAD_STATE);
    }
    mcg_send_response();
  }
  mcg_port_now(&stepping.resumed);
}

/* Runs after every op of a paced inference: neither watchdog nor host lose patience. */
static void pace_after_op(void *context, uint32_t op) {
  mcg_moment now;
  (void)context;
  mcg_port_now(&now);
  const mcg_moment cost = mcg_elapsed(&stepping.resumed, &now);
  stepping.total.ticks += cost.ticks;
  stepping.total.interrupts += cost.interrupts;
  mcg_feed_watchdog();
#ifdef MCG_MODEL_PIECES
  op = stepping.pieces++;
#endif
  if (!stepping.is_silent) mcg_send_progress(op);
  mcg_port_now(&stepping.resumed);
}

static int invoke_paced(void) {
  mcg_feed_watchdog();
  mcg_port_now(&stepping.resumed);
  return INVOKE_HOOKED(pace_after_op, NULL);
}

static void run(uint32_t flags, mcg_run_record *record) {
  memset(record, 0, sizeof *record);
  memset(&stepping, 0, sizeof stepping);
  if (flags & PAUSE) {
    mcg_port_now(&stepping.resumed);
    record->result = INVOKE_HOOKED(pause_after_op, NULL);
  } else if (flags & PACE) {
    /* Sending needs stack that is not the model's. */
    stepping.is_silent = (flags & MEASURE_STACK) != 0;
    mcg_run_measured(invoke_paced, (flags & MEASURE_STACK) ? MCG_MEASURE_STACK : 0, record);
    if (!stepping.is_silent) record->cost = stepping.total;
  } else {
    mcg_run_measured(INVOKE, (flags & MEASURE_STACK) ? MCG_MEASURE_STACK : MCG_MEASURE_COST,
                     record);
  }
}

void mcg_serve_invoke(const mcg_request *request) {
  mcg_run_record record;
  mcg_server.has_output = 0;
  if (request->bytes != 5) {
    mcg_respond(MCG_BAD_LENGTH);
  } else if (mcg_server.init.result != 0) {
    mcg_respond_model_failed(mcg_server.init.result);
  } else if (inputs_crc() != mcg_get32(request->payload + 1)) {
    mcg_respond(MCG_BAD_INPUT);
  } else if (mcg_stack_overflowed()) { /* during init */
    mcg_respond(MCG_STACK_OVERFLOW);
  } else {
    run(request->payload[0], &record);
    if (stepping.abandoned) return;
    if (mcg_stack_overflowed()) {
      mcg_respond(MCG_STACK_OVERFLOW);
#if MCG_MODEL_ROW_BYTES
    } else if (record.result == 0) {
      mcg_server.rows++;
      mcg_respond(MCG_OK);
      mcg_put8(ROW_TAKEN);
      mcg_put_moment(&record.cost);
      mcg_put32(record.stack_bytes);
    } else if (record.result < 0) {
#else
    } else if (record.result != 0) {
#endif
      mcg_respond_model_failed(record.result);
    } else {
      mcg_server.has_output = 1;
      mcg_server.rows = 0;
      mcg_respond(MCG_OK);
      mcg_put8(DONE);
      mcg_put_moment(&record.cost);
      mcg_put32(record.stack_bytes);
      mcg_put32(outputs_crc());
    }
  }
}
