/* SPDX-License-Identifier: Apache-2.0 */
/* Labels: every label's score, averaged over inferences; the best one starts an event. */
#ifndef MCG_DECISION_LABELS_H
#define MCG_DECISION_LABELS_H

#include <stdint.h>

#include "mcg_decision_gate.h"

/* Type of the model's scores; define it before. */
#ifndef MCG_DECISION_SCORE
#define MCG_DECISION_SCORE int8_t
#endif

/* A sum over a whole window is the mean times `window`: comparing it needs no division. */
typedef struct {
  mcg_decision_gate gate;
  uint32_t labels;
  uint32_t window;             /* inferences that are averaged */
  int32_t zero_point;          /* of the scores */
  int32_t upper, lower;        /* bounds of a sum: an event starts above, and lasts above */
  const uint8_t *background;   /* by label: 1 where it starts no event */
  MCG_DECISION_SCORE *history; /* window x labels */
  int32_t *sums;               /* by label */
} mcg_decision_labels;

typedef struct {
  mcg_decision_gate_state gate;
  uint32_t filled; /* inferences in the history */
  uint32_t next;   /* where the next one goes */
  uint32_t label;  /* of the event, or the candidate for one */
} mcg_decision_labels_state;

static inline void mcg_decision_labels_reset(const mcg_decision_labels *d,
                                             mcg_decision_labels_state *state) {
  state->gate.above = state->gate.wait = 0;
  state->gate.is_active = 0;
  state->filled = state->next = state->label = 0;
  for (uint32_t i = 0; i < d->labels; i++) d->sums[i] = 0;
}

/* The label with the largest sum among those after (`sum`, `label`) in the order of sums; equal
 * sums in the order of labels. */
static inline uint32_t mcg_decision_labels_next(const mcg_decision_labels *d, int32_t sum,
                                                uint32_t label) {
  uint32_t best = d->labels;
  for (uint32_t i = 0; i < d->labels; i++) {
    if (d->sums[i] > sum || (d->sums[i] == sum && i <= label)) continue;
    if (best == d->labels || d->sums[i] > d->sums[best]) best = i;
  }
  return best;
}

/* The first `count` labels in the order of their sums. */
static inline void mcg_decision_labels_rank(const mcg_decision_labels *d, uint32_t count,
                                            uint16_t *labels, int32_t *sums) {
  uint32_t label = mcg_decision_labels_next(d, INT32_MAX, d->labels);
  for (uint32_t i = 0; i < count; i++) {
    labels[i] = (uint16_t)label;
    sums[i] = d->sums[label];
    if (i + 1 < count) label = mcg_decision_labels_next(d, sums[i], label);
  }
}

/* Takes an inference's scores. Nothing starts before the window is full. */
static inline int mcg_decision_labels_update(const mcg_decision_labels *d,
                                             mcg_decision_labels_state *state, const void *scores) {
  const MCG_DECISION_SCORE *score = (const MCG_DECISION_SCORE *)scores;
  MCG_DECISION_SCORE *slot = d->history + state->next * d->labels;
  const int is_full = state->filled == d->window;
  for (uint32_t i = 0; i < d->labels; i++) {
    if (is_full) d->sums[i] -= (int32_t)slot[i] - d->zero_point;
    slot[i] = score[i];
    d->sums[i] += (int32_t)score[i] - d->zero_point;
  }
  if (++state->next == d->window) state->next = 0;
  if (!is_full && ++state->filled < d->window) return MCG_DECISION_NONE;

  const uint32_t best = mcg_decision_labels_next(d, INT32_MAX, d->labels);
  if (!state->gate.is_active && best != state->label) {
    state->label = best;
    state->gate.above = 0;
  }
  const int is_its = best == state->label && !d->background[best];
  const int event = mcg_decision_gate_update(
      &d->gate, &state->gate, is_its && d->sums[best] > d->upper, d->sums[state->label] > d->lower);
  return event;
}

#endif
