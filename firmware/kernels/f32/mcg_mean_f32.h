/* SPDX-License-Identifier: Apache-2.0 */
/* MEAN and SUM, float32, over any axes: sums, divided by the number of elements or by 1. */
#ifndef MCG_MEAN_F32_H
#define MCG_MEAN_F32_H

#include "mcg_common.h"

typedef struct {
  int32_t kept[3];           /* loops over the output, outermost first */
  int32_t kept_stride[3];    /* elements of the input */
  int32_t reduced[3];        /* loops over what is summed */
  int32_t reduced_stride[3]; /* elements of the input */
  float divisor;
} mcg_mean_f32_params;

MCG_INLINE float mcg_mean_f32_sum(const mcg_mean_f32_params *p, const float *input) {
  float sum = 0.0f;
  for (int32_t a = 0; a < p->reduced[0]; ++a) {
    for (int32_t b = 0; b < p->reduced[1]; ++b) {
      const float *row = input + a * p->reduced_stride[0] + b * p->reduced_stride[1];
      for (int32_t c = 0; c < p->reduced[2]; ++c) {
        sum += row[c * p->reduced_stride[2]];
      }
    }
  }
  return sum;
}

MCG_INLINE void mcg_mean_f32(const mcg_mean_f32_params *p, const float *input, float *output) {
  for (int32_t a = 0; a < p->kept[0]; ++a) {
    for (int32_t b = 0; b < p->kept[1]; ++b) {
      for (int32_t c = 0; c < p->kept[2]; ++c) {
        const float *first =
            input + a * p->kept_stride[0] + b * p->kept_stride[1] + c * p->kept_stride[2];
        *output++ = mcg_mean_f32_sum(p, first) / p->divisor;
      }
    }
  }
}

#endif /* MCG_MEAN_F32_H */
