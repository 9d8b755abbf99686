/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about the model and its tensors. */
#include <string.h>

#include "mcg_crc.h"
#include "mcg_server.h"

#define HAS_WATCHDOG 1u /* flags in a hello */
#define HAS_ROWS 2u
#define HAS_APP 4u

#ifdef MCG_APP
#define APP_FLAG HAS_APP
#else
#define APP_FLAG 0
#endif

void mcg_serve_hello(void) {
  const mcg_model_info *m = mcg_server.model;
  const mcg_counter_info *counter = mcg_port_counter();
  uint32_t id_bytes;
  const uint8_t *id = mcg_port_build_id(&id_bytes);
  mcg_server.has_output = 0;
  mcg_respond(MCG_OK);
  mcg_put16(MCG_MAX_PAYLOAD);
  mcg_put_bytes(m->sha256, sizeof m->sha256);
  mcg_put32(m->arena_bytes);
  mcg_put16(m->input_count);
  mcg_put16(m->output_count);
  mcg_put16(m->op_count);
  mcg_put32(mcg_port_stack_bytes());
  mcg_put8(counter->kind);
  mcg_put8(counter->bits);
  mcg_put8(counter->instructions_per_interrupt);
  mcg_put32(counter->hz);
  mcg_put32(mcg_server.calibration.overhead_ticks);
  mcg_put32(mcg_server.calibration.calibration_ticks);
#ifdef MCG_MODEL_SLOT_BYTES
  mcg_put32(MCG_MODEL_SLOT_BYTES);
#else
  mcg_put32(0);
#endif
  mcg_put32((uint32_t)mcg_server.init.result);
  mcg_put_moment(&mcg_server.init.cost);
  mcg_put32(mcg_server.init.stack_bytes);
  mcg_put8(id_bytes);
  mcg_put_bytes(id, id_bytes);
  mcg_put_string(MCG_BOARD_NAME);
  mcg_put_string(m->runtime);
  mcg_put_string(m->generator);
  mcg_put_string(m->name);
#ifdef MCG_MODEL_PIECES
  mcg_put8((mcg_port_watchdog != NULL ? HAS_WATCHDOG : 0) | HAS_ROWS | APP_FLAG);
  mcg_put32(MCG_MODEL_PIECES);
  mcg_put32(MCG_MODEL_ROW_BYTES);
#else
  mcg_put8((mcg_port_watchdog != NULL ? HAS_WATCHDOG : 0) | APP_FLAG);
#endif
#ifdef MCG_APP
  mcg_put_app_facts();
#endif
#ifdef MCG_MODEL_COUNT
  mcg_put8(MCG_MODEL_COUNT);
#endif
}

#ifdef MCG_MODEL_COUNT
/* The model with this hash runs from now on, afresh. */
void mcg_serve_select_model(const mcg_request *request) {
  if (request->bytes != sizeof mcg_server.model->sha256) {
    mcg_respond(MCG_BAD_LENGTH);
    return;
  }
  for (uint32_t i = 0; i < MCG_MODEL_COUNT; i++) {
    if (memcmp(mcg_model_get_info_of(i)->sha256, request->payload, request->bytes) != 0) continue;
    mcg_model_select(i);
    mcg_server.model = mcg_model_get_info();
    mcg_server.has_output = 0;
    mcg_run_measured(mcg_model_init, MCG_MEASURE_COST | MCG_MEASURE_STACK, &mcg_server.init);
    mcg_respond(MCG_OK);
    return;
  }
  mcg_respond(MCG_BAD_INDEX);
}
#endif

/* The tensor that a request names by input (0) or output (1) and index, or NULL. */
static const mcg_tensor_info *find_tensor(uint32_t is_output, uint32_t index) {
  const mcg_model_info *m = mcg_server.model;
  if (is_output > 1 || index >= (is_output ? m->output_count : m->input_count)) return NULL;
  return is_output ? &m->outputs[index] : &m->inputs[index];
}

void mcg_serve_tensor_info(const mcg_request *request) {
  if (request->bytes != 3) {
    mcg_respond(MCG_BAD_LENGTH);
    return;
  }
  const mcg_tensor_info *t = find_tensor(request->payload[0], mcg_get16(request->payload + 1));
  if (t == NULL) {
    mcg_respond(MCG_BAD_INDEX);
    return;
  }
  uint32_t scale;
  memcpy(&scale, &t->scale, sizeof scale);
  mcg_respond(MCG_OK);
  mcg_put8(t->dtype);
  mcg_put8(t->rank);
  mcg_put32(t->bytes);
  mcg_put32(scale);
  mcg_put32((uint32_t)t->zero_point);
  for (uint32_t i = 0; i < t->rank; i++) mcg_put32((uint32_t)t->dims[i]);
  mcg_put_string(t->name);
}

void mcg_respond_model_failed(int32_t result) {
  mcg_respond(MCG_MODEL_FAILED);
  mcg_put32((uint32_t)result);
}

#if defined(MCG_MODEL_PIECES) && MCG_MODEL_ROW_BYTES
/* Of an input that goes row by row: a part of the next row, or of the first one of another
 * inference. */
