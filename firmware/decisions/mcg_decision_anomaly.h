/* SPDX-License-Identifier: Apache-2.0 */
/* Anomaly: how far an autoencoder's output is from its input; an event starts where it is too far.
 */
#ifndef MCG_DECISION_ANOMALY_H
#define MCG_DECISION_ANOMALY_H

#include <stdint.h>

#include "mcg_decision_gate.h"

/* Types of the model's input and output; define them before. */
#ifndef MCG_DECISION_INPUT
#define MCG_DECISION_INPUT int8_t
#define MCG_DECISION_OUTPUT int8_t
#endif

/* Differences are in units of scale / factor of either, which are alike. */
typedef struct {
  mcg_decision_gate gate;
  uint32_t elements;
  uint32_t window; /* inferences that are averaged */
  int32_t input_zero_point, output_zero_point;
  int32_t input_factor, output_factor; /* at most 2^14 */
  uint32_t shift;                      /* of an inference's sum of squares, so that sums fit */
  uint64_t upper, lower;               /* bounds of a sum over the window */
  uint64_t *history;                   /* window */
} mcg_decision_anomaly;

typedef struct {
  mcg_decision_gate_state gate;
  uint32_t filled, next;
  uint64_t sum; /* over the window */
} mcg_decision_anomaly_state;

static inline void mcg_decision_anomaly_reset(const mcg_decision_anomaly *d,
                                              mcg_decision_anomaly_state *state) {
  (void)d;
  state->gate.above = state->gate.wait = 0;
  state->gate.is_active = 0;
  state->filled = state->next = 0;
  state->sum = 0;
}

/* Takes what an inference was given, and what it made of it. Nothing starts before the window is
 * full. */
static inline int mcg_decision_anomaly_update(const mcg_decision_anomaly *d,
                                              mcg_decision_anomaly_state *state, const void *input,
                                              const void *output) {
  const MCG_DECISION_INPUT *x = (const MCG_DECISION_INPUT *)input;
  const MCG_DECISION_OUTPUT *y = (const MCG_DECISION_OUTPUT *)output;
  uint64_t error = 0;
  for (uint32_t i = 0; i < d->elements; i++) {
    const int32_t difference = d->input_factor * ((int32_t)x[i] - d->input_zero_point) -
                               d->output_factor * ((int32_t)y[i] - d->output_zero_point);
    error += (uint64_t)((int64_t)difference * difference);
  }
  error >>= d->shift;
  const int is_full = state->filled == d->window;
  if (is_full) state->sum -= d->history[state->next];
  d->history[state->next] = error;
  state->sum += error;
  if (++state->next == d->window) state->next = 0;
  if (!is_full && ++state->filled < d->window) return MCG_DECISION_NONE;
  return mcg_decision_gate_update(&d->gate, &state->gate, state->sum > d->upper,
                                  state->sum > d->lower);
}

#endif
