/* SPDX-License-Identifier: Apache-2.0 */
/* L2_NORMALIZATION, float32: rows divided by their length, which counts as at least 1e-6. The
 * output may be the input. */
#ifndef MCG_L2_NORMALIZATION_F32_H
#define MCG_L2_NORMALIZATION_F32_H

#include "mcg_f32.h"

typedef struct {
  int32_t rows;
  int32_t depth;
} mcg_l2_normalization_f32_params;

MCG_INLINE void mcg_l2_normalization_f32(const mcg_l2_normalization_f32_params *p,
                                         const float *input, float *output) {
  for (int32_t row = 0; row < p->rows; ++row) {
    float sum = 0.0f;
    for (int32_t i = 0; i < p->depth; ++i) {
      sum += input[i] * input[i];
    }
    const float root = sqrtf(sum);
    const float length = root < 1e-6f ? 1e-6f : root;
    for (int32_t i = 0; i < p->depth; ++i) {
      output[i] = input[i] / length;
    }
    input += p->depth;
    output += p->depth;
  }
}

#endif /* MCG_L2_NORMALIZATION_F32_H */
