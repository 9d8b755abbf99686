/* SPDX-License-Identifier: Apache-2.0 */
/* RELU6, float32. The output may be the input. */
#ifndef MCG_RELU6_F32_H
#define MCG_RELU6_F32_H

#include "mcg_unary_f32.h"

typedef mcg_unary_f32_params mcg_relu6_f32_params;

MCG_INLINE void mcg_relu6_f32(const mcg_relu6_f32_params *p, const float *input, float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = mcg_clamp_f32(input[i], 0.0f, 6.0f);
  }
}

#endif /* MCG_RELU6_F32_H */
