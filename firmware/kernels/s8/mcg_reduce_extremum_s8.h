/* SPDX-License-Identifier: Apache-2.0 */
/* REDUCE_MAX and REDUCE_MIN, int8, over any axes. */
#ifndef MCG_REDUCE_EXTREMUM_S8_H
#define MCG_REDUCE_EXTREMUM_S8_H

#include "mcg_common.h"

typedef struct {
  int32_t kept[3];           /* loops over the output, outermost first */
  int32_t kept_stride[3];    /* elements of the input */
  int32_t reduced[3];        /* loops over what is reduced */
  int32_t reduced_stride[3]; /* elements of the input */
  int32_t largest;           /* 1 for REDUCE_MAX, 0 for REDUCE_MIN */
} mcg_reduce_extremum_s8_params;

MCG_INLINE int32_t mcg_extremum_of(const mcg_reduce_extremum_s8_params *p, const int8_t *input) {
  int32_t result = input[0];
  for (int32_t a = 0; a < p->reduced[0]; ++a) {
    for (int32_t b = 0; b < p->reduced[1]; ++b) {
      const int8_t *row = input + a * p->reduced_stride[0] + b * p->reduced_stride[1];
      for (int32_t c = 0; c < p->reduced[2]; ++c) {
        const int32_t value = row[c * p->reduced_stride[2]];
        result = p->largest ? mcg_max(result, value) : mcg_min(result, value);
      }
    }
  }
  return result;
}

MCG_INLINE void mcg_reduce_extremum_s8(const mcg_reduce_extremum_s8_params *p, const int8_t *input,
                                       int8_t *output) {
  for (int32_t a = 0; a < p->kept[0]; ++a) {
    for (int32_t b = 0; b < p->kept[1]; ++b) {
      for (int32_t c = 0; c < p->kept[2]; ++c) {
        const int8_t *from =
            input + a * p->kept_stride[0] + b * p->kept_stride[1] + c * p->kept_stride[2];
        *output++ = (int8_t)mcg_extremum_of(p, from);
      }
    }
  }
}

#endif /* MCG_REDUCE_EXTREMUM_S8_H */
