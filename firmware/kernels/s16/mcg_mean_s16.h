/* SPDX-License-Identifier: Apache-2.0 */
/* MEAN and SUM, int16 with zero point 0, over any axes: sums, requantized; for MEAN the multiplier
 * has the division by the number of elements in it. */
#ifndef MCG_MEAN_S16_H
#define MCG_MEAN_S16_H

#include "mcg_common.h"

typedef struct {
  int32_t kept[3];           /* loops over the output, outermost first */
  int32_t kept_stride[3];    /* elements of the input */
  int32_t reduced[3];        /* loops over what is summed */
  int32_t reduced_stride[3]; /* elements of the input */
  int32_t multiplier;
  int32_t shift;
} mcg_mean_s16_params;

MCG_INLINE int32_t mcg_mean_s16_sum(const mcg_mean_s16_params *p, const int16_t *input) {
  int32_t sum = 0;
  for (int32_t a = 0; a < p->reduced[0]; ++a) {
    for (int32_t b = 0; b < p->reduced[1]; ++b) {
      const int16_t *row = input + a * p->reduced_stride[0] + b * p->reduced_stride[1];
      for (int32_t c = 0; c < p->reduced[2]; ++c) {
        sum += row[c * p->reduced_stride[2]];
      }
    }
  }
  return sum;
}

MCG_INLINE void mcg_mean_s16(const mcg_mean_s16_params *p, const int16_t *input, int16_t *output) {
  for (int32_t a = 0; a < p->kept[0]; ++a) {
    for (int32_t b = 0; b < p->kept[1]; ++b) {
      for (int32_t c = 0; c < p->kept[2]; ++c) {
        const int32_t sum = mcg_mean_s16_sum(
            p, input + a * p->kept_stride[0] + b * p->kept_stride[1] + c * p->kept_stride[2]);
        const int32_t scaled = mcg_requantize(sum, p->multiplier, p->shift);
        *output++ = (int16_t)mcg_clamp(scaled, INT16_MIN, INT16_MAX);
      }
    }
  }
}

#endif /* MCG_MEAN_S16_H */
