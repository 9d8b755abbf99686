/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about the way from sensor to decision: a signal is pushed, and what came out is told. */
#include "mcg_app.h"
#include "mcg_server.h"

enum { MEASURE_STACK = 1 };                           /* flags of a request */
enum { ROW = 1, INFERENCE = 2, EVENT = 4, LONG = 8 }; /* flags of a record */

#define PUSH_HEADER_BYTES 2u
#define FRAME_BYTES ((uint32_t)sizeof(mcg_app_value) * MCG_APP_CHANNELS)
#define ROW_BYTES ((uint32_t)sizeof(mcg_app_row_value) * MCG_APP_ROW_VALUES)
#ifdef MCG_APP_TOP
#define TOP MCG_APP_TOP
#else
#define TOP 0
#endif
#ifdef MCG_APP_BOXES
#define BOXES MCG_APP_BOXES
#else
#define BOXES 0
#endif
#define HAS_BOXES 0x80u /* beside the number of what follows an event: boxes, not labels */
#define EVENT_BYTES (20u + 10u * TOP + 18u * BOXES)
#define RESPONSE_BYTES 23u /* before the records */
#if BOXES * 18 + 64 > MCG_MAX_PAYLOAD
#error "MCG_MAX_PAYLOAD must hold an event with all its boxes: keep fewer of them"
#endif

/* The step under way. */
static struct {
  const mcg_app_value *frames;
  uint32_t count, taken;
  mcg_app_progress progress;
} step;

static int run_step(void) {
  step.taken = mcg_app_step(step.frames, step.count, &step.progress);
  return step.progress.result;
}

static uint32_t outputs_bytes(void) {
  uint32_t bytes = 0;
  for (uint32_t i = 0; i < mcg_server.model->output_count; i++) {
    bytes += mcg_server.model->outputs[i].bytes;
  }
  return bytes;
}

#ifdef MCG_APP_LABELS
static void put_score(uint64_t score) {
  mcg_put32((uint32_t)score);
  mcg_put32((uint32_t)(score >> 32));
}

static void put_event(const mcg_app_event *event) {
  mcg_put32(event->frame);
  mcg_put32(event->inference);
  mcg_put16(event->label);
  mcg_put8(event->kind);
  put_score((uint64_t)event->score);
#ifdef MCG_APP_BOXES
  uint32_t count = 0;
  const mcg_app_box *box = mcg_app_boxes(&count);
  mcg_put8(HAS_BOXES | count);
  for (; count > 0; count--, box++) {
    mcg_put16(box->label);
    put_score((uint64_t)box->score);
    mcg_put16((uint16_t)box->ymin);
    mcg_put16((uint16_t)box->xmin);
    mcg_put16((uint16_t)box->ymax);
    mcg_put16((uint16_t)box->xmax);
  }
#else
  mcg_put8(TOP);
#endif
#ifdef MCG_APP_TOP
  for (uint32_t i = 0; i < TOP; i++) {
    mcg_put16(event->top[i]);
    put_score((uint64_t)event->top_scores[i]);
  }
#endif
}
#endif

static uint32_t flags_of(const mcg_app_progress *progress) {
  return (progress->row ? ROW : 0u) | (progress->inference ? INFERENCE : 0u) |
         (progress->decided ? EVENT : 0u);
}

/* What a step led to. A long one leaves out row and outputs, which the host reads piece by piece.
 */
static void put_record(const mcg_app_progress *progress, uint32_t flags) {
  mcg_put8(flags);
  if (!(flags & LONG)) {
    mcg_put_bytes(mcg_app_row(), ROW_BYTES);
    for (uint32_t i = 0; (flags & INFERENCE) && i < mcg_server.model->output_count; i++) {
      mcg_put_bytes(mcg_model_output(i), mcg_server.model->outputs[i].bytes);
    }
  }
#ifdef MCG_APP_LABELS
  if (flags & EVENT) put_event(&progress->event);
#else
  (void)progress;
#endif
}

void mcg_put_app_facts(void) {
  mcg_put16(FRAME_BYTES);
  mcg_put32(ROW_BYTES);
}

void mcg_serve_app_reset(void) {
  mcg_server.has_output = 0;
  mcg_server.init.result = mcg_app_reset();
  if (mcg_server.init.result != 0) {
    mcg_respond_model_failed(mcg_server.init.result);
  } else {
    mcg_respond(MCG_OK);
  }
}

/* Steps until the frames are used up, or another record would not fit into the response, whose
 * beginning is known only then: steps leave it room. */
void mcg_serve_app_push(const mcg_request *request) {
  const uint32_t bytes = request->bytes - PUSH_HEADER_BYTES;
  if (request->bytes < PUSH_HEADER_BYTES || bytes % FRAME_BYTES != 0) {
    mcg_respond(MCG_BAD_LENGTH);
    return;
  }
  if (mcg_server.init.result != 0) {
    mcg_respond_model_failed(mcg_server.init.result);
    return;
  }
  const uint32_t flags = mcg_get16(request->payload);
  const uint32_t record = 1u + ROW_BYTES + outputs_bytes() + EVENT_BYTES;
  const int is_long = RESPONSE_BYTES + record > MCG_MAX_PAYLOAD;
  const uint32_t frames = bytes / FRAME_BYTES;
  uint32_t taken = 0, steps = 0, stack = 0, room = MCG_MAX_PAYLOAD - RESPONSE_BYTES;
  mcg_moment cost = {0, 0};
  mcg_server.has_output = 0;
  mcg_respond(MCG_OK);
  mcg_put_later(RESPONSE_BYTES - 1u);
  while (taken < frames && (is_long || room >= record)) {
    mcg_run_record ran;
    step.frames = (const mcg_app_value *)(const void *)(request->payload + PUSH_HEADER_BYTES +
                                                        taken * FRAME_BYTES);
    step.count = frames - taken;
    mcg_feed_watchdog();
    mcg_run_measured(run_step, flags & MEASURE_STACK ? MCG_MEASURE_STACK : MCG_MEASURE_COST, &ran);
    if (mcg_stack_overflowed()) {
      mcg_respond(MCG_STACK_OVERFLOW);
      return;
    }
    if (ran.result != 0) {
      mcg_respond_model_failed(ran.result);
      return;
    }
    taken += step.taken;
    steps++;
    cost.ticks += ran.cost.ticks;
    cost.interrupts += ran.cost.interrupts;
    if (ran.stack_bytes > stack) stack = ran.stack_bytes;
    mcg_server.has_output = step.progress.inference;
    if (!step.progress.row) continue;
    put_record(&step.progress, flags_of(&step.progress) | (is_long ? LONG : 0u));
    room -= record;
    if (is_long) break;
  }
  const uint32_t end = mcg_put_at(1);
  mcg_put32(taken);
  mcg_put16(steps);
  mcg_put_moment(&cost);
  mcg_put32(stack);
  (void)mcg_put_at(end);
}

void mcg_serve_app_row(const mcg_request *request) {
  if (request->bytes != 6) {
    mcg_respond(MCG_BAD_LENGTH);
  } else {
    mcg_respond_with(mcg_app_row(), ROW_BYTES, mcg_get32(request->payload),
                     mcg_get16(request->payload + 4));
  }
}
