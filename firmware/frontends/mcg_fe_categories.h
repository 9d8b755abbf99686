/* SPDX-License-Identifier: Apache-2.0 */
/* Which bucket a value lies in, or which of some tokens it is: a number, or ones and zeros. */
#ifndef MCG_FE_CATEGORIES_H
#define MCG_FE_CATEGORIES_H

#include "mcg_fe_common.h"

enum {
  MCG_FE_CATEGORIES_INDEX,
  MCG_FE_CATEGORIES_ONE_HOT,
  MCG_FE_CATEGORIES_MULTI_HOT,
  MCG_FE_CATEGORIES_COUNT
};

typedef struct {
  const float *boundaries; /* count, ascending; without any, a value is its category */
  uint32_t count;
  uint32_t tokens; /* categories */
  uint32_t channels;
  uint32_t row_bytes;
  uint8_t type; /* MCG_FE_INT16 ... */
  uint8_t output;
  uint8_t wide; /* indices have 16 bits */
} mcg_fe_categories;

typedef struct {
  uint32_t unused; /* C has no empty struct */
} mcg_fe_categories_state;

MCG_FE_FUNCTION void mcg_fe_categories_reset(const mcg_fe_categories *fe,
                                             mcg_fe_categories_state *state) {
  (void)fe;
  state->unused = 0;
}

/* The category of a value; `tokens` where it has none. */
MCG_INLINE uint32_t mcg_fe_category(const mcg_fe_categories *fe, float value) {
  uint32_t found = 0;
  if (fe->count == 0) {
    return value >= 0.0f && value < (float)fe->tokens ? (uint32_t)value : fe->tokens;
  }
  while (found < fe->count && value >= fe->boundaries[found]) ++found;
  return found;
}

MCG_FE_FUNCTION uint32_t mcg_fe_categories_push(const mcg_fe_categories *fe,
                                                mcg_fe_categories_state *state, const void *frames,
                                                uint32_t count, void *row, int *ready) {
  (void)state;
  *ready = count > 0;
  if (count == 0) return 0;
  uint8_t *out = (uint8_t *)row;
  if (fe->output != MCG_FE_CATEGORIES_INDEX) memset(out, 0, fe->row_bytes);
  for (uint32_t i = 0; i < fe->channels; ++i) {
    const uint32_t category = mcg_fe_category(fe, mcg_fe_value(frames, i, fe->type));
    if (fe->output == MCG_FE_CATEGORIES_INDEX) {
      if (fe->wide) {
        ((uint16_t *)row)[i] = (uint16_t)category;
      } else {
        out[i] = (uint8_t)category;
      }
    } else if (category < fe->tokens) {
      if (fe->output == MCG_FE_CATEGORIES_ONE_HOT) {
        out[i * fe->tokens + category] = 1;
      } else if (fe->output == MCG_FE_CATEGORIES_MULTI_HOT) {
        out[category] = 1;
      } else {
        ++out[category];
      }
    }
  }
  return 1;
}

#endif /* MCG_FE_CATEGORIES_H */
