/* SPDX-License-Identifier: Apache-2.0 */
/* Frames pass as rows, unchanged. */
#ifndef MCG_FE_RAW_H
#define MCG_FE_RAW_H

#include "mcg_fe_common.h"

typedef struct {
  uint32_t frame_bytes;
} mcg_fe_raw;

typedef struct {
  uint32_t unused; /* C has no empty struct */
} mcg_fe_raw_state;

MCG_FE_FUNCTION void mcg_fe_raw_reset(const mcg_fe_raw *fe, mcg_fe_raw_state *state) {
  (void)fe;
  state->unused = 0;
}

MCG_FE_FUNCTION uint32_t mcg_fe_raw_push(const mcg_fe_raw *fe, mcg_fe_raw_state *state,
                                         const void *frames, uint32_t count, void *row,
                                         int *ready) {
  (void)state;
  *ready = count > 0;
  if (count > 0) memcpy(row, frames, fe->frame_bytes);
  return count > 0;
}

#endif /* MCG_FE_RAW_H */
