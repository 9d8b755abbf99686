/* SPDX-License-Identifier: Apache-2.0 */
/* RELU, float32. The output may be the input. */
#ifndef MCG_RELU_F32_H
#define MCG_RELU_F32_H

#include "mcg_unary_f32.h"

typedef mcg_unary_f32_params mcg_relu_f32_params;

MCG_INLINE void mcg_relu_f32(const mcg_relu_f32_params *p, const float *input, float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = input[i] < 0.0f ? 0.0f : input[i];
  }
}

#endif /* MCG_RELU_F32_H */
