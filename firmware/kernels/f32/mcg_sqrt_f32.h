/* SPDX-License-Identifier: Apache-2.0 */
/* SQRT, float32. The output may be the input. */
#ifndef MCG_SQRT_F32_H
#define MCG_SQRT_F32_H

#include "mcg_unary_f32.h"

typedef mcg_unary_f32_params mcg_sqrt_f32_params;

MCG_INLINE void mcg_sqrt_f32(const mcg_sqrt_f32_params *p, const float *input, float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = sqrtf(input[i]);
  }
}

#endif /* MCG_SQRT_F32_H */
