/* SPDX-License-Identifier: Apache-2.0 */
/* ARG_MAX and ARG_MIN, int8 to int32: index of the first largest or smallest value of the middle
 * dimension of [outer, size, inner]. */
#ifndef MCG_ARG_EXTREMUM_S8_H
#define MCG_ARG_EXTREMUM_S8_H

#include "mcg_common.h"

typedef struct {
  int32_t outer;
  int32_t size;
  int32_t inner;
  int32_t largest; /* 1 for ARG_MAX, 0 for ARG_MIN */
} mcg_arg_extremum_s8_params;

MCG_INLINE void mcg_arg_extremum_s8(const mcg_arg_extremum_s8_params *p, const int8_t *input,
                                    int32_t *output) {
  for (int32_t outer = 0; outer < p->outer; ++outer) {
    for (int32_t inner = 0; inner < p->inner; ++inner) {
      const int8_t *values = input + outer * p->size * p->inner + inner;
      int32_t best = values[0];
      int32_t index = 0;
      for (int32_t i = 1; i < p->size; ++i) {
        const int32_t value = values[i * p->inner];
        if (p->largest ? value > best : value < best) {
          best = value;
          index = i;
        }
      }
      *output++ = index;
    }
  }
}

#endif /* MCG_ARG_EXTREMUM_S8_H */
