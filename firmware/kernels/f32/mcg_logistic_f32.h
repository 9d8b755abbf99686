/* SPDX-License-Identifier: Apache-2.0 */
/* LOGISTIC, float32. The output may be the input. */
#ifndef MCG_LOGISTIC_F32_H
#define MCG_LOGISTIC_F32_H

#include "mcg_unary_f32.h"

typedef mcg_unary_f32_params mcg_logistic_f32_params;

/* Beyond these limits the reference takes what the quotient tends to. */
MCG_INLINE float mcg_sigmoid_f32(float value) {
  if (value > 16.619047164916992188f) {
    return 1.0f;
  }
  return value < -9.0f ? expf(value) : 1.0f / (1.0f + expf(-value));
}

MCG_INLINE void mcg_logistic_f32(const mcg_logistic_f32_params *p, const float *input,
                                 float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = mcg_sigmoid_f32(input[i]);
  }
}

#endif /* MCG_LOGISTIC_F32_H */
