/* SPDX-License-Identifier: Apache-2.0 */
/* EXP, float32. The output may be the input. */
#ifndef MCG_EXP_F32_H
#define MCG_EXP_F32_H

#include "mcg_unary_f32.h"

typedef mcg_unary_f32_params mcg_exp_f32_params;

MCG_INLINE void mcg_exp_f32(const mcg_exp_f32_params *p, const float *input, float *output) {
  for (int32_t i = 0; i < p->count; ++i) {
    output[i] = expf(input[i]);
  }
}

#endif /* MCG_EXP_F32_H */
