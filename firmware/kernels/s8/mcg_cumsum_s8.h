/* SPDX-License-Identifier: Apache-2.0 */
/* CUMSUM, int8 with input zero point 0: running sums along an axis, with 19 more bits, requantized;
 * with or without the element itself, from its first or its last element on. The output may be the
 * input. */
#ifndef MCG_CUMSUM_S8_H
#define MCG_CUMSUM_S8_H

#include "mcg_common.h"

typedef struct {
  int32_t outer;
  int32_t size; /* of the axis */
  int32_t inner;
  int32_t exclusive;
  int32_t reverse;
  int32_t multiplier;
  int32_t shift; /* 0 or negative */
  int32_t zero_point;
} mcg_cumsum_s8_params;

MCG_INLINE void mcg_cumsum_s8(const mcg_cumsum_s8_params *p, const int8_t *input, int8_t *output) {
  const int32_t step = p->reverse ? -p->inner : p->inner;
  const int32_t start = p->reverse ? (p->size - 1) * p->inner : 0;
  for (int32_t i = 0; i < p->outer; ++i) {
    for (int32_t j = 0; j < p->inner; ++j) {
      int32_t at = i * p->size * p->inner + start + j;
      int32_t sum = 0;
      for (int32_t k = 0; k < p->size; ++k) {
        const int32_t before = sum;
        sum += input[at];
        const int32_t value = (p->exclusive ? before : sum) * (INT32_C(1) << 19);
        const int32_t scaled = mcg_requantize(value, p->multiplier, p->shift) + p->zero_point;
        output[at] = (int8_t)mcg_clamp(scaled, INT8_MIN, INT8_MAX);
        at += step;
      }
    }
  }
}

#endif /* MCG_CUMSUM_S8_H */
