/* SPDX-License-Identifier: Apache-2.0 */
/* ARG_MAX and ARG_MIN, float32: the index of the first largest or smallest value along an axis. */
#ifndef MCG_ARG_EXTREMUM_F32_H
#define MCG_ARG_EXTREMUM_F32_H

#include "mcg_common.h"

typedef struct {
  int32_t outer;
  int32_t size; /* of the axis */
  int32_t inner;
  int32_t largest; /* 1 for ARG_MAX */
} mcg_arg_extremum_f32_params;

MCG_INLINE void mcg_arg_extremum_f32(const mcg_arg_extremum_f32_params *p, const float *input,
                                     int32_t *output) {
  for (int32_t i = 0; i < p->outer; ++i) {
    for (int32_t j = 0; j < p->inner; ++j) {
      const float *values = input + i * p->size * p->inner + j;
      float best = values[0];
      int32_t found = 0;
      for (int32_t k = 1; k < p->size; ++k) {
        const float value = values[k * p->inner];
        if (p->largest ? value > best : value < best) {
          best = value;
          found = k;
        }
      }
      *output++ = found;
    }
  }
}

#endif /* MCG_ARG_EXTREMUM_F32_H */
