/* SPDX-License-Identifier: Apache-2.0 */
/* When scores become an event: after some inferences in a row, with hysteresis, and not too often.
 */
#ifndef MCG_DECISION_GATE_H
#define MCG_DECISION_GATE_H

#include <stdint.h>

enum { MCG_DECISION_NONE = 0, MCG_DECISION_START = 1, MCG_DECISION_END = 2 };

typedef struct {
  uint32_t consecutive; /* inferences in a row that a start needs, 1 or more */
  uint32_t refractory;  /* inferences from a start to the earliest next one; 0: any */
} mcg_decision_gate;

typedef struct {
  uint32_t above; /* inferences in a row that were above the upper bound */
  uint32_t wait;  /* inferences until one may start */
  uint8_t is_active;
} mcg_decision_gate_state;

/* Takes one inference's word: whether it is above the upper and above the lower bound. */
static inline int mcg_decision_gate_update(const mcg_decision_gate *gate,
                                           mcg_decision_gate_state *state, int above_upper,
                                           int above_lower) {
  if (state->wait > 0) state->wait--;
  if (!above_upper) {
    state->above = 0;
  } else if (state->above < gate->consecutive) {
    state->above++;
  }
  if (state->is_active) {
    if (above_lower) return MCG_DECISION_NONE;
    state->is_active = 0;
    return MCG_DECISION_END;
  }
  if (state->above < gate->consecutive || state->wait > 0) return MCG_DECISION_NONE;
  state->is_active = 1;
  state->wait = gate->refractory;
  return MCG_DECISION_START;
}

#endif
