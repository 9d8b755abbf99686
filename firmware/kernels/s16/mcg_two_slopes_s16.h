/* SPDX-License-Identifier: Apache-2.0 */
/* RELU, RELU6 and LEAKY_RELU, int16 with zero point 0: inputs from zero upwards are requantized by
 * one factor, negative ones by another, and clamped. The output may be the input. */
#ifndef MCG_TWO_SLOPES_S16_H
#define MCG_TWO_SLOPES_S16_H

#include "mcg_common.h"

typedef struct {
  int32_t count;
  int32_t multiplier1;
  int32_t shift1;
  int32_t multiplier2; /* for negative inputs */
  int32_t shift2;
  int32_t sign2; /* 1, or -1 for a falling slope */
  int32_t min;
  int32_t max;
} mcg_two_slopes_s16_params;

MCG_INLINE void mcg_two_slopes_s16(const mcg_two_slopes_s16_params *p, const int16_t *input,
                                   int16_t *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    const int32_t value = input[i];
    const int32_t scaled = value >= 0 ? mcg_requantize(value, p->multiplier1, p->shift1)
                                      : p->sign2 * mcg_requantize(value, p->multiplier2, p->shift2);
    output[i] = (int16_t)mcg_clamp(scaled, p->min, p->max);
  }
}

#endif /* MCG_TWO_SLOPES_S16_H */
