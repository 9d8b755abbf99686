/* SPDX-License-Identifier: Apache-2.0 */
/* SQUARE, float32. The output may be the input. */
#ifndef MCG_SQUARE_F32_H
#define MCG_SQUARE_F32_H

#include "mcg_unary_f32.h"

typedef mcg_unary_f32_params mcg_square_f32_params;

MCG_INLINE void mcg_square_f32(const mcg_square_f32_params *p, const float *input, float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = input[i] * input[i];
  }
}

#endif /* MCG_SQUARE_F32_H */
