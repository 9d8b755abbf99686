/* SPDX-License-Identifier: Apache-2.0 */
/* Columns in units: (value - offset) / size, in float32. */
#ifndef MCG_FE_TABLE_H
#define MCG_FE_TABLE_H

#include "mcg_fe_common.h"

typedef struct {
  const float *offset;
  const float *size;
  uint32_t channels;
  uint8_t type; /* MCG_FE_INT16 ... */
} mcg_fe_table;

typedef struct {
  uint32_t unused; /* C has no empty struct */
} mcg_fe_table_state;

MCG_FE_FUNCTION void mcg_fe_table_reset(const mcg_fe_table *fe, mcg_fe_table_state *state) {
  (void)fe;
  state->unused = 0;
}

MCG_FE_FUNCTION uint32_t mcg_fe_table_push(const mcg_fe_table *fe, mcg_fe_table_state *state,
                                           const void *frames, uint32_t count, void *row,
                                           int *ready) {
  (void)state;
  *ready = count > 0;
  if (count == 0) return 0;
  for (uint32_t i = 0; i < fe->channels; ++i) {
    ((float *)row)[i] = (mcg_fe_value(frames, i, fe->type) - fe->offset[i]) / fe->size[i];
  }
  return 1;
}

#endif /* MCG_FE_TABLE_H */
