/* SPDX-License-Identifier: Apache-2.0 */
/* RSQRT, int16 with zero point 0: 1 / sqrt in fixed point with 20 fractional bits, requantized. 0
 * and negative inputs give the highest output. The output may be the input. */
#ifndef MCG_RSQRT_S16_H
#define MCG_RSQRT_S16_H

#include "mcg_inverse_square_root.h"

typedef struct {
  int32_t count;
  int32_t multiplier;
  int32_t shift; /* with the 20 bits taken off */
} mcg_rsqrt_s16_params;

MCG_INLINE void mcg_rsqrt_s16(const mcg_rsqrt_s16_params *p, const int16_t *input,
                              int16_t *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    int32_t scaled = INT16_MAX;
    if (input[i] > 0) {
      int32_t shift;
      const int32_t root = mcg_inverse_square_root(input[i], &shift);
      scaled = mcg_requantize(mcg_requantize(1, root, shift + 20), p->multiplier, p->shift);
    }
    output[i] = (int16_t)mcg_min(scaled, INT16_MAX);
  }
}

#endif /* MCG_RSQRT_S16_H */
