/* SPDX-License-Identifier: Apache-2.0 */
/* REDUCE_MAX and REDUCE_MIN, float32, over any axes. NaN is never the largest or smallest. */
#ifndef MCG_REDUCE_EXTREMUM_F32_H
#define MCG_REDUCE_EXTREMUM_F32_H

#include <float.h>

#include "mcg_common.h"

typedef struct {
  int32_t kept[3];           /* loops over the output, outermost first */
  int32_t kept_stride[3];    /* elements of the input */
  int32_t reduced[3];        /* loops over what is compared */
  int32_t reduced_stride[3]; /* elements of the input */
  int32_t largest;           /* 1 for the maximum */
} mcg_reduce_extremum_f32_params;

MCG_INLINE float mcg_extremum_f32(const mcg_reduce_extremum_f32_params *p, const float *input) {
  float found = p->largest ? -FLT_MAX : FLT_MAX;
  for (int32_t a = 0; a < p->reduced[0]; ++a) {
    for (int32_t b = 0; b < p->reduced[1]; ++b) {
      const float *row = input + a * p->reduced_stride[0] + b * p->reduced_stride[1];
      for (int32_t c = 0; c < p->reduced[2]; ++c) {
        const float value = row[c * p->reduced_stride[2]];
        found = (p->largest ? value > found : value < found) ? value : found;
      }
    }
  }
  return found;
}

MCG_INLINE void mcg_reduce_extremum_f32(const mcg_reduce_extremum_f32_params *p, const float *input,
                                        float *output) {
  for (int32_t a = 0; a < p->kept[0]; ++a) {
    for (int32_t b = 0; b < p->kept[1]; ++b) {
      for (int32_t c = 0; c < p->kept[2]; ++c) {
        *output++ = mcg_extremum_f32(
            p, input + a * p->kept_stride[0] + b * p->kept_stride[1] + c * p->kept_stride[2]);
      }
    }
  }
}

#endif /* MCG_REDUCE_EXTREMUM_F32_H */
