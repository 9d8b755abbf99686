/* SPDX-License-Identifier: Apache-2.0 */
/* HARD_SWISH, float32: x * relu6(x + 3) / 6. The output may be the input. */
#ifndef MCG_HARD_SWISH_F32_H
#define MCG_HARD_SWISH_F32_H

#include "mcg_unary_f32.h"

typedef mcg_unary_f32_params mcg_hard_swish_f32_params;

MCG_INLINE float mcg_hard_swish_of(float value) {
  const float above = 0.0f < value + 3.0f ? value + 3.0f : 0.0f;
  return value * (above < 6.0f ? above : 6.0f) / 6.0f;
}

MCG_INLINE void mcg_hard_swish_f32(const mcg_hard_swish_f32_params *p, const float *input,
                                   float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = mcg_hard_swish_of(input[i]);
  }
}

#endif /* MCG_HARD_SWISH_F32_H */
