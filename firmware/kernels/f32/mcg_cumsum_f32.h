/* SPDX-License-Identifier: Apache-2.0 */
/* CUMSUM, float32: running sums along an axis, with or without the element itself, from its first
 * or its last element on. The output may be the input. */
#ifndef MCG_CUMSUM_F32_H
#define MCG_CUMSUM_F32_H

#include "mcg_common.h"

typedef struct {
  int32_t outer;
  int32_t size; /* of the axis */
  int32_t inner;
  int32_t exclusive;
  int32_t reverse;
} mcg_cumsum_f32_params;

MCG_INLINE void mcg_cumsum_f32(const mcg_cumsum_f32_params *p, const float *input, float *output) {
  const int32_t step = p->reverse ? -p->inner : p->inner;
  const int32_t start = p->reverse ? (p->size - 1) * p->inner : 0;
  for (int32_t i = 0; i < p->outer; ++i) {
    for (int32_t j = 0; j < p->inner; ++j) {
      int32_t at = i * p->size * p->inner + start + j;
      float sum = 0.0f;
      for (int32_t k = 0; k < p->size; ++k) {
        const float before = sum;
        sum += input[at];
        output[at] = p->exclusive ? before : sum;
        at += step;
      }
    }
  }
}

#endif /* MCG_CUMSUM_F32_H */