static void write_input(uint32_t index, uint32_t offset, const uint8_t *from, uint32_t bytes) {
  const uint32_t row = offset / MCG_MODEL_ROW_BYTES, column = offset % MCG_MODEL_ROW_BYTES;
  (void)index;
  if (column + bytes > MCG_MODEL_ROW_BYTES) {
    mcg_respond(MCG_BAD_RANGE);
    return;
  }
  if (row == 0 && mcg_server.rows != 0) {
    mcg_model_reset();
    mcg_server.rows = 0;
  }
  if (row != mcg_server.rows) {
    mcg_respond(MCG_BAD_STATE);
    return;
  }
  mcg_server.has_output = 0;
  memcpy((uint8_t *)mcg_model_row_buffer() + column, from, bytes);
  mcg_respond(MCG_OK);
}
#else
static void write_input(uint32_t index, uint32_t offset, const uint8_t *from, uint32_t bytes) {
  mcg_server.has_output = 0; /* inputs and outputs may share memory */
  memcpy((uint8_t *)mcg_model_input(index) + offset, from, bytes);
  mcg_respond(MCG_OK);
}
#endif

void mcg_serve_write_input(const mcg_request *request) {
  if (request->bytes < 6) {
    mcg_respond(MCG_BAD_LENGTH);
    return;
  }
  const uint32_t index = mcg_get16(request->payload), offset = mcg_get32(request->payload + 2);
  const uint32_t bytes = request->bytes - 6;
  const mcg_tensor_info *t = find_tensor(0, index);
  if (mcg_server.init.result != 0) {
    mcg_respond_model_failed(mcg_server.init.result);
  } else if (t == NULL) {
    mcg_respond(MCG_BAD_INDEX);
  } else if (offset > t->bytes || bytes > t->bytes - offset) {
    mcg_respond(MCG_BAD_RANGE);
  } else {
    write_input(index, offset, request->payload + 6, bytes);
  }
}

void mcg_respond_with(const void *data, uint32_t size, uint32_t offset, uint32_t bytes) {
  if (offset > size || bytes > size - offset || bytes > MCG_MAX_PAYLOAD - 1) {
    mcg_respond(MCG_BAD_RANGE);
    return;
  }
  mcg_respond(MCG_OK);
  mcg_put_bytes((const uint8_t *)data + offset, bytes);
}

void mcg_serve_read_output(const mcg_request *request) {
  if (request->bytes != 8) {
    mcg_respond(MCG_BAD_LENGTH);
  } else if (!mcg_server.has_output) {
    mcg_respond(MCG_BAD_STATE);
  } else {
    const uint32_t index = mcg_get16(request->payload);
    const mcg_tensor_info *t = find_tensor(1, index);
    if (t == NULL) {
      mcg_respond(MCG_BAD_INDEX);
    } else {
      mcg_respond_with(mcg_model_output(index), t->bytes, mcg_get32(request->payload + 2),
                       mcg_get16(request->payload + 6));
    }
  }
}

/* Resets the model: it forgets what it kept between inferences. */
void mcg_serve_init(const mcg_request *request) {
  if (request->bytes != 4) {
    mcg_respond(MCG_BAD_LENGTH);
    return;
  }
  const uint32_t arena_bytes = mcg_get32(request->payload);
  mcg_server.has_output = 0;
#ifdef MCG_MODEL_TFLM
  mcg_server.init.result = arena_bytes == 0 ? mcg_model_init() : mcg_model_init_within(arena_bytes);
  const uint32_t used = mcg_model_arena_used();
#else
  if (arena_bytes != 0) { /* its layout is fixed */
    mcg_respond(MCG_BAD_RANGE);
    return;
  }
  mcg_server.init.result = mcg_model_init();
  const uint32_t used = mcg_server.model->arena_bytes;
#endif
  mcg_respond(MCG_OK);
  mcg_put32((uint32_t)mcg_server.init.result);
  mcg_put32(used);
}

#ifdef MCG_MODEL_TFLM
void mcg_serve_error_text(void) {
  const char *text = mcg_model_error_text();
  mcg_respond(MCG_OK);
  while (*text != '\0') mcg_put8((uint8_t)*text++);
}
#endif

#ifdef MCG_MODEL_SLOT_BYTES
void mcg_serve_write_model(const mcg_request *request) {
  if (request->bytes < 4) {
    mcg_respond(MCG_BAD_LENGTH);
    return;
  }
  const uint32_t offset = mcg_get32(request->payload), bytes = request->bytes - 4;
  if (offset > MCG_MODEL_SLOT_BYTES || bytes > MCG_MODEL_SLOT_BYTES - offset) {
    mcg_respond(MCG_BAD_RANGE);
    return;
  }
  const int result = mcg_model_write(offset, request->payload + 4, bytes);
  if (result != 0) {
    mcg_respond_model_failed(result);
  } else {
    mcg_respond(MCG_OK);
  }
}

void mcg_serve_load_model(const mcg_request *request) {
  if (request->bytes != 72) {
    mcg_respond(MCG_BAD_LENGTH);
    return;
  }
  const uint32_t bytes = mcg_get32(request->payload);
  if (bytes > MCG_MODEL_SLOT_BYTES) {
    mcg_respond(MCG_BAD_RANGE);
  } else if (mcg_crc32(0, mcg_model_slot(), bytes) != mcg_get32(request->payload + 4)) {
    mcg_respond(MCG_BAD_INPUT);
  } else {
    mcg_server.has_output = 0;
    const int result = mcg_model_load(bytes, request->payload + 8, request->payload + 40);
    if (result == 0) mcg_server.init.result = 0;
    mcg_respond(MCG_OK);
    mcg_put32((uint32_t)result);
  }
}

void mcg_serve_stored(void) {
  mcg_respond(MCG_OK);
#ifdef MCG_MODEL_STORE_ADDRESS
  mcg_put8(1);
#else
  mcg_put8(0);
#endif
  mcg_put32((uint32_t)mcg_model_stored());
}
#endif
