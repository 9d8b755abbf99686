/* SPDX-License-Identifier: Apache-2.0 */
/* PRELU, float32, with broadcasting. The output may be one of the operands. */
#ifndef MCG_PRELU_F32_H
#define MCG_PRELU_F32_H

#include "mcg_binary_f32.h"

typedef mcg_binary_f32_params mcg_prelu_f32_params;

MCG_INLINE void mcg_prelu_f32(const mcg_prelu_f32_params *p, const float *input1,
                              const float *input2, float *output) {
  MCG_FOR_BROADCAST(p, i1, i2,
                    *output++ = input1[i1] >= 0.0f ? input1[i1] : input1[i1] * input2[i2])
}

#endif /* MCG_PRELU_F32_H */
