/* SPDX-License-Identifier: Apache-2.0 */
/* ELU, float32: the exponential less 1 below 0. The output may be the input. */
#ifndef MCG_ELU_F32_H
#define MCG_ELU_F32_H

#include "mcg_unary_f32.h"

typedef mcg_unary_f32_params mcg_elu_f32_params;

MCG_INLINE void mcg_elu_f32(const mcg_elu_f32_params *p, const float *input, float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = input[i] < 0.0f ? expm1f(input[i]) : input[i];
  }
}

#endif /* MCG_ELU_F32_H */
