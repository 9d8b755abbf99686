/* SPDX-License-Identifier: Apache-2.0 */
/* ABS, int16 with zero point 0: magnitudes, requantized. The output may be the input. */
#ifndef MCG_ABS_S16_H
#define MCG_ABS_S16_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
  int32_t multiplier;
  int32_t shift;
} mcg_abs_s16_params;

MCG_INLINE void mcg_abs_s16(const mcg_abs_s16_params *p, const int16_t *input, int16_t *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    const int32_t value = input[i];
    const int32_t scaled = mcg_requantize(value < 0 ? -value : value, p->multiplier, p->shift);
    output[i] = (int16_t)mcg_min(scaled, INT16_MAX);
  }
}

#endif /* MCG_ABS_S16_H */
