/* SPDX-License-Identifier: Apache-2.0 */
/* MEAN and SUM, int8, over any axes: sums, requantized; for MEAN the multiplier has the division by
 * the number of elements in it. bias is that number times the input's negated zero point. */
#ifndef MCG_MEAN_S8_H
#define MCG_MEAN_S8_H

#include "mcg_common.h"

typedef struct {
  int32_t kept[3];           /* loops over the output, outermost first */
  int32_t kept_stride[3];    /* elements of the input */
  int32_t reduced[3];        /* loops over what is summed */
  int32_t reduced_stride[3]; /* elements of the input */
  int32_t bias;
  int32_t multiplier;
  int32_t shift;
  int32_t zero_point;
} mcg_mean_s8_params;

MCG_INLINE int32_t mcg_mean_sum(const mcg_mean_s8_params *p, const int8_t *input) {
  int32_t sum = p->bias;
  for (int32_t a = 0; a < p->reduced[0]; ++a) {
    for (int32_t b = 0; b < p->reduced[1]; ++b) {
      const int8_t *row = input + a * p->reduced_stride[0] + b * p->reduced_stride[1];
      for (int32_t c = 0; c < p->reduced[2]; ++c) {
        sum += row[c * p->reduced_stride[2]];
      }
    }
  }
  return sum;
}

MCG_INLINE void mcg_mean_s8(const mcg_mean_s8_params *p, const int8_t *input, int8_t *output) {
  for (int32_t a = 0; a < p->kept[0]; ++a) {
    for (int32_t b = 0; b < p->kept[1]; ++b) {
      for (int32_t c = 0; c < p->kept[2]; ++c) {
        const int32_t sum = mcg_mean_sum(
            p, input + a * p->kept_stride[0] + b * p->kept_stride[1] + c * p->kept_stride[2]);
        const int32_t scaled = mcg_requantize(sum, p->multiplier, p->shift) + p->zero_point;
        *output++ = (int8_t)mcg_clamp(scaled, INT8_MIN, INT8_MAX);
      }
    }
  }
}

#endif /* MCG_MEAN_S8_H */
